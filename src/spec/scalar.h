// SPDX-License-Identifier: Apache-2.0
// What a scalar is. Our own rules, because those of YAML 1.1 surprise (yes, 0755, 1:30) and yaml-cpp's
// conversions forget about quotes: a plain number is what JSON calls a number, true and false are the only
// booleans, and everything else is a text. Null was decided by the parser: nothing at all, ~ or null.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "spec/document.h"

namespace svd::spec {

[[nodiscard]] bool is_number(const Node& node);
// nullopt: no number, or one with a fraction or an exponent, or beyond 64 bits.
[[nodiscard]] std::optional<std::int64_t> as_integer(const Node& node);
[[nodiscard]] std::optional<double> as_number(const Node& node);
[[nodiscard]] std::optional<bool> as_bool(const Node& node);
// A scalar that is neither a number nor a boolean.
[[nodiscard]] bool is_text(const Node& node);

// For messages: "the number 4", "the text 'x'", "a list", "nothing".
[[nodiscard]] std::string describe(const Node& node);

}  // namespace svd::spec
