// SPDX-License-Identifier: Apache-2.0
// Command lines that would not do what is meant with `channel: node`: another program takes the channel, or
// none can.
#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "spec/rules.h"

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

// What runs a Node program as a child of its own, and the way to do without.
struct Launcher {
  std::string_view name, instead;
};
constexpr std::array launchers{
    Launcher{"nodemon", "run node directly"},
    Launcher{"pm2", "svd does what it does: run node directly"},
    Launcher{"pm2-runtime", "svd does what it does: run node directly"},
    Launcher{"forever", "svd does what it does: run node directly"},
    Launcher{"ts-node-dev", "run node directly, as in [node, --import, tsx, server.ts]"},
    Launcher{"tsx", "run node directly, as in [node, --import, tsx, server.ts]"},
    Launcher{"cross-env", "put the variables under 'env' and run node directly"},
    Launcher{"dotenv", "name the file in 'env_file' and run node directly"},
    Launcher{"concurrently", "make an app of each of its commands"},
};

// Options of node that take the channel from the program, or have no program that could use it.
struct Option {
  std::string_view name, why;
};
constexpr std::array options{
    Option{"--watch",
           "runs the program as a child of its own, without the channel: leave it out, and 'svctl reload' "
           "after a change"},
    Option{"--watch-path",
           "runs the program as a child of its own, without the channel: leave it out, and 'svctl reload' "
           "after a change"},
    Option{"--run",
           "runs a script of package.json through a shell: run node directly, such as [node, server.js]"},
    Option{"--test", "runs each file as a child of its own, without the channel"},
    Option{"-e", "has no file, which Node's cluster needs: put the code into one"},
    Option{"--eval", "has no file, which Node's cluster needs: put the code into one"},
    Option{"-p", "has no file, which Node's cluster needs: put the code into one"},
    Option{"-pe", "has no file, which Node's cluster needs: put the code into one"},
    Option{"--print", "has no file, which Node's cluster needs: put the code into one"},
};

// Of the words between node and its program, the first that is one of those; "" and the empty text: none.
std::optional<Option> telling_option(Words words) {
  if (words.empty() || !is_one_of(base_name(words[0]), {"node", "nodejs"})) return std::nullopt;
  for (const auto& word : words.subspan(1)) {
    if (word == "--" || !word.starts_with('-')) return std::nullopt;
    const auto name = std::string_view{word}.substr(0, word.find('='));
    if (const auto* const found = std::ranges::find(options, name, &Option::name); found != options.end())
      return *found;
  }
  return std::nullopt;
}

std::string without_script_ending(std::string name) {
  for (const std::string_view end : {".js", ".cjs", ".mjs"})
    if (name.ends_with(end)) name.resize(name.size() - end.size());
  return name;
}

const Launcher* launcher_of(Words words) {
  words = without_prefix(words);
  if (words.empty()) return nullptr;
  auto name = without_script_ending(base_name(words[0]));
  if (is_one_of(name, {"node", "nodejs"}) && words.size() > 1)
    name = without_script_ending(base_name(words[1]));
  const auto* const found = std::ranges::find(launchers, std::string_view{name}, &Launcher::name);
  return found == launchers.end() ? nullptr : found;
}

}  // namespace

void check_node(const AppInFile& file, const AppSpec& app, Complaints& out) {
  if (app.channel != ChannelKind::node || app.exec.empty()) return;
  if (const auto name = package_manager(app.exec); !name.empty())
    complain(
        file, "exec",
        name +
            " is a Node program itself and would take the channel from yours: run node directly, such as "
            "[node, server.js]",
        out);
  else if (const auto* const launcher = launcher_of(app.exec); launcher != nullptr)
    complain(file, "exec",
             std::string{launcher->name} + " runs the program as a child of its own, without the channel: " +
                 std::string{launcher->instead},
             out);
  else if (const auto option = telling_option(without_prefix(app.exec)))
    complain(file, "exec",
             "with 'channel: node', 'node " + std::string{option->name} + "' " + std::string{option->why},
             out);
}

}  // namespace svd::spec
