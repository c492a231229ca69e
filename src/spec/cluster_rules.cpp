// SPDX-License-Identifier: Apache-2.0
// What channel, readiness and update must say together, and what one of them implies for another.
#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "spec/rules.h"
#include "spec/scalar.h"

namespace svd::spec {
namespace {

using Words = std::span<const std::string>;

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

bool is_assignment(const std::string& word) {
  const auto equals = word.find('=');
  return equals != word.npos && equals > 0 && word.find_first_of("/'\"") > equals;
}

// The & of 2>&1 or &>file.
bool is_redirection(std::string_view script, std::size_t at) {
  return script[at] == '&' && ((at > 0 && script[at - 1] == '>') || script.substr(at).starts_with("&>"));
}

// Of a shell's script the command that it ends with, which is the one that stays.
std::string_view last_command(std::string_view script) {
  while (!script.empty() && std::string_view{" \t\n;"}.find(script.back()) != script.npos)
    script.remove_suffix(1);
  std::size_t begin = 0;
  char quote = '\0';
  for (std::size_t i = 0; i < script.size(); ++i) {
    const char c = script[i];
    if (c == '\\' && quote != '\'')
      ++i;
    else if (quote != '\0')
      quote = c == quote ? '\0' : quote;
    else if (c == '\'' || c == '"')
      quote = c;
    else if (std::string_view{";&|\n(){}"}.find(c) != std::string_view::npos && !is_redirection(script, i))
      begin = i + 1;
  }
  return script.substr(begin);
}

// The package manager that a program of this name is; "": none.
std::string manager_named(const std::string& name) {
  if (is_one_of(name, {"npm", "npx", "pnpm", "pnpx", "yarn", "yarnpkg", "corepack"})) return name;
  return is_one_of(name, {"npm-cli.js", "npx-cli.js"}) ? name.substr(0, name.find('-')) : "";
}

// Without env [-i] [-u NAME] [NAME=VALUE]..., and without the like of a shell.
Words without_prefix(Words words) {
  while (!words.empty()) {
    const bool takes_value = is_one_of(words[0], {"-u", "-C"}) && words.size() > 1;
    const bool is_prefix = words[0].starts_with('-') || is_assignment(words[0]) ||
                           is_one_of(base_name(words[0]), {"env", "exec", "command"});
    if (!is_prefix) break;
    words = words.subspan(takes_value ? 2 : 1);
  }
  return words;
}

// The package manager that this command line runs in the place of the program; "": none.
std::string package_manager(Words words) {
  words = without_prefix(words);
  if (words.empty()) return "";
  const auto name = base_name(words[0]);
  if (auto manager = manager_named(name); !manager.empty()) return manager;
  const auto rest = words.subspan(1);
  const auto first = std::ranges::find_if(rest, [](const auto& word) { return !word.starts_with('-'); });
  if (first == rest.end()) return "";
  if (is_one_of(name, {"node", "nodejs"})) return manager_named(base_name(*first));
  const bool has_script = first != rest.begin() && std::prev(first)->ends_with('c');
  if (!has_script || !is_one_of(name, {"sh", "bash", "dash", "ash", "zsh"})) return "";
  const auto command = split_words(last_command(*first));
  return command ? package_manager(*command) : "";
}

void check_channel(const AppInFile& file, const AppSpec& app, Complaints& out) {
  if (app.channel == ChannelKind::none && !app.stop.message.empty())
    complain(file, "stop.message", "without a channel nobody gets it: it needs 'channel: node' or 'json'",
             out);
  if (app.channel != ChannelKind::node || app.exec.empty()) return;
  if (const auto name = package_manager(app.exec); !name.empty())
    complain(
        file, "exec",
        name +
            " is a Node program itself and would take the channel from yours: run node directly, such as "
            "[node, server.js]",
        out);
}

// `ready.KIND` is written and not false.
bool asks_for(const AppInFile& file, std::string_view kind) {
  const auto* node = file.find("ready." + std::string{kind});
  return node != nullptr && as_bool(*node) != false;
}

// Where a connection succeeds before the program runs: the socket is the supervisor's, and it listens.
const Listener* own_listener(const AppSpec& app) {
  const auto is_it = [&](const Listener& l) {
    const bool all = l.address.empty() || l.address == "::" || l.address == "0.0.0.0";
    return l.kind == Listener::Kind::tcp && l.port == app.ready.port &&
           (all || l.address == app.ready.address);
  };
  const auto found = std::ranges::find_if(app.listen, is_it);
  return found == app.listen.end() ? nullptr : &*found;
}

void check_ready(const AppInFile& file, AppSpec& app, Complaints& out) {
  std::string_view first;
  for (const auto* kind : {"notify", "channel", "tcp"}) {
    if (!asks_for(file, kind)) continue;
    if (!first.empty())
      complain(file, "ready." + std::string{kind}, "it has '" + std::string{first} + "' already: take one",
               out);
    else
      first = kind;
  }
  if (first == "channel" && app.channel == ChannelKind::none)
    complain(file, "ready.channel", "there is none: it needs 'channel: node' or 'json'", out);
  if (first.empty() && app.channel == ChannelKind::node && file.find("ready.channel") == nullptr)
    app.ready.kind = ReadyGate::Kind::channel;
  const auto* own = app.ready.kind == ReadyGate::Kind::tcp ? own_listener(app) : nullptr;
  if (own != nullptr)
    complain(file, "ready.tcp",
             "this is its own listener " + in_quotes(own->name.str()) +
                 ", where a connection is accepted before the program is there",
             out);
  if (!app.ready.increment) return;
  constexpr std::uint32_t highest_port = 65'535;
  if (app.ready.kind != ReadyGate::Kind::tcp)
    complain(file, "ready.increment", "there is no port to add to: it needs 'tcp'", out);
  else if (app.ready.port + std::max(app.instances, 1U) - 1 > highest_port)
    complain(file, "ready.increment",
             "with " + std::to_string(app.instances) + " instances, the port gets above 65535", out);
}

void check_update(const AppInFile& file, AppSpec& app, Complaints& out) {
  auto& update = app.update;
  // Two instances of a program that binds its own port, or locks its own data, do not go together.
  const bool can_share = !app.listen.empty() || app.channel == ChannelKind::node;
  const bool none_may_miss =
      file.find("update.max_unavailable") != nullptr && update.max_unavailable.value == 0;
  if (file.find("update.order") == nullptr && !can_share && !none_may_miss)
    update.order = UpdatePolicy::Order::stop_first;
  const bool stop_first = update.order == UpdatePolicy::Order::stop_first;
  if (stop_first && file.find("update.max_unavailable") == nullptr) update.max_unavailable = {1, false};
  if (update.max_unavailable.value == 0 && (stop_first || update.max_surge.value == 0))
    complain(file, "update.max_unavailable",
             stop_first ? "with 'order: stop-first' one must be missing meanwhile"
                        : "with max_surge 0, too, none could ever be replaced",
             out);
  if (update.min_ready >= update.deadline)
    complain(file, file.find("update.min_ready") != nullptr ? "update.min_ready" : "update.deadline",
             "min_ready, " + format_duration(update.min_ready) + ", is not below the deadline, " +
                 format_duration(update.deadline) + ": every update would fail",
             out);
}

}  // namespace

void check_cluster(const AppInFile& file, AppSpec& app, Complaints& complaints) {
  check_channel(file, app, complaints);
  check_ready(file, app, complaints);
  check_update(file, app, complaints);
}

}  // namespace svd::spec
