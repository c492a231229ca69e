// SPDX-License-Identifier: Apache-2.0
#include "cli/json.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

#include "base/text.h"

namespace svd::cli {
namespace {

void append_unit(std::string& out, char32_t unit) {
  std::array<char, 8> escape{};
  std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(unit));
  out += escape.data();
}

// As UTF-16 has it (RFC 8259, section 7).
void append_code_point(std::string& out, char32_t value) {
  if (value < 0x10000) return append_unit(out, value);
  append_unit(out, 0xD800 + ((value - 0x10000) >> 10U));
  append_unit(out, 0xDC00 + ((value - 0x10000) & 0x3FFU));
}

void append_escaped(std::string& out, CodePoint c, std::string_view bytes) {
  if (c.value == not_utf8)
    out += "\xEF\xBF\xBD";
  else if (c.value == U'"' || c.value == U'\\')
    (out += '\\') += bytes;
  else if (c.value == U'\n')
    out += "\\n";
  else if (is_deceptive(c.value))
    append_code_point(out, c.value);
  else
    out += bytes;
}

template <class Append>
void each_code_point(std::string_view text, Append&& append) {
  while (!text.empty()) {
    const auto c = first_code_point(text);
    append(c, text.substr(0, c.length));
    text.remove_prefix(c.length);
  }
}

}  // namespace

void JsonWriter::separate() {
  if (comma_) text_ += ',';
  comma_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  text_ += bracket;
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  text_ += bracket;
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view text) {
  separate();
  text_ += text;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  value(name);
  text_ += ':';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  text_ += '"';
  each_code_point(text, [&](CodePoint c, std::string_view bytes) { append_escaped(text_, c, bytes); });
  text_ += '"';
  return *this;
}

// Above ASCII JSON has text in strings alone, where an escape says the same; below, control characters are
// blanks between values or no JSON.
JsonWriter& JsonWriter::json(std::string_view text) {
  separate();
  each_code_point(text, [&](CodePoint c, std::string_view bytes) {
    if (c.value < 0x20)
      text_ += ' ';
    else if (c.value == not_utf8 || is_deceptive(c.value))
      append_escaped(text_, c, bytes);
    else
      text_ += bytes;
  });
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f", number);
  return raw(text.data());
}

JsonWriter& JsonWriter::value(WallTime time) {
  if (time.micros == 0) return null();
  return value(rfc3339(time));
}

JsonWriter& JsonWriter::value(const std::vector<std::string>& texts) {
  begin_array();
  for (const auto& text : texts) value(text);
  return end_array();
}

std::string JsonWriter::take() {
  comma_ = false;
  return std::exchange(text_, {});
}

std::string rfc3339(WallTime time, unsigned digits) {
  constexpr std::int64_t million = 1'000'000;
  std::int64_t fraction = time.micros % million;
  if (fraction < 0) fraction += million;
  const auto seconds = static_cast<std::time_t>((time.micros - fraction) / million);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (digits == 0) return std::string{date.data()} + "Z";
  const auto micros = std::to_string(million + fraction).substr(1);
  return std::string{date.data()} + "." + micros.substr(0, digits) + "Z";
}

}  // namespace svd::cli
