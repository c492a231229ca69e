// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/text.h"
#include "base/units.h"
#include "spec/gate.h"
#include "spec/spec.h"

namespace svd::spec {
namespace {

// yaml-cpp keeps every token of a line in memory while a bracket on it may still turn out to be a key: some
// 240 bytes for each of these characters. It parses by recursion as well, but the event handler stops that at
// max_depth.
constexpr std::string_view token_characters = "[{,:\"'&*!?";
constexpr std::size_t max_line_tokens = 400'000;
constexpr std::size_t max_line_brackets = 1'000;

class TextCheck {
 public:
  TextCheck(std::string_view text, Complaints& complaints) : text_{text}, complaints_{complaints} {}

  bool run() {
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] == '\n') {
        next_line(i + 1);
      } else if (!check(i)) {
        return false;
      }
    }
    return true;
  }

 private:
  bool check(std::size_t i) {
    const char c = text_[i];
    const auto byte = static_cast<std::uint8_t>(c);
    if (c == '\0') return refuse(i, "a NUL byte: this is not a text file");
    if (c == '\r') return refuse(i, "a carriage return without a line feed");
    // YAML 1.2, 5.1 allows no other control character; yaml-cpp would take \x04 for the end of the file.
    if ((byte < 0x20 && c != '\t') || byte == 0x7F)
      return refuse(i, "control character " + printable(text_.substr(i, 1)) +
                           ": write it as an escape in double quotes");
    if (c == '%' && i == line_start_ && !text_.substr(i).starts_with("%YAML "))
      return refuse(i, "a line that starts with '%' would be a YAML directive: they have no meaning here");
    if (c == '[' || c == '{') {
      if (++brackets_ > max_line_brackets) return refuse(i, "too many open brackets on one line");
    } else if ((c == ']' || c == '}') && brackets_ > 0) {
      --brackets_;
    }
    if (byte < 0x40 || c == '[' || c == '{') {
      if (token_characters.find(c) != std::string_view::npos && ++tokens_ > max_line_tokens)
        return refuse(i, "too much on one line: break it into several");
    }
    return true;
  }

  void next_line(std::size_t start) {
    line_start_ = start;
    ++line_;
    brackets_ = 0;
    tokens_ = 0;
  }

  bool refuse(std::size_t i, std::string why) {
    complaints_.add(Mark{line_, static_cast<std::uint32_t>(i - line_start_ + 1)}, "", std::move(why));
    return false;
  }

  std::string_view text_;
  Complaints& complaints_;
  std::size_t line_start_ = 0;
  std::uint32_t line_ = 1;
  std::size_t brackets_ = 0;
  std::size_t tokens_ = 0;
};

}  // namespace

bool check_text(std::string_view text, Complaints& complaints) {
  if (text.size() > max_text) {
    complaints.add(Mark{}, "",
                   "the file has " + std::to_string(text.size()) + " bytes, at most " +
                       format_bytes(max_text) + " are read");
    return false;
  }
  if (const auto bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    const auto before = text.substr(0, bad);
    const auto start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    const auto line = static_cast<std::uint32_t>(std::ranges::count(before, '\n') + 1);
    complaints.add(Mark{line, static_cast<std::uint32_t>(bad - start + 1)}, "", "not UTF-8");
    return false;
  }
  return TextCheck{text, complaints}.run();
}

std::string_view normalize(std::string_view text, std::string& storage) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.find("\r\n") == std::string_view::npos) return text;
  storage.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') storage += text[i];
  return storage;
}

}  // namespace svd::spec
