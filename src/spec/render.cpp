// SPDX-License-Identifier: Apache-2.0
// Diagnostics for a person: the sentence, the line, a caret.
#include <array>
#include <string>
#include <vector>

#include "base/text.h"
#include "spec/gate.h"
#include "spec/spec.h"

namespace svd::spec {
namespace {

constexpr std::size_t shown_before = 60;  // characters of a long line before the caret, and after it
constexpr std::size_t shown_after = 40;
constexpr char32_t replacement = 0xFFFD;

// What deceives and broken bytes become one visible character each, so that columns stay right. Invalid
// UTF-8 gets here when it is what the complaint is about.
std::vector<char32_t> characters(std::string_view line) {
  std::vector<char32_t> all;
  for (std::size_t i = 0; i < line.size();) {
    std::size_t length = 1;
    while (i + length < line.size() && length < 4 &&
           (static_cast<unsigned char>(line[i + length]) & 0xC0U) == 0x80U)
      ++length;
    const auto first = first_code_point(line.substr(i, length));
    const auto value = first.length == length ? first.value : not_utf8;
    all.push_back(value == U'\t' ? U' ' : is_deceptive(value) ? replacement : value);
    i += length;
  }
  return all;
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](unsigned value) { out += static_cast<char>(value); };
  const auto value = static_cast<unsigned>(c);
  const auto tail = [&](unsigned shift) { return 0x80U | (value >> shift & 0x3FU); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xC0U | value >> 6U), put(tail(0));
  } else if (value < 0x10000) {
    put(0xE0U | value >> 12U), put(tail(6)), put(tail(0));
  } else {
    put(0xF0U | value >> 18U), put(tail(12)), put(tail(6)), put(tail(0));
  }
}

// Columns of a terminal: 2 for East Asian wide characters and emoji, 0 for combining marks (the large blocks
// of UAX #11).
std::size_t width(char32_t c) {
  struct Range {
    char32_t first, last;
  };
  constexpr std::array narrow{Range{0x0300, 0x036F}, Range{0xFE00, 0xFE0F}};
  constexpr std::array wide{Range{0x1100, 0x115F},  Range{0x2E80, 0xA4CF},   Range{0xAC00, 0xD7A3},
                            Range{0xF900, 0xFAFF},  Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
                            Range{0xFFE0, 0xFFE6},  Range{0x1F300, 0x1F64F}, Range{0x1F900, 0x1F9FF},
                            Range{0x20000, 0x3FFFD}};
  for (const auto& range : narrow)
    if (c >= range.first && c <= range.last) return 0;
  for (const auto& range : wide)
    if (c >= range.first && c <= range.last) return 2;
  return 1;
}

std::string_view line_of(std::string_view text, std::uint32_t number) {
  for (std::uint32_t line = 1; line < number; ++line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  auto line = text.substr(0, text.find('\n'));
  // Enough for any window around a caret that is near the start; the caret's own place is cut out below.
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

void append_excerpt(std::string& out, std::string_view line, const Diagnostic& diagnostic) {
  const auto all = characters(line);
  const auto caret = std::min<std::size_t>(diagnostic.column - 1U, all.size());
  const auto first = caret > shown_before ? caret - shown_before : 0;
  const auto last = std::min(all.size(), caret + shown_after);
  const auto number = std::to_string(diagnostic.line);
  const std::string margin(number.size() < 5 ? 5 - number.size() : 0, ' ');
  out += margin + number + " | " + (first > 0 ? "…" : "");
  for (auto i = first; i < last; ++i) append_utf8(out, all[i]);
  out += last < all.size() ? "…\n" : "\n";
  std::size_t indent = first > 0 ? 1 : 0;
  for (auto i = first; i < caret; ++i) indent += width(all[i]);
  out += std::string(margin.size() + number.size(), ' ') + " | " + std::string(indent, ' ') + "^\n";
}

}  // namespace

std::string render(const Diagnostics& diagnostics, const Source& source) {
  std::string storage;
  const auto text = normalize(source.text, storage);
  const auto file = source.file == "-" ? std::string{"<stdin>"} : printable(source.file);
  std::string out;
  for (const auto& diagnostic : diagnostics) {
    out += file;
    if (diagnostic.line > 0)
      out += ":" + std::to_string(diagnostic.line) + ":" + std::to_string(diagnostic.column);
    out += ": " + (diagnostic.path.empty() ? "" : printable(diagnostic.path) + ": ") +
           safe_lines(diagnostic.text) + "\n";
    if (diagnostic.line > 0 && diagnostic.column > 0)
      append_excerpt(out, line_of(text, diagnostic.line), diagnostic);
  }
  return out;
}

}  // namespace svd::spec
