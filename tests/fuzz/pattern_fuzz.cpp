// SPDX-License-Identifier: Apache-2.0
// The regular expressions of "/regex/" names: the first line is a pattern, what follows the text that is
// searched.
#include <string>

#include "engine/requests/pattern.h"
#include "fuzz/fuzz.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(pattern) {
  fuzz::Input input{bytes};
  const auto regex = input.line();
  const auto text = input.rest();
  const auto pattern = fuzz::within(512 * regex.size() + (64U << 10U), [&] { return Pattern::parse(regex); });
  if (pattern) {
    const bool found = pattern->search(text);
    require(pattern->search(text) == found);
    // Alternatives only add to what is found.
    if (regex.size() + 3 < Pattern::max_length) {
      const auto wider = Pattern::parse(std::string{regex} + "|\\x");
      require(wider && (!found || wider->search(text)));
    }
  }
  std::string literal;
  for (const char c : regex) literal += {'\\', c};
  if (const auto exact = Pattern::parse(literal)) {
    require(exact->search(regex));
    require(exact->search(text) == (text.find(regex) != std::string_view::npos));
  }
}
