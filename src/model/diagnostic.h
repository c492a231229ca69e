// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace svd {

// One complaint about a file, with its place. Rendered (spec/render.h) as
//   eco.yaml:7:5: apps.web.instnaces: unknown key, did you mean 'instances'?
//       7 |     instnaces: 4
//         |     ^
struct Diagnostic {
  std::uint32_t line = 0;    // 1-based; 0: the file as a whole
  std::uint32_t column = 0;  // 1-based, in characters
  std::string path;          // "apps.web.restart.delay"; empty: the file as a whole
  std::string text;          // "unknown key, did you mean 'instances'?"
  bool operator==(const Diagnostic&) const = default;
};
using Diagnostics = std::vector<Diagnostic>;

}  // namespace svd
