// SPDX-License-Identifier: Apache-2.0
// What must hold for every text that a terminal gets to see.
#pragma once

#include <string_view>

#include "base/text.h"
#include "fuzz/fuzz.h"

namespace svd::fuzz {

// UTF-8 without anything that steers a terminal or shows other text than there is, but for those characters
// in `but`.
inline void require_shown(std::string_view text, std::string_view but = "",
                          const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  while (!text.empty()) {
    const auto [value, length] = first_code_point(text);
    require(!is_deceptive(value) || (length == 1 && but.find(text.front()) != std::string_view::npos), file,
            line);
    text.remove_prefix(length);
  }
}

}  // namespace svd::fuzz
