// SPDX-License-Identifier: Apache-2.0
// ${NAME} in `exec`, `env` and `cwd`, where it is taken from the instance's own environment when it starts,
// and in addresses, which are the app's and replaced here.
#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "model/expand.h"
#include "spec/forms.h"
#include "spec/rules.h"

namespace svd::spec {
namespace {

class References {
 public:
  References(const AppSpec& app, Complaints& complaints)
      : app_{app}, known_{own_names(app)}, out_{complaints} {
    for (const auto* variables : {&app.env, &app.secret_env})
      for (const auto& [name, value] : *variables) known_.insert(name);
    for (const auto& name : app.env_removed) known_.erase(name);
  }

  // `own`: the variable whose value this is; with its name it means what is below `env`.
  void check(const std::string& text, Mark mark, const std::string& place, const std::string& own = "") {
    const auto found = references(text);
    if (!found) return out_.add(mark, place, found.error().text);
    for (const auto& reference : *found)
      if (!reference.fallback && !is_known(reference.name, own))
        out_.add(mark, place, unknown(reference.name));
  }

 private:
  [[nodiscard]] bool is_known(const std::string& name, const std::string& own) const {
    if (name != own) return known_.contains(name);
    return app_.secret_env.contains(name) || own_names(app_).contains(name);
  }

  static std::string unknown(const std::string& name) {
    return "nothing sets '" + name + "' for this app: give it under 'env', write ${" + name +
           ":-text}, or $${" + name + "} for these very characters";
  }

  const AppSpec& app_;
  std::set<std::string> known_;
  Complaints& out_;
};

Mark mark_of(const AppInFile& file, const Node* node) { return node == nullptr ? file.key.mark : node->mark; }

// What all instances of an app have in common.
class CommonValues {
 public:
  explicit CommonValues(const AppSpec& app) : app_{app} {}

  Result<std::optional<std::string>> find(const std::string& name) {
    if (const auto known = done_.find(name); known != done_.end()) return std::optional{known->second};
    const auto declared = app_.env.find(name);
    if (declared != app_.env.end() && !under_way_.contains(name)) return expand_once(name, declared->second);
    const auto given = app_.secret_env.find(name);
    if (given != app_.secret_env.end()) return std::optional{given->second};
    return fail(std::errc::invalid_argument,
                "'" + name +
                    "' is not set by this app's env, env_file or pass_env, and what differs from instance to "
                    "instance has no place here");
  }

 private:
  Result<std::optional<std::string>> expand_once(const std::string& name, const std::string& text) {
    under_way_.insert(name);
    if (under_way_.size() > most_in_a_row)
      return fail(std::errc::invalid_argument,
                  in_quotes(name) + " is at the end of more than 64 variables that refer to one another");
    SVD_TRY(auto value, expand(text, [&](const std::string& other) { return find(other); }));
    under_way_.erase(name);
    done_.emplace(name, value);
    return std::optional{std::move(value)};
  }

  const AppSpec& app_;
  std::set<std::string> under_way_;
  Variables done_;
};

}  // namespace

std::optional<Node> Reading::expanded(const Node& node, const Place& place) {
  auto copy = node;
  if (node.kind != Kind::scalar || node.text.find('$') == std::string::npos) return copy;
  if (app == nullptr) return std::nullopt;
  CommonValues values{*app};
  const auto found = references(node.text);
  auto text = expand(node.text, [&](const std::string& name) -> Result<std::optional<std::string>> {
    const auto is_it = [&](const Reference& reference) {
      return reference.name == name && reference.fallback;
    };
    auto value = values.find(name);
    const bool has_fallback = found && std::ranges::any_of(*found, is_it);
    return value || !has_fallback ? value : std::optional<std::string>{};
  });
  if (!text) {
    complaints.add(node.mark, place, text.error().text);
    return std::nullopt;
  }
  copy.text = std::move(*text);
  copy.plain = true;  // a port may come from it
  return copy;
}

void check_references(const AppInFile& file, const AppSpec& app, Complaints& complaints) {
  References all{app, complaints};
  const auto* exec = file.find("exec");
  const bool is_list =
      exec != nullptr && exec->kind == Kind::sequence && exec->entries.size() == app.exec.size();
  for (std::size_t i = 0; i < app.exec.size(); ++i)
    all.check(app.exec[i], is_list ? exec->entries[i].value->mark : mark_of(file, exec),
              file.place.str() + ".exec" + (is_list ? "[" + std::to_string(i) + "]" : ""));
  for (const auto& [name, value] : app.env) {
    const auto* node = file.find("env");
    const auto* entry = node == nullptr ? nullptr : node->find(name);
    all.check(value, entry == nullptr ? mark_of(file, node) : entry->value->mark,
              file.place.str() + ".env." + name, name);
  }
  all.check(app.cwd, mark_of(file, file.find("cwd")), file.place.str() + ".cwd");
}

}  // namespace svd::spec
