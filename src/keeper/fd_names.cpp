// SPDX-License-Identifier: Apache-2.0
#include "keeper/fd_names.h"

#include <cstring>

#include "keeper/protocol.h"

namespace svd::keeper {
namespace {

constexpr std::uint32_t prefix_size = sizeof passed_prefix - 1;

int digit(char c) {
  const char* const digits = "0123456789ABCDEF";
  const char* const found = c == '\0' ? nullptr : std::strchr(digits, c);
  return found == nullptr ? -1 : static_cast<int>(found - digits);
}

}  // namespace

std::uint32_t take_fd_name(const char*& from, char* out) {
  std::memcpy(out, passed_prefix, prefix_size);
  std::uint32_t size = prefix_size;
  bool fits = true;
  for (; *from != '\0' && *from != ':'; ++from) {
    const int high = *from == '%' ? digit(from[1]) : -1;
    const int low = high < 0 ? -1 : digit(from[2]);
    fits = fits && size < max_name;
    if (fits) out[size++] = low < 0 ? *from : static_cast<char>(high * 16 + low);
    if (low >= 0) from += 2;
  }
  if (*from == ':') ++from;
  return fits && size > prefix_size ? size : 0;
}

}  // namespace svd::keeper
