// SPDX-License-Identifier: Apache-2.0
// Values that only the cluster's keys have: shares, dependencies, messages.
#include <algorithm>
#include <array>
#include <charconv>

#include "spec/forms.h"

namespace svd::spec {
namespace {

constexpr std::array<std::pair<std::string_view, Dependency>, 3> dependency_words{
    {{"started", Dependency::started}, {"ready", Dependency::ready}, {"completed", Dependency::completed}}};
constexpr std::string_view dependency_choice = "one of started, ready, completed";

std::optional<Dependency> parse_dependency(const Node& node) {
  for (const auto& [word, value] : dependency_words)
    if (node.kind == Kind::scalar && node.text == word) return value;
  return std::nullopt;
}

std::optional<Portion> parse_portion(const Node& node) {
  if (const auto count = as_integer(node); count && *count >= 0 && *count <= max_instances)
    return Portion{static_cast<std::uint32_t>(*count), false};
  if (!is_text(node) || !node.text.ends_with('%') || node.text.size() < 2) return std::nullopt;
  std::uint32_t share = 0;
  const auto* end = node.text.data() + node.text.size() - 1;
  const auto parsed = std::from_chars(node.text.data(), end, share);
  const bool good = parsed.ec == std::errc{} && parsed.ptr == end && share <= 100 &&
                    (node.text[0] != '0' || node.text.size() == 2);
  return good ? std::optional{Portion{share, true}} : std::nullopt;
}

// A text as JSON writes it. (Json is for our own texts, and has no need of every control character.)
void append_json(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (byte >= 0x20)
      out += c;
    else
      out += std::string{"\\u00"} + digits[byte >> 4U] + digits[byte & 15U];
  }
  out += '"';
}

void append_json(std::string& out, const Node& node) {
  switch (node.kind) {
    case Kind::null:
      out += "null";
      return;
    case Kind::scalar:
      if (is_text(node))
        append_json(out, node.text);
      else
        out += node.text;
      return;
    case Kind::sequence:
    case Kind::map:
      break;
  }
  const bool is_map = node.kind == Kind::map;
  out += is_map ? '{' : '[';
  for (std::size_t i = 0; i < node.entries.size(); ++i) {
    if (i > 0) out += ',';
    if (is_map) append_json(out, node.entries[i].key->text), out += ':';
    append_json(out, *node.entries[i].value);
  }
  out += is_map ? '}' : ']';
}

}  // namespace

Form<Portion> portion() {
  const std::string words = "a whole number of instances, or a share such as 25%";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<Portion> {
    const auto value = parse_portion(node);
    if (!value) reading.refuse(node, place, words, quote_hint(node));
    return value;
  };
  auto schema = Json::object({{"type", Json::array({"integer", "string"})},
                              {"minimum", std::int64_t{0}},
                              {"maximum", static_cast<std::int64_t>(max_instances)},
                              {"pattern", "^(100|[1-9]?[0-9])%$"}});
  return {words, std::move(schema), read,
          [](const Portion& value) { return std::to_string(value.value) + (value.percent ? "%" : ""); }};
}

Form<std::map<Name, Dependency>> dependencies() {
  using Map = std::map<Name, Dependency>;
  const std::string words = "a map of apps to started, ready or completed";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<Map> {
    if (node.kind != Kind::map) {
      reading.refuse(node, place, words, ": such as { redis: ready }");
      return std::nullopt;
    }
    Map all;
    for (const auto& [key, value] : node.entries) {
      const Place here{&place, key->text};
      auto name = Name::parse(key->text);
      if (!name) reading.complaints.add(key->mark, here, name.error().text);
      if (value->kind == Kind::null) continue;
      const auto wanted = parse_dependency(*value);
      if (!wanted) reading.refuse(*value, here, dependency_choice);
      if (name && wanted) all.emplace(std::move(*name), *wanted);
    }
    return all;
  };
  auto choices = Json::array({});
  for (const auto& [word, value] : dependency_words) choices.push(word);
  choices.push(Json::null());
  auto schema = Json::object({{"type", "object"},
                              {"propertyNames", Json::object({{"pattern", name_pattern}})},
                              {"additionalProperties", Json::object({{"enum", std::move(choices)}})}});
  auto show = [](const Map& all) {
    std::string text;
    for (const auto& [name, wanted] : all)
      for (const auto& [word, value] : dependency_words)
        if (value == wanted) text += (text.empty() ? "" : " ") + name.str() + "=" + std::string{word};
    return text;
  };
  return {words, std::move(schema), read, show};
}

Form<std::string> json_value() {
  constexpr std::size_t longest = 64U << 10;  // far above what a program is told at its end
  const std::string words = "a value of any kind, at most 64KiB as JSON";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<std::string> {
    std::string text;
    append_json(text, node);
    if (text.size() <= longest) return text;
    reading.complaints.add(node.mark, place, "more than 64KiB as JSON");
    return std::nullopt;
  };
  auto schema = Json::object({{"type", Json::array({"string", "number", "boolean", "array", "object"})}});
  return {words, std::move(schema), read, [](const std::string& value) { return value; }};
}

}  // namespace svd::spec
