// SPDX-License-Identifier: Apache-2.0
// The only door for YAML. What passes is a tree of bounded size; what does not costs little to refuse.
#pragma once

#include <string_view>

#include "spec/complaints.h"
#include "spec/document.h"

namespace svd::spec {

// Fills document.root and returns true, or complains and returns false. Duplicate keys and tags are
// complained about but do not stop it, so that the decoder can find the rest. `text` has no byte order mark
// and no carriage returns.
[[nodiscard]] bool parse_yaml(std::string_view text, Document& document, Complaints& complaints);

// The part before the parser: size, encoding, control characters, and shapes that would make yaml-cpp's
// scanner collect tokens without end. False: complained.
[[nodiscard]] bool check_text(std::string_view text, Complaints& complaints);

// Without byte order mark, and with line feeds only. `storage` keeps the copy where one is needed.
[[nodiscard]] std::string_view normalize(std::string_view text, std::string& storage);

}  // namespace svd::spec
