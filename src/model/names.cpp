// SPDX-License-Identifier: Apache-2.0
#include "model/names.h"

#include <algorithm>

#include "base/text.h"

namespace svd {

Result<Name> Name::parse(std::string_view text) {
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const auto ok = [&](char c) { return alnum(c) || c == '_' || c == '.' || c == '-'; };
  if (text.empty() || text.size() > 63 || !alnum(text.front()) || !std::ranges::all_of(text, ok))
    return fail(std::errc::invalid_argument, "cannot use '" + printable(text.substr(0, 80)) +
                                                 "' as a name: want a letter or digit, then letters, digits, "
                                                 "'_', '.' or '-', at most 63 characters");
  return Name{std::string{text}};
}

}  // namespace svd
