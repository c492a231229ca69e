// SPDX-License-Identifier: Apache-2.0
// Any text as an env_file.
#include <algorithm>

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "spec/env_file.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(env) {
  const auto file =
      fuzz::within(64 * bytes.size() + (16U << 10U), [&] { return spec::parse_env_file(bytes); });
  std::size_t size = 0;
  for (const auto& [name, value] : file.variables) {
    size += name.size() + value.size();
    require(!name.empty() && name.find_first_of(" \t\n=\"'#") == std::string::npos);
    require(find_invalid_utf8(name) == std::string::npos && find_invalid_utf8(value) == std::string::npos);
    require(value.find('\0') == std::string::npos);
    // A value in single quotes comes back as it is.
    if (value.find('\'') != std::string::npos || value.find("\r\n") != std::string::npos) continue;
    const auto again = spec::parse_env_file("\n" + name + "='" + value + "'");
    require(again.problems.empty() && again.variables.size() == 1 && again.variables.front().second == value);
  }
  require(size <= bytes.size());
  const auto lines = static_cast<std::size_t>(std::ranges::count(bytes, '\n')) + 1;
  for (const auto& [line, problem] : file.problems) require(line >= 1 && line <= lines && !problem.empty());
}
