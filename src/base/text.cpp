// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <numeric>

namespace svd {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

// Length of the well-formed UTF-8 sequence at the start of `s`, 0 if there is none (RFC 3629, table 3-7 of
// Unicode).
std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) {
    return i < s.size() ? static_cast<std::uint8_t>(s[i]) : std::uint8_t{0};
  };
  const auto tail = [&](std::size_t i, std::uint8_t low = 0x80, std::uint8_t high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const std::uint8_t low = first == 0xE0 ? 0xA0 : 0x80;
    const std::uint8_t high = first == 0xED ? 0x9F : 0xBF;
    return tail(1, low, high) && tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const std::uint8_t low = first == 0xF0 ? 0x90 : 0x80;
    const std::uint8_t high = first == 0xF4 ? 0x8F : 0xBF;
    return tail(1, low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::optional<std::string> nearest(std::string_view text, std::span<const std::string> candidates) {
  constexpr std::size_t longest = 128;  // keeps the quadratic distance bounded on hostile input
  if (text.size() > longest) return std::nullopt;
  const auto limit = std::max<std::size_t>(1, text.size() / 3);
  const std::string* best = nullptr;
  auto best_distance = limit + 1;
  for (const auto& candidate : candidates) {
    if (candidate.size() > text.size() + limit || text.size() > candidate.size() + limit) continue;
    const auto distance = edit_distance(text, candidate);
    if (distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

std::optional<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\'') {
      if (c == '\'')
        quote = 0;
      else
        word += c;
    } else if (c == '\\') {
      if (i + 1 == text.size()) return std::nullopt;
      const char next = text[++i];
      if (quote == '"' && std::strchr("\"\\$`", next) == nullptr) word += '\\';
      word += next;
      in_word = true;
    } else if (quote == '"') {
      if (c == '"')
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return std::nullopt;
  if (in_word) words.push_back(std::move(word));
  return words;
}

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto length = utf8_length(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

CodePoint first_code_point(std::string_view text) {
  const auto length = utf8_length(text);
  if (length == 0) return {not_utf8, 1};
  char32_t value = static_cast<std::uint8_t>(text[0]);
  if (length > 1) value &= 0x7FU >> length;
  for (const char c : text.substr(1, length - 1))
    value = value << 6U | (static_cast<std::uint8_t>(c) & 0x3FU);
  return {value, length};
}

bool is_deceptive(char32_t c) {
  if (c >= 0x20 && c < 0x7F) return false;
  struct Range {
    char32_t first, last;
  };
  constexpr std::array ranges{
      Range{0x00, 0x1F},        // C0
      Range{0x7F, 0x9F},        // DEL, C1
      Range{0xAD, 0xAD},        // soft hyphen
      Range{0x061C, 0x061C},    // Arabic letter mark
      Range{0x180E, 0x180E},    // Mongolian vowel separator
      Range{0x200B, 0x200F},    // zero width, marks of direction
      Range{0x2028, 0x202E},    // separators, embeddings and overrides
      Range{0x2060, 0x206F},    // invisible operators, isolates
      Range{0xFEFF, 0xFEFF},    // zero width no-break space
      Range{0xFFF9, 0xFFFB},    // interlinear annotation
      Range{0xE0000, 0xE007F},  // tags
      Range{not_utf8, not_utf8},
  };
  return std::ranges::any_of(ranges, [&](const Range& range) { return c >= range.first && c <= range.last; });
}

namespace {

void append_hex(std::string& out, unsigned value, int digits) {
  constexpr std::string_view hex = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += hex[value >> shift & 0xFU];
}

// Below U+0100 byte by byte, as it stands in the text; above, the code point.
void append_visible(std::string& out, char32_t value, std::string_view bytes) {
  switch (value) {
    case U'\n':
      out += "\\n";
      return;
    case U'\t':
      out += "\\t";
      return;
    case U'\r':
      out += "\\r";
      return;
    default:
      break;
  }
  if (value < 0x100 || value == not_utf8) {
    for (const char c : bytes) append_hex(out += "\\x", static_cast<std::uint8_t>(c), 2);
  } else {
    append_hex(out += value < 0x10000 ? "\\u" : "\\U", value, value < 0x10000 ? 4 : 8);
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto [value, length] = first_code_point(text);
    const auto bytes = text.substr(0, length);
    if (is_deceptive(value))
      append_visible(out, value, bytes);
    else
      out += bytes;
    text.remove_prefix(length);
  }
  return out;
}

std::string safe_lines(std::string_view text) {
  std::string out;
  while (true) {
    const auto end = text.find('\n');
    out += printable(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

std::string signal_name(int number) {
  if (const char* name = ::sigabbrev_np(number)) return std::string{"SIG"} + name;
  if (number >= SIGRTMIN && number <= SIGRTMAX) {
    return number == SIGRTMIN ? "SIGRTMIN" : "SIGRTMIN+" + std::to_string(number - SIGRTMIN);
  }
  return "signal " + std::to_string(number);
}

std::optional<int> parse_signal(std::string_view text) {
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size())
    return number >= 1 && number <= 64 ? std::optional{number} : std::nullopt;
  const std::string name = text.starts_with("SIG") ? std::string{text} : "SIG" + std::string{text};
  for (int i = 1; i <= 64; ++i)
    if (signal_name(i) == name) return i;
  return std::nullopt;
}

}  // namespace svd
