// SPDX-License-Identifier: Apache-2.0
#include "spec/compare.h"

#include <map>

#include "spec/fields.h"
#include "spec/spec.h"

namespace svd::spec {
namespace {

constexpr std::string_view unset = "(unset)";
constexpr std::string_view secret = "(secret)";

constexpr std::string_view taken_away = "~";

struct Variable {
  std::string_view value;
  bool is_secret = false;
  bool is_removed = false;
  bool operator==(const Variable&) const = default;
};
using Variables = std::map<std::string_view, Variable>;

// `env` wins over secrets, as in the process.
Variables variables_of(const AppSpec& app) {
  Variables all;
  for (const auto& [name, value] : app.env) all.emplace(name, Variable{value});
  for (const auto& name : app.env_removed)
    all.emplace(name, Variable{.value = taken_away, .is_removed = true});
  for (const auto& [name, value] : app.secret_env) all.emplace(name, Variable{value, true});
  return all;
}

std::string shown(const Variable* variable) {
  if (variable == nullptr) return std::string{unset};
  return std::string{variable->is_secret ? secret : variable->value};
}

// FNV-1a, 64 bits (RFC 9923): needs no library and is the same everywhere.
class Fnv {
 public:
  void add(std::string_view text) {
    add_raw(std::to_string(text.size()));  // the length first: no two sequences of texts run together
    add_raw(":");
    add_raw(text);
  }
  [[nodiscard]] std::uint64_t value() const { return hash_; }

 private:
  void add_raw(std::string_view text) {
    for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  std::uint64_t hash_ = 14695981039346656037ULL;
};

}  // namespace

std::string environment_identity(const AppSpec& app) {
  std::string text;
  for (const auto& [name, variable] : variables_of(app)) {
    text +=
        std::string{name} + (variable.is_removed ? "-" : "=") + std::to_string(variable.value.size()) + ":";
    text += variable.value;
  }
  return text;
}

std::string no_identity(const AppSpec&) { return ""; }

void compare_environment(const AppSpec& have, const AppSpec& want, std::vector<FieldChange>& out) {
  const auto before = variables_of(have);
  const auto after = variables_of(want);
  const auto find = [](const Variables& all, std::string_view name) {
    const auto found = all.find(name);
    return found == all.end() ? nullptr : &found->second;
  };
  auto names = before;
  names.insert(after.begin(), after.end());
  for (const auto& [name, ignored] : names) {
    const auto* was = find(before, name);
    const auto* is = find(after, name);
    if (was != nullptr && is != nullptr && *was == *is) continue;
    const bool same_value =
        was != nullptr && is != nullptr && was->value == is->value && was->is_removed == is->is_removed;
    out.push_back(
        {"env." + std::string{name}, shown(was), shown(is), same_value ? Effect::none : Effect::replace});
  }
}

void compare_env_files(const AppSpec& have, const AppSpec& want, std::vector<FieldChange>& out) {
  if (have.env_file == want.env_file) return;
  const auto text = [](const AppSpec& app) {
    return app.env_file.empty() ? std::string{unset} : show_words(app.env_file);
  };
  out.push_back({"env_file", text(have), text(want), Effect::none});
}

std::uint64_t generation_of(const AppSpec& app) {
  static const AppSpec initial;
  const auto identity_of = [](const Field& field, const AppSpec& of) {
    return field.identity ? field.identity(of) : field.show(of);
  };
  Fnv hash;
  for (const auto& field : fields()) {
    if (field.effect != Effect::replace) continue;
    const auto identity = identity_of(field, app);
    if (identity == identity_of(field, initial)) continue;
    hash.add(field.key);
    hash.add(identity);
  }
  return hash.value() == 0 ? 1 : hash.value();
}

std::vector<FieldChange> compare(const AppSpec& have, const AppSpec& want) {
  std::vector<FieldChange> changes;
  for (const auto& field : fields()) {
    if (field.compare) {
      field.compare(have, want, changes);
      continue;
    }
    const auto from = field.show(have);
    const auto to = field.show(want);
    if (from == to) continue;
    const auto shown_or_unset = [](const std::string& text) {
      return text.empty() ? std::string{unset} : text;
    };
    changes.push_back({std::string{field.key}, shown_or_unset(from), shown_or_unset(to), field.effect});
  }
  return changes;
}

std::vector<std::string> settings(const AppSpec& spec) {
  std::vector<std::string> lines;
  for (const auto& field : fields()) {
    if (field.key == "exec" || field.key == "env") continue;
    if (const auto value = field.show(spec); !value.empty())
      lines.push_back(std::string{field.key} + "=" + value);
  }
  return lines;
}

}  // namespace svd::spec
