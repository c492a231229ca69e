// SPDX-License-Identifier: Apache-2.0
#include "bus/match.h"

#include <algorithm>
#include <array>
#include <utility>

namespace svd::bus {
namespace {

constexpr std::string_view own_name = "org.svd1";
constexpr std::string_view own_unique_name = ":1.0";

using Entry = std::pair<std::string, std::string>;

auto malformed(std::string_view why) {
  return fail(std::errc::bad_message, "cannot parse the match rule: " + std::string{why});
}

void skip_blanks(std::string_view& text) {
  while (!text.empty() && std::string_view{" \t\n\r"}.find(text.front()) != std::string_view::npos)
    text.remove_prefix(1);
}

// A value is a sequence of quoted ('…', nothing special inside) and unquoted (\' is an apostrophe) parts, up
// to a comma.
Result<std::string> take_value(std::string_view& text) {
  std::string value;
  bool quoted = false;
  while (!text.empty()) {
    const char c = text.front();
    if (!quoted && c == ',') break;
    text.remove_prefix(1);
    if (c == '\'') {
      quoted = !quoted;
    } else if (!quoted && c == '\\' && !text.empty() && text.front() == '\'') {
      value += '\'';
      text.remove_prefix(1);
    } else {
      value += c;
    }
  }
  if (quoted) return malformed("a quote is not closed");
  return value;
}

Result<std::vector<Entry>> split(std::string_view text) {
  std::vector<Entry> entries;
  skip_blanks(text);
  while (!text.empty()) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) return malformed("want key='value', …");
    std::string key{text.substr(0, equals)};
    while (!key.empty() && key.back() == ' ') key.pop_back();
    if (key.empty() || key.find_first_of(",' ") != std::string::npos) return malformed("want key='value', …");
    text.remove_prefix(equals + 1);
    SVD_TRY(auto value, take_value(text));
    if (std::ranges::find(entries, key, &Entry::first) != entries.end())
      return malformed("'" + key + "' is given twice");
    entries.emplace_back(std::move(key), std::move(value));
    if (!text.empty()) text.remove_prefix(1);  // the comma
    skip_blanks(text);
  }
  return entries;
}

struct Key {
  std::string_view name;
  std::string MatchRule::*field;
};
constexpr std::array keys{
    Key{"type", &MatchRule::type},           Key{"sender", &MatchRule::sender},
    Key{"interface", &MatchRule::interface}, Key{"member", &MatchRule::member},
    Key{"path", &MatchRule::path},           Key{"path_namespace", &MatchRule::path_namespace},
};

bool in_namespace(std::string_view path, std::string_view space) {
  if (space.empty() || space == "/" || path.empty()) return true;
  return path.starts_with(space) && (path.size() == space.size() || path[space.size()] == '/');
}

}  // namespace

Result<MatchRule> parse_match(std::string_view text) {
  if (text.size() > max_rule_length)
    return malformed("longer than " + std::to_string(max_rule_length) + " bytes");
  SVD_TRY(auto entries, split(text));
  std::ranges::sort(entries);
  MatchRule rule;
  for (auto& [name, value] : entries) {
    const auto key = std::ranges::find(keys, std::string_view{name}, &Key::name);
    if (key == keys.end()) {
      rule.rest.append(name).append("='").append(value).append("',");
    } else {
      if (value.empty()) return malformed("'" + name + "' is empty");
      rule.*(key->field) = std::move(value);
    }
  }
  if (!rule.path.empty() && !rule.path_namespace.empty())
    return malformed("path and path_namespace exclude each other");
  return rule;
}

bool matches(const MatchRule& rule, const SignalName& signal) {
  const auto same = [](const std::string& want, std::string_view have) {
    return want.empty() || want == have;
  };
  return same(rule.type, "signal") &&
         (rule.sender.empty() || rule.sender == own_name || rule.sender == own_unique_name) &&
         same(rule.interface, signal.interface) && same(rule.member, signal.member) &&
         (signal.path.empty() || same(rule.path, signal.path)) &&
         in_namespace(signal.path, rule.path_namespace);
}

Result<> MatchSet::add(MatchRule rule) {
  if (rules_.size() >= max_rules)
    return fail(std::errc::no_buffer_space,
                "cannot add a match rule: this connection has " + std::to_string(max_rules));
  rules_.push_back(std::move(rule));
  return {};
}

bool MatchSet::remove(const MatchRule& rule) {
  const auto found = std::ranges::find(rules_, rule);
  if (found == rules_.end()) return false;
  rules_.erase(found);
  return true;
}

bool MatchSet::wants(const SignalName& signal) const {
  return std::ranges::any_of(rules_, [&](const MatchRule& rule) { return matches(rule, signal); });
}

}  // namespace svd::bus
