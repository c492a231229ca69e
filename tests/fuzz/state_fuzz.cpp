// SPDX-License-Identifier: Apache-2.0
// Any text as the runtime state. A wrong checksum would be all that is ever seen, so the lines are sealed
// anew: what is left is what a daemon that went wrong, or root, could have written.
#include <array>
#include <string>

#include "engine/saving/saved.h"
#include "fuzz/fuzz.h"
#include "kernel/state_format.h"

using namespace svd;
using fuzz::require;

namespace {

std::string sealed(std::string_view lines) {
  std::string text = "svd-runtime 1\n" + std::string{lines};
  if (!text.ends_with('\n')) text += '\n';
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const char c : text) sum = (sum ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  std::array<char, 32> end{};
  std::snprintf(end.data(), end.size(), "end %016llx\n", static_cast<unsigned long long>(sum));
  return text + end.data();
}

// The corpus holds whole files.
std::string_view lines_of(std::string_view file) {
  if (!file.starts_with("svd-runtime 1\n")) return file;
  const auto end = file.rfind("\nend ");
  return file.substr(14, end == std::string_view::npos ? end : end - 13);
}

}  // namespace

FUZZ_TARGET(state) {
  static_cast<void>(parse_runtime(bytes));
  require(parse_runtime(format_runtime(bytes)).value() == bytes);
  static_cast<void>(read_state(bytes));
  const auto text = sealed(lines_of(bytes));
  const auto first = fuzz::within(64 * text.size() + (16U << 10U), [&] { return read_state(text); });
  if (!first) return;
  const auto written = write_state(*first);
  const auto second = read_state(written);
  require(second && *second == *first);
  require(write_state(*second) == written);
}
