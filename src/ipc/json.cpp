// SPDX-License-Identifier: Apache-2.0
#include "ipc/json.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace svd::ipc {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Walks once over text that nobody has checked yet. No recursion: the open brackets are on a stack.
class Checker {
 public:
  explicit Checker(std::string_view text) : text_{text} {}

  bool run() {
    do {
      skip_blanks();
      if (!value_begins()) return false;
    } while (wants_value_ || !finish_value());
    return valid_ && at_ == text_.size() && (!has_high_bytes_ || find_invalid_utf8(text_) == text_.npos);
  }

 private:
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // One scalar, or the beginning of an array or object (then wants_value_ says whether a value follows).
  bool value_begins() {
    wants_value_ = false;
    switch (peek()) {
      case '{':
        return open('}') && (closes() || key());
      case '[':
        if (!open(']')) return false;
        if (!closes()) wants_value_ = true;
        return true;
      case '"':
        return string();
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      default:
        return number();
    }
  }

  bool open(char closing) {
    if (open_.size() == JsonView::max_depth) return false;
    open_ += closing;
    ++at_;
    skip_blanks();
    return true;
  }
  bool closes() {
    if (!take(open_.back())) return false;
    open_.pop_back();
    return true;
  }
  bool key() {
    if (!string()) return false;
    skip_blanks();
    return wants_value_ = take(':');
  }

  // What may follow a value. True: all is read, or it is wrong (valid_).
  bool finish_value() {
    for (;;) {
      skip_blanks();
      if (open_.empty()) return true;
      if (take(',')) {
        skip_blanks();
        if (open_.back() == ']' || key()) return false;
        return fail();
      }
      if (!closes()) return fail();
    }
  }
  bool fail() {
    valid_ = false;
    return true;
  }

  bool literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool digits() {
    if (!is_digit(peek())) return false;
    while (is_digit(peek())) ++at_;
    return true;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (peek() != 'e' && peek() != 'E') return true;
    ++at_;
    if (!take('+')) take('-');
    return digits();
  }

  bool string() {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_++]);
      if (c == '"') return true;
      if (c < 0x20) return false;
      if (c >= 0x80) has_high_bytes_ = true;
      if (c == '\\' && !escape()) return false;
    }
    return false;
  }
  bool escape() {
    const char c = peek();
    ++at_;
    if (c != 'u') return c != '\0' && std::string_view{"\"\\/bfnrt"}.find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i, ++at_)
      if (hex_digit(peek()) < 0) return false;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string open_;  // the closing brackets that are owed
  bool wants_value_ = false;
  bool valid_ = true;
  bool has_high_bytes_ = false;
};

// From here on the text is known to be valid.
std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

std::size_t skip_string(std::string_view text, std::size_t at) {
  auto end = text.find('"', ++at);
  for (;;) {
    const auto escape = text.substr(at, end - at).find('\\');
    if (escape == text.npos) return end + 1;
    at += escape + 2;
    if (at > end) end = text.find('"', at);
  }
}

// Past the value that begins at `at`.
std::size_t skip_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  do {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
  } while (depth > 0);
  // Of a number or a literal only its first character was passed.
  constexpr std::string_view ends = ",]} \t\n\r";
  if (const char last = text[at - 1]; last != '"' && last != '}' && last != ']')
    while (at < text.size() && ends.find(text[at]) == ends.npos) ++at;
  return at;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | ((code >> shift) & 0x3FU)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0U | (code >> 6U));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0U | (code >> 12U));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0U | (code >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::uint32_t hex4(std::string_view text) {
  std::uint32_t code = 0;
  for (const char c : text.substr(0, 4)) code = code * 16 + static_cast<std::uint32_t>(hex_digit(c));
  return code;
}

bool is_high_surrogate(std::uint32_t code) { return code >= 0xD800 && code < 0xDC00; }
bool is_low_surrogate(std::uint32_t code) { return code >= 0xDC00 && code < 0xE000; }

// `at` is behind the "\u"; the result is past what was used.
std::size_t append_unicode(std::string& out, std::string_view text, std::size_t at) {
  const auto code = hex4(text.substr(at));
  at += 4;
  if (is_high_surrogate(code) && text.substr(at, 2) == "\\u") {
    if (const auto low = hex4(text.substr(at + 2)); is_low_surrogate(low)) {
      append_utf8(out, 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00));
      return at + 6;
    }
  }
  if (is_high_surrogate(code) || is_low_surrogate(code))
    out += replacement;
  else
    append_utf8(out, code);
  return at;
}

