// SPDX-License-Identifier: Apache-2.0
#include "spec/notes.h"

#include <optional>
#include <string>

#include "base/units.h"
#include "model/restart_arithmetic.h"

namespace svd::spec {
namespace {

void note(const AppInFile& file, std::string_view path, const std::string& text, Complaints& notes) {
  complain(file, path, "warning: " + text, notes);
}

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_name(char c) { return starts_name(c) || (c >= '0' && c <= '9'); }

// "$PATH" of "./bin:$PATH": what a shell would replace, and svd does not.
std::optional<std::string> shell_variable(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '$') continue;
    if (text[i + 1] == '$') {
      ++i;
    } else if (starts_name(text[i + 1])) {
      auto end = i + 1;
      while (end < text.size() && in_name(text[end])) ++end;
      return std::string{text.substr(i, end - i)};
    }
  }
  return std::nullopt;
}

void note_environment(const AppInFile& file, const AppSpec& app, Complaints& notes) {
  for (const auto& [name, value] : app.env)
    if (const auto found = shell_variable(value))
      note(file, name.find('.') == name.npos ? "env." + name : "env",
           in_quotes(*found) + " stands for itself, no shell expands it: write ${" + found->substr(1) +
               "} for the value, or $" + *found + " if it is meant so",
           notes);
}

Millis in_seconds(Millis time) { return Millis{(time.count() + 999) / 1000 * 1000}; }

void note_restart(const AppInFile& file, const AppSpec& app, Complaints& notes) {
  const auto& policy = app.restart;
  if (gives_up(policy)) return;
  if (policy.reset_after.count() == 0)
    return note(
        file, "restart.reset_after",
        "with 0 every start has a clean record: an instance that ends at once is started again for ever, "
        "and never 'failed'",
        notes);
  auto endless = policy;
  endless.window = Millis::max();
  note(file, file.find("restart.max_restarts") != nullptr ? "restart.max_restarts" : "restart",
       "'failed' is never reached: " + std::to_string(policy.max_restarts) + " restarts take at least " +
           format_duration(in_seconds(gives_up(endless)->soonest)) +
           " with these waits, and only those within " + format_duration(policy.window) + " ('window') count",
       notes);
}

}  // namespace

void note_app(const AppInFile& file, const AppSpec& app, const Inputs& inputs, Complaints& notes) {
  note_environment(file, app, notes);
  note_restart(file, app, notes);
  if (!inputs.doubts || app.exec.empty()) return;
  for (const auto& doubt : inputs.doubts(app)) note(file, doubt.key, doubt.text, notes);
}

}  // namespace svd::spec
