// SPDX-License-Identifier: Apache-2.0
// Collects what is wrong with a file, all of it, at the right place and each thing once.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/diagnostic.h"

namespace svd::spec {

// A place in the text. The column counts bytes here, as the parser does; a Diagnostic's counts characters.
struct Mark {
  std::uint32_t line = 0;    // 1-based; 0: the file as a whole
  std::uint32_t column = 0;  // 1-based
  auto operator<=>(const Mark&) const = default;
};

// Where in the tree a value sits: a chain of keys on the stack, turned into text only when there is a
// complaint.
struct Place {
  static constexpr std::size_t no_item = ~std::size_t{0};

  const Place* up = nullptr;
  std::string_view key;
  std::size_t index = no_item;            // of an item of a list, from 0; it has no key
  [[nodiscard]] std::string str() const;  // "apps.web.exec[1]"; control characters made visible
};

class Complaints {
 public:
  // `text` is borrowed: columns are counted in it.
  explicit Complaints(std::string_view text) : text_{text} {}

  // The same text at the same place counts once: a value of `defaults` is looked at again for every app.
  void add(Mark mark, std::string path, std::string text);
  void add(Mark mark, const Place& place, std::string text) { add(mark, place.str(), std::move(text)); }

  [[nodiscard]] bool empty() const { return found_.empty(); }
  // No further complaint will be kept; spares the work of wording it.
  [[nodiscard]] bool full() const { return found_.size() >= most_kept; }
  // In the order of the file, at most max_diagnostics and a last line that counts the rest.
  [[nodiscard]] Diagnostics take();

 private:
  static constexpr std::size_t most_kept = 1000;

  [[nodiscard]] std::uint32_t characters_before(Mark mark);

  std::string_view text_;
  std::vector<std::size_t> line_starts_;  // filled when first needed
  Diagnostics found_;
  std::set<std::pair<Mark, std::string>> seen_;
};

// `value` cut to a length that fits a message, control characters made visible, in single quotes.
// Not called quoted(): std::quoted would be found beside it, by its argument.
[[nodiscard]] std::string in_quotes(std::string_view value);

}  // namespace svd::spec