std::string unescape(std::string_view inner) {
  std::string out;
  for (std::size_t at = 0; at < inner.size();) {
    if (inner[at] != '\\') {
      out += inner[at++];
      continue;
    }
    const char c = inner[at + 1];
    at += 2;
    constexpr std::string_view names = "bfnrt", values = "\b\f\n\r\t";
    if (c == 'u')
      at = append_unicode(out, inner, at);
    else if (const auto which = names.find(c); which != names.npos)
      out += values[which];
    else
      out += c;
  }
  return out;
}

std::string_view inner_of(std::string_view quoted) { return quoted.substr(1, quoted.size() - 2); }

// Names rarely have escapes: compared in place then.
bool is_named(std::string_view quoted, std::string_view name) {
  const auto inner = inner_of(quoted);
  return inner == name || (inner.find('\\') != inner.npos && unescape(inner) == name);
}

}  // namespace

std::optional<JsonView> JsonView::parse(std::string_view text) {
  if (!Checker{text}.run()) return std::nullopt;
  const auto begin = skip_blanks(text, 0);
  auto end = text.size();
  while (is_blank(text[end - 1])) --end;
  return JsonView{text.substr(begin, end - begin)};
}

JsonView::Kind JsonView::kind() const noexcept {
  switch (text_.front()) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return Kind::number;
  }
}

std::optional<JsonView> JsonView::member(std::string_view name) const {
  if (kind() != Kind::object) return std::nullopt;
  std::optional<JsonView> found;
  for (auto at = skip_blanks(text_, 1); text_[at] != '}';) {
    const auto after_key = skip_string(text_, at);
    const auto key = text_.substr(at, after_key - at);
    const auto begin = skip_blanks(text_, skip_blanks(text_, after_key) + 1);
    const auto end = skip_value(text_, begin);
    if (is_named(key, name)) found = JsonView{text_.substr(begin, end - begin)};
    at = skip_blanks(text_, end);
    if (text_[at] == ',') at = skip_blanks(text_, at + 1);
  }
  return found;
}

std::vector<JsonView> JsonView::elements() const {
  std::vector<JsonView> found;
  if (kind() != Kind::array) return found;
  for (auto at = skip_blanks(text_, 1); text_[at] != ']';) {
    const auto end = skip_value(text_, at);
    found.push_back(JsonView{text_.substr(at, end - at)});
    at = skip_blanks(text_, end);
    if (text_[at] == ',') at = skip_blanks(text_, at + 1);
  }
  return found;
}

std::optional<std::string> JsonView::string() const {
  if (kind() != Kind::string) return std::nullopt;
  return unescape(inner_of(text_));
}

std::optional<std::int64_t> JsonView::integer() const {
  if (kind() != Kind::number) return std::nullopt;
  constexpr std::int64_t most = std::int64_t{1} << 53U;
  const auto* const end = text_.data() + text_.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text_.data(), end, whole); read.ptr == end && read.ec == std::errc{})
    return whole > most || whole < -most ? std::nullopt : std::optional{whole};
  double number = 0;
  const auto read = std::from_chars(text_.data(), end, number);
  if (read.ec != std::errc{} || std::abs(number) > static_cast<double>(most) || std::trunc(number) != number)
    return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<bool> JsonView::boolean() const {
  if (kind() != Kind::boolean) return std::nullopt;
  return text_ == "true";
}

std::optional<std::string> JsonView::string(std::string_view name) const {
  const auto found = member(name);
  return found ? found->string() : std::nullopt;
}

std::optional<std::int64_t> JsonView::integer(std::string_view name) const {
  const auto found = member(name);
  return found ? found->integer() : std::nullopt;
}

std::optional<bool> JsonView::boolean(std::string_view name) const {
  const auto found = member(name);
  return found ? found->boolean() : std::nullopt;
}

std::string quote(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out{"\""};
  while (!text.empty()) {
    const auto valid = std::min(find_invalid_utf8(text), text.size());
    for (const char c : text.substr(0, valid)) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out.append(1, '\\').append(1, c);
      } else if (byte < 0x20) {
        out.append("\\u00").append(1, hex[byte >> 4U]).append(1, hex[byte & 15U]);
      } else {
        out += c;
      }
    }
    text.remove_prefix(valid);
    if (text.empty()) break;
    out += replacement;
    text.remove_prefix(1);
  }
  return out + '"';
}

}  // namespace svd::ipc
