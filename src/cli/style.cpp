// SPDX-License-Identifier: Apache-2.0
#include "cli/style.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"

namespace svd::cli {
namespace {

constexpr std::size_t narrowest = 8;  // of a column that is cut, however narrow the terminal is

// SGR parameters (ECMA-48, 8.3.117).
std::string_view sgr(Paint colour) {
  switch (colour) {
    case Paint::plain:
      return "0";
    case Paint::bold:
      return "1";
    case Paint::dim:
      return "2";
    case Paint::red:
      return "31";
    case Paint::green:
      return "32";
    case Paint::yellow:
      return "33";
    case Paint::blue:
      return "34";
    case Paint::magenta:
      return "35";
    case Paint::cyan:
      return "36";
  }
  return "0";
}

bool starts_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

void rtrim(std::string& text) { text.erase(text.find_last_not_of(' ') + 1); }

}  // namespace

std::string paint(const Style& style, Paint colour, std::string_view text) {
  if (!style.colour || colour == Paint::plain || text.empty()) return std::string{text};
  return "\x1b[" + std::string{sgr(colour)} + "m" + std::string{text} + "\x1b[0m";
}

std::size_t sgr_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const auto end = text.find_first_not_of("0123456789;", 2);
  constexpr std::size_t longest = 64;
  return end != std::string_view::npos && text[end] == 'm' && end < longest ? end + 1 : 0;
}

std::string harmless(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto special = std::min(text.find_first_of("\t\n\x1b"), text.size());
    out += printable(text.substr(0, special));
    text.remove_prefix(special);
    if (text.empty()) break;
    const auto length = text.front() == '\x1b' ? sgr_length(text) : 1;
    out += length == 0 ? printable(text.substr(0, 1)) : std::string{text.substr(0, length)};
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_code_point));
}

std::string cut(std::string_view text, std::size_t columns) {
  if (columns == 0 || width_of(text) <= columns) return std::string{text};
  std::size_t bytes = 0;
  for (std::size_t seen = 0; bytes < text.size(); ++bytes)
    if (starts_code_point(text[bytes]) && ++seen == columns) break;
  return std::string{text.substr(0, bytes)} + "…";
}

Table::Table(std::vector<std::string> titles) {
  for (auto& title : titles) {
    const bool right = title.starts_with('>');
    const bool elastic = title.starts_with('<');
    if (right || elastic) title.erase(0, 1);
    columns_.push_back({width_of(title), right, elastic});
    titles_.push_back({std::move(title), Paint::bold});
  }
}

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i].text = printable(row[i].text);
    columns_[i].width = std::max(columns_[i].width, width_of(row[i].text));
  }
  rows_.push_back(std::move(row));
}

// What others leave is for the elastic column; half of it where the last one wants as much.
Table::Columns Table::fitted(std::size_t terminal) const {
  auto columns = columns_;
  if (terminal == 0) return columns;
  const auto last = columns.back().width;
  for (auto& column : columns) {
    if (!column.elastic) continue;
    std::size_t others = 0;
    for (const auto& other : columns)
      if (&other != &column && &other != &columns.back()) others += other.width + 2;
    const auto left = terminal > others + 2 ? terminal - others - 2 : 0;
    const auto most = std::max(narrowest, left - std::min(last, left / 2));
    column.width = std::min(column.width, most);
  }
  return columns;
}

void Table::append_row(std::string& out, const std::vector<Cell>& row, const Columns& columns,
                       const Style& style) {
  std::string line;
  std::size_t used = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto& column = columns[i];
    if (i + 1 == row.size() && !column.right) {
      const auto left = style.columns > used + narrowest ? style.columns - used : narrowest;
      line += paint(style, row[i].colour, cut(row[i].text, style.columns == 0 ? 0 : left));
      break;
    }
    const auto text = cut(row[i].text, column.elastic ? column.width : 0);
    const std::string padding(column.width - width_of(text), ' ');
    if (column.right) line += padding;
    line += paint(style, row[i].colour, text);
    if (!column.right) line += padding;
    line += "  ";
    used += column.width + 2;
  }
  rtrim(line);
  out += line + '\n';
}

std::string Table::text(const Style& style) const {
  std::string out;
  const auto columns = fitted(style.columns);
  append_row(out, titles_, columns, style);
  for (const auto& row : rows_) append_row(out, row, columns, style);
  return out;
}

std::string age(WallTime since, WallTime now) {
  if (since.micros == 0) return "-";
  return format_age(Millis{std::max<std::int64_t>(0, now.micros - since.micros) / 1000});
}

std::string count(std::uint64_t number, std::string_view noun) {
  return std::to_string(number) + " " + std::string{noun} + (number == 1 ? "" : "s");
}

}  // namespace svd::cli
