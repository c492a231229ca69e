// SPDX-License-Identifier: Apache-2.0
#include "model/expand.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace svd {
namespace {

constexpr std::size_t longest_shown = 60;

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_name(char c) { return starts_name(c) || (c >= '0' && c <= '9'); }

bool is_name(std::string_view text) {
  return !text.empty() && starts_name(text.front()) && std::ranges::all_of(text, in_name);
}

// What stands between "${" and '}', of a text that begins with "${".
Result<Reference> read_reference(std::string_view text) {
  const auto wrong = [&](std::string_view shown) {
    return fail(std::errc::invalid_argument, "cannot read '" + printable(shown.substr(0, longest_shown)) +
                                                 "': want ${NAME} or ${NAME:-text}; $${ stands for ${");
  };
  const auto end = text.find('}');
  if (end == text.npos) return wrong(text);
  const auto inside = text.substr(2, end - 2);
  if (inside.find("${") != inside.npos)
    return fail(std::errc::invalid_argument, "cannot read '" +
                                                 printable(text.substr(0, std::min(end + 1, longest_shown))) +
                                                 "': one ${…} inside of another is not read");
  const auto colon = inside.find(":-");
  const auto name = inside.substr(0, colon);
  if (!is_name(name)) return wrong(text.substr(0, end + 1));
  Reference reference{std::string{name}};
  if (colon != inside.npos) reference.fallback = inside.substr(colon + 2);
  return reference;
}

// Calls `literal` with what stands for itself, and `refer` with each reference and the length of its text.
template <class Literal, class Refer>
Result<> walk(std::string_view text, Literal literal, Refer refer) {
  for (std::size_t at = 0; at < text.size();) {
    const auto dollar = std::min(text.find('$', at), text.size());
    literal(text.substr(at, dollar - at));
    at = dollar;
    if (at == text.size()) break;
    if (text.substr(at).starts_with("$$")) {
      literal("$");
      at += 2;
    } else if (text.substr(at).starts_with("${")) {
      SVD_TRY(auto reference, read_reference(text.substr(at)));
      reference.at = at;
      SVD_CHECK(refer(std::move(reference)));
      at = text.find('}', at) + 1;
    } else {
      literal("$");
      ++at;
    }
  }
  return {};
}

std::optional<std::string> find_in(const Variables& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::nullopt : std::optional{found->second};
}

Result<std::string> incremented(const std::string& name, const std::optional<std::string>& value,
                                std::uint32_t by) {
  std::int64_t number = 0;
  std::int64_t sum = 0;
  const auto text = value.value_or("");
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc{} || parsed.ptr != end || __builtin_add_overflow(number, std::int64_t{by}, &sum))
    return fail(std::errc::invalid_argument, "increment_env " + name);
  return std::to_string(sum);
}

// Each variable once, those that it refers to first.
class Composer {
 public:
  explicit Composer(const EnvironmentLayers& layers) : layers_{layers} {}

  Result<Variables> run() {
    for (const auto* layer : {&layers_.base, &layers_.given, &layers_.declared})
      for (const auto& [name, ignored] : *layer) SVD_CHECK(value_of(name));
    for (const auto& name : layers_.increment) SVD_CHECK(value_of(name));
    for (const auto& [name, value] : layers_.protocol) done_.insert_or_assign(name, value);
    return std::move(done_);
  }

 private:
  Result<std::optional<std::string>> value_of(const std::string& name) {
    if (auto own = find_in(layers_.protocol, name)) return own;
    if (auto known = find_in(done_, name)) return known;
    if (!under_way_.insert(name).second)
      return fail(std::errc::invalid_argument,
                  "the value of '" + printable(name) + "' refers to itself in a circle");
    if (under_way_.size() > most_in_a_row)
      return fail(
          std::errc::invalid_argument,
          "the value of '" + printable(name) + "' is at the end of more than 64 that refer to one another");
    SVD_TRY(auto value, make(name));
    under_way_.erase(name);
    if (value) done_.emplace(name, *value);
    return value;
  }

  Result<std::optional<std::string>> make(const std::string& name) {
    std::optional<std::string> value;
    if (!layers_.removed.contains(name)) {
      SVD_TRY(value, declared_or_below(name));
    }
    if (std::ranges::find(layers_.increment, name) == layers_.increment.end()) return value;
    SVD_TRY(value, incremented(name, value, layers_.slot));
    return value;
  }

  Result<std::optional<std::string>> declared_or_below(const std::string& name) {
    const auto declared = layers_.declared.find(name);
    if (declared == layers_.declared.end()) return below(name);
    SVD_TRY(auto value, expand(declared->second, [&](const std::string& other) {
              return other == name ? Result<std::optional<std::string>>{below(name)} : value_of(other);
            }));
    return std::optional{std::move(value)};
  }

  [[nodiscard]] std::optional<std::string> below(const std::string& name) const {
    auto given = find_in(layers_.given, name);
    return given ? given : find_in(layers_.base, name);
  }

  const EnvironmentLayers& layers_;
  Variables done_;
  std::set<std::string> under_way_;
};

}  // namespace

Result<std::vector<Reference>> references(std::string_view text) {
  std::vector<Reference> found;
  SVD_CHECK(walk(
      text, [](std::string_view) {},
      [&](Reference reference) -> Result<> {
        found.push_back(std::move(reference));
        return {};
      }));
  return found;
}

Result<std::string> expand(std::string_view text, const Lookup& lookup) {
  std::string out;
  SVD_CHECK(walk(
      text, [&](std::string_view literal) { out += literal; },
      [&](const Reference& reference) -> Result<> {
        SVD_TRY(const auto value, lookup(reference.name));
        if (reference.fallback && (!value || value->empty()))
          out += *reference.fallback;
        else if (value)
          out += *value;
        else
          return fail(std::errc::invalid_argument, "'${" + reference.name + "}' is not set");
        if (out.size() > longest_value)
          return fail(std::errc::invalid_argument,
                      "with '${" + reference.name + "}' the value has more than 128KiB");
        return {};
      }));
  return out;
}

Result<std::string> expand(std::string_view text, const Variables& environment) {
  return expand(text, [&](const std::string& name) -> Result<std::optional<std::string>> {
    return find_in(environment, name);
  });
}

Result<Variables> compose_environment(const EnvironmentLayers& layers) { return Composer{layers}.run(); }

const Variables& default_variables() {
  static const Variables variables{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                                   {"LANG", "C.UTF-8"}};
  return variables;
}

std::set<std::string> own_names(const AppSpec& spec) {
  std::set<std::string> names{"SVD_ECOSYSTEM",     "SVD_APP", "SVD_INSTANCE", "SVD_INSTANCES", "SVD_REVISION",
                              "NODE_APP_INSTANCE", "HOME",    "USER",         "LOGNAME",       "SHELL"};
  for (const auto& [name, value] : default_variables()) names.insert(name);
  if (!spec.listen.empty()) names.insert({"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"});
  if (spec.channel == ChannelKind::json) names.insert("SVD_CHANNEL_FD");
  if (spec.channel == ChannelKind::node)
    names.insert({"NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID"});
  if (spec.ready.kind == ReadyGate::Kind::notify) names.insert("NOTIFY_SOCKET");
  if (!spec.credentials.empty()) names.insert("CREDENTIALS_DIRECTORY");
  return names;
}

}  // namespace svd
