// SPDX-License-Identifier: Apache-2.0
// Colours, widths and safe text: what every renderer shares.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace svd::cli {

struct Style {
  bool colour = false;
  std::size_t columns = 0;  // width of the terminal; 0: not a terminal, nothing is cut
};

enum class Paint { plain, bold, dim, red, green, yellow, blue, magenta, cyan };
[[nodiscard]] std::string paint(const Style& style, Paint colour, std::string_view text);

// Length of "ESC [ digits and semicolons m" (SGR, ECMA-48 8.3.117) at the start of `text`; 0: there is none.
[[nodiscard]] std::size_t sgr_length(std::string_view text);
// What may go to a terminal, whoever wrote it: text as printable() leaves it, line ends, tabs and colours.
// For what is so already it changes nothing. Context has all that is printed go through it.
[[nodiscard]] std::string harmless(std::string_view text);

// How many columns the text takes: one for each code point. Good enough for names, numbers and our own
// sentences.
[[nodiscard]] std::size_t width_of(std::string_view text);
// At most `columns` wide; what is cut shows as "…". 0: everything.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns);

struct Cell {
  std::string text;
  Paint colour = Paint::plain;
};

// Columns as wide as their widest cell, two blanks between them. On a terminal that is too narrow the last
// column is cut, and those that are marked for it.
class Table {
 public:
  // Columns whose title starts with '>' are set flush right, those with '<' may be cut; the marks are not
  // shown.
  explicit Table(std::vector<std::string> titles);
  void add(std::vector<Cell> row);
  [[nodiscard]] std::string text(const Style& style) const;

 private:
  struct Column {
    std::size_t width = 0;
    bool right = false;
    bool elastic = false;
  };
  using Columns = std::vector<Column>;
  [[nodiscard]] Columns fitted(std::size_t terminal) const;
  static void append_row(std::string& out, const std::vector<Cell>& row, const Columns& columns,
                         const Style& style);

  Columns columns_;
  std::vector<Cell> titles_;
  std::vector<std::vector<Cell>> rows_;
};

// "3s", "2m", "5h" from `since` to `now`; "-" when `since` is never.
[[nodiscard]] std::string age(WallTime since, WallTime now);
// "4 instances", "1 instance".
[[nodiscard]] std::string count(std::uint64_t number, std::string_view noun);

}  // namespace svd::cli
