// SPDX-License-Identifier: Apache-2.0
#include "spec/json.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace svd::spec {
namespace {

std::string escaped(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20)
      out += c;
    else if (c == '\n')
      out += "\\n";
    else
      out += "\\t";  // the only other control character in our texts
  }
  return out + "\"";
}

}  // namespace

Json::Json(std::string_view text) : literal_{escaped(text)} {}

Json::Json(double number) {
  std::array<char, 32> buffer{};
  const auto done = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  literal_.assign(buffer.data(), done.ptr);
}

Json Json::raw(std::string_view literal) {
  Json json;
  json.literal_ = literal;
  return json;
}

Json Json::object(std::initializer_list<Member> members) {
  Json json;
  json.shape_ = Shape::object;
  json.items_ = members;
  return json;
}

Json Json::array(std::vector<Json> items) {
  Json json;
  json.shape_ = Shape::array;
  for (auto& item : items) json.push(std::move(item));
  return json;
}

Json& Json::set(std::string_view key, Json value) {
  if (auto* present = find(key))
    *present = std::move(value);
  else
    items_.emplace_back(std::string{key}, std::move(value));
  return *this;
}

Json* Json::find(std::string_view key) {
  const auto found = std::ranges::find(items_, key, &Member::first);
  return found == items_.end() ? nullptr : &found->second;
}

std::string Json::dump(int indent) const {
  if (shape_ == Shape::literal) return literal_;
  const bool is_object = shape_ == Shape::object;
  if (items_.empty()) return is_object ? "{}" : "[]";
  const auto is_literal = [](const Member& item) { return item.second.shape_ == Shape::literal; };
  const bool flat = !is_object && std::ranges::all_of(items_, is_literal);
  const auto line = flat ? std::string{} : "\n" + std::string(static_cast<std::size_t>(indent) + 2, ' ');
  std::string out = is_object ? "{" : "[";
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (i > 0) out += flat ? ", " : ",";
    out += line;
    if (is_object) out += escaped(items_[i].first) + ": ";
    out += items_[i].second.dump(indent + 2);
  }
  if (!flat) out += "\n" + std::string(static_cast<std::size_t>(indent), ' ');
  return out + (is_object ? "}" : "]");
}

}  // namespace svd::spec
