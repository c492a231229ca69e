// SPDX-License-Identifier: Apache-2.0
// Writes JSON (RFC 8259), compact, members in the order given. Text that is not UTF-8 has U+FFFD in its
// place, so the output is always valid; what deceives a reader (base/text.h) is escaped as \uXXXX. Keys are
// the words of the model; times are RFC 3339 in UTC with microseconds, null for never.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace svd::cli {

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view{text}); }
  JsonWriter& value(std::uint64_t number) { return raw(std::to_string(number)); }
  JsonWriter& value(std::int64_t number) { return raw(std::to_string(number)); }
  JsonWriter& value(std::uint32_t number) { return raw(std::to_string(number)); }
  JsonWriter& value(int number) { return raw(std::to_string(number)); }
  JsonWriter& value(double number);  // with two digits of the fraction
  JsonWriter& value(bool truth) { return raw(truth ? "true" : "false"); }
  JsonWriter& value(WallTime time);
  JsonWriter& value(const std::vector<std::string>& texts);
  JsonWriter& null() { return raw("null"); }
  // A value that is JSON already, whoever wrote it: on one line, and escaped as other values are.
  JsonWriter& json(std::string_view text);
  template <class T>
  JsonWriter& member(std::string_view name, const T& content) {
    key(name);
    return value(content);
  }
  // The text so far; the writer is empty afterwards.
  [[nodiscard]] std::string take();

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& raw(std::string_view text);
  void separate();

  std::string text_;
  bool comma_ = false;  // the next value or key follows another one
};

// "2026-01-31T23:59:59.123456Z", with so many digits of the second's fraction (0 to 6), the rest cut off.
[[nodiscard]] std::string rfc3339(WallTime time, unsigned digits = 6);

}  // namespace svd::cli
