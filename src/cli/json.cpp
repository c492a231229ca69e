// SPDX-License-Identifier: Apache-2.0
#include "cli/json.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

#include "base/text.h"

namespace svd::cli {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", byte);
      out += escape.data();
    } else {
      out += c;
    }
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
  for (auto bad = find_invalid_utf8(text); bad != std::string_view::npos; bad = find_invalid_utf8(text)) {
    append_escaped(text_, text.substr(0, bad));
    text_ += "\xEF\xBF\xBD";
    text.remove_prefix(bad + 1);
  }
  append_escaped(text_, text);
  text_ += '"';
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
