// SPDX-License-Identifier: Apache-2.0
// Just enough JSON to write a schema: keys keep their order, so that the generated file reads well and diffs
// well.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace svd::spec {

class Json {
 public:
  using Member = std::pair<std::string, Json>;

  Json(std::string_view text);  // NOLINT(google-explicit-constructor): a schema reads as it will be written
  Json(const char* text) : Json{std::string_view{text}} {}         // NOLINT(google-explicit-constructor)
  Json(const std::string& text) : Json{std::string_view{text}} {}  // NOLINT(google-explicit-constructor)
  Json(std::int64_t number) : literal_{std::to_string(number)} {}  // NOLINT(google-explicit-constructor)
  Json(double number);                                             // NOLINT(google-explicit-constructor)
  Json(bool value) : literal_{value ? "true" : "false"} {}         // NOLINT(google-explicit-constructor)
  static Json null() { return raw("null"); }
  static Json object(std::initializer_list<Member> members);
  static Json array(std::vector<Json> items);

  // For objects.
  Json& set(std::string_view key, Json value);
  [[nodiscard]] Json* find(std::string_view key);
  // For arrays.
  void push(Json item) { items_.push_back({"", std::move(item)}); }
  [[nodiscard]] bool is_array() const { return shape_ == Shape::array; }

  // Indented by two blanks; short arrays stay on their line. Ends without a line feed.
  [[nodiscard]] std::string dump(int indent = 0) const;

 private:
  enum class Shape : std::uint8_t { literal, object, array };
  Json() = default;
  static Json raw(std::string_view literal);

  Shape shape_ = Shape::literal;
  std::string literal_;
  std::vector<Member> items_;
};

}  // namespace svd::spec
