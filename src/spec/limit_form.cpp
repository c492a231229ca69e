// SPDX-License-Identifier: Apache-2.0
// Resource limits: a value for soft and hard, or "soft:hard".
#include <charconv>

#include "base/units.h"
#include "spec/forms.h"

namespace svd::spec {
namespace {

struct LimitGrammar {
  const char* words;
  const char* value_pattern;  // of one side, besides "unlimited"
  bool bare_number;           // a plain number is a value
};

LimitGrammar grammar_of(LimitUnit unit) {
  constexpr const char* size = "0|[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)";
  constexpr const char* time = "0|[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)";
  switch (unit) {
    case LimitUnit::count:
      return {"a number", "[0-9]{1,18}", true};
    case LimitUnit::bytes:
      return {"a size", size, false};
    case LimitUnit::seconds:
      return {"a duration in whole seconds", time, false};
    case LimitUnit::microseconds:
      return {"a duration", time, false};
  }
  return {};
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && text.size() <= 18;
  return good ? std::optional{value} : std::nullopt;
}

std::optional<std::uint64_t> parse_side(std::string_view text, LimitUnit unit) {
  if (text == "unlimited") return Rlimit::unlimited;
  if (unit == LimitUnit::count) return parse_count(text);
  if (unit == LimitUnit::bytes) return parse_bytes(text);
  const auto duration = parse_duration(text);
  if (!duration) return std::nullopt;
  const auto millis = static_cast<std::uint64_t>(duration->count());
  if (unit == LimitUnit::microseconds) return millis * 1000;
  return millis % 1000 == 0 ? std::optional{millis / 1000} : std::nullopt;
}

std::string show_side(std::uint64_t value, LimitUnit unit) {
  if (value == Rlimit::unlimited) return "unlimited";
  switch (unit) {
    case LimitUnit::count:
      return std::to_string(value);
    case LimitUnit::bytes:
      return format_bytes(value);
    case LimitUnit::seconds:
      return format_duration(std::chrono::seconds{value});
    case LimitUnit::microseconds:
      return format_duration(Millis{value / 1000});
  }
  return "";
}

std::optional<Rlimit> parse_limit(const Node& node, LimitUnit unit) {
  if (node.kind != Kind::scalar) return std::nullopt;
  const std::string_view text = node.text;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) {
    const bool bare = is_number(node) && (grammar_of(unit).bare_number || text == "0");
    if (!bare && !is_text(node)) return std::nullopt;
    if (!bare && unit == LimitUnit::count && text != "unlimited") return std::nullopt;  // a number in quotes
    const auto both = parse_side(text, unit);
    return both ? std::optional{Rlimit{*both, *both}} : std::nullopt;
  }
  const auto soft = parse_side(text.substr(0, colon), unit);
  const auto hard = parse_side(text.substr(colon + 1), unit);
  return soft && hard ? std::optional{Rlimit{*soft, *hard}} : std::nullopt;
}

Json limit_schema(LimitUnit unit, std::uint64_t most) {
  const auto grammar = grammar_of(unit);
  const auto side = "(unlimited|" + std::string{grammar.value_pattern} + ")";
  const auto alone = grammar.bare_number ? "unlimited" : side;
  auto schema = Json::object({{"type", Json::array({"string", "integer"})},
                              {"pattern", "^(" + alone + "|" + side + ":" + side + ")$"},
                              {"minimum", std::int64_t{0}}});
  if (!grammar.bare_number)
    schema.set("maximum", std::int64_t{0});
  else if (most != Rlimit::unlimited)
    schema.set("maximum", static_cast<std::int64_t>(most));
  return schema;
}

std::string limit_words(LimitUnit unit, std::uint64_t most) {
  std::string words = grammar_of(unit).words;
  if (most != Rlimit::unlimited) return words + ", at most " + std::to_string(most) + ", or soft:hard";
  return words + ", unlimited, or soft:hard";
}

std::string_view limit_hint(const Node& node, LimitUnit unit) {
  if (unit == LimitUnit::count) return quote_hint(node);
  if (!is_number(node)) return "";
  return unit == LimitUnit::bytes ? ": it needs a unit, such as MiB" : ": it needs a unit, such as s";
}

}  // namespace

Form<Rlimit> limit(LimitUnit unit, std::uint64_t most) {
  const auto words = limit_words(unit, most);
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<Rlimit> {
    const auto value = parse_limit(node, unit);
    if (!value || value->soft > most || value->hard > most) {
      reading.refuse(node, place, words, limit_hint(node, unit));
      return std::nullopt;
    }
    if (value->soft <= value->hard) return value;
    reading.complaints.add(node.mark, place, "the soft limit is above the hard one");
    return std::nullopt;
  };
  auto show = [unit](const Rlimit& value) {
    const auto soft = show_side(value.soft, unit);
    return value.soft == value.hard ? soft : soft + ":" + show_side(value.hard, unit);
  };
  return {words, limit_schema(unit, most), read, show};
}

}  // namespace svd::spec
