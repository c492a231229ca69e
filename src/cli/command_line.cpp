// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/units.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

// What people who come from elsewhere type.
struct Hint {
  std::string_view word, advice;
};
constexpr std::array hints{
    Hint{"up", "svctl apply FILE"},
    Hint{"down", "svctl delete all"},
    Hint{"get", "svctl ls"},
    Hint{"top", "svctl ls"},
    Hint{"kill", "svctl daemon stop', or 'svctl signal KILL NAME"},
    Hint{"startOrRestart", "svctl apply FILE"},
    Hint{"startOrReload", "svctl apply FILE"},
    Hint{"jlist", "svctl ls --json"},
    Hint{"prettylist", "svctl ls --json"},
    Hint{"log", "svctl logs"},
    Hint{"undo", "svctl rollback"},
    Hint{"validate", "svctl check FILE"},
    Hint{"diff", "svctl plan FILE"},
    Hint{"ping", "svctl daemon status"},
    Hint{"save",
         "svctl apply FILE' is enough: what was applied comes back with the daemon; see 'svctl history"},
    Hint{"resurrect",
         "svctl apply FILE' is enough: what was applied comes back with the daemon; see 'svctl history"},
};

// "--jsn" → "--json".
std::string suggest_option(const CLI::App& command, const std::string& typed) {
  std::vector<std::string> known;
  for (const auto* place = &command; place != nullptr; place = place->get_parent())
    for (const auto* option : options_of(*place))
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  const auto found = nearest(typed, known);
  return found ? ", did you mean '" + *found + "'?" : "";
}

std::string suggest_verb(const CLI::App& command, const std::string& typed) {
  if (const auto* const hint = std::ranges::find(hints, std::string_view{typed}, &Hint::word);
      hint != hints.end() && command.get_parent() == nullptr)
    return ", did you mean '" + std::string{hint->advice} + "'?";
  std::vector<std::string> known;
  for (const auto* verb : verbs_of(command)) known.push_back(verb->get_name());
  const auto found = nearest(typed, known);
  return found ? ", did you mean '" + *found + "'?" : "";
}

// The verb that the arguments reached before the mistake.
const CLI::App& reached(const CLI::App& root) {
  const auto* command = &root;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

std::string describe(const CLI::App& root, const CLI::ParseError& error,
                     std::span<const std::string> arguments) {
  const auto& command = reached(root);
  const auto extra = root.remaining(true);
  const bool verb_wanted =
      !verbs_of(command).empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr || (verb_wanted && !extra.empty())) {
    const auto& first = extra.empty() ? arguments.back() : extra.front();
    const auto shown = "'" + printable(first) + "'";
    if (first.starts_with("-") && first.size() > 1)
      return "unknown option " + shown + suggest_option(command, first);
    if (!verbs_of(command).empty()) return "unknown verb " + shown + suggest_verb(command, first);
    return shown + " is one argument too many";
  }
  if (verb_wanted) return "a verb is missing";
  return printable(error.what());
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr ? command.get_name()
                                         : full_name(*command.get_parent()) + " " + command.get_name();
}

void set_up_root(CLI::App& root, Context& context, std::string& colour) {
  root.set_help_flag("-h,--help", "Show this help");
  root.set_version_flag("--version", "svctl " SVD_VERSION, "Show the version");
  root.add_option("--address", context.address_option,
                  "Where the daemon listens: a D-Bus address or a socket's path; default $SVD_ADDRESS, else "
                  "the daemon in $SVD_HOME, "
                  "else that of the system (root) or your own")
      ->type_name("ADDRESS");
  root.add_option("--color", colour, "Colours: auto (on a terminal, unless NO_COLOR is set), always or never")
      ->type_name("auto|always|never")
      ->check(one_of({"auto", "always", "never"}));
  root.fallthrough();
  root.require_subcommand(1);
  root.formatter_fn(
      [](const CLI::App* command, const std::string&, CLI::AppFormatMode) { return help_text(*command); });
}

}  // namespace

void DeleteTree::operator()(CLI::App* root) const { delete root; }

Tree make_tree(Context& context) {
  Tree root{new CLI::App{"Keep programs running as a file says.", "svctl"}};
  auto colour = std::make_shared<std::string>("auto");
  set_up_root(*root, context, *colour);
  for (auto* add : {add_apply,  add_plan,   add_check,    add_explain, add_run,     add_ls,        add_status,
                    add_logs,   add_events, add_messages, add_history, add_actions, add_steer,     add_scale,
                    add_signal, add_send,   add_rollback, add_daemon,  add_startup, add_completion})
    add(*root, context);
  root->parse_complete_callback([colour, &context] {
    if (*colour != "auto") context.style.colour = *colour == "always";
  });
  return root;
}

Exit run_command_line(std::span<const std::string> arguments, Context& context) {
  const auto root = make_tree(context);
  if (arguments.empty()) {
    context.out(help_text(*root));
    return Exit::usage;
  }
  try {
    root->parse(
        std::vector<std::string>{arguments.rbegin(), arguments.rend()});  // CLI11 takes them last first
  } catch (const CLI::CallForHelp&) {
    context.out(help_text(reached(*root)));
    return Exit::ok;
  } catch (const CLI::CallForVersion&) {
    context.out("svctl " SVD_VERSION "\n");
    return Exit::ok;
  } catch (const CLI::ParseError& error) {
    const auto name = full_name(reached(*root));
    context.err(name + ": " + describe(*root, error, arguments) + "; see '" + name + " --help'\n");
    return Exit::usage;
  }
  return context.exit();
}

std::function<std::string(const std::string&)> one_of(std::vector<std::string> words) {
  return [words = std::move(words)](const std::string& typed) {
    if (std::ranges::find(words, typed) != words.end()) return std::string{};
    std::string known;
    for (const auto& word : words) known += (known.empty() ? "" : ", ") + word;
    return "'" + typed + "' is none of " + known;
  };
}

std::vector<const CLI::App*> verbs_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
}

std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  return command.get_options(
      [](const CLI::Option* option) { return !option->get_positional() && !option->get_group().empty(); });
}

std::vector<const CLI::Option*> positionals_of(const CLI::App& command) {
  return command.get_options(
      [](const CLI::Option* option) { return option->get_positional() && !option->get_group().empty(); });
}

CLI::Option* add_json_flag(CLI::App& command, bool& json) {
  return command.add_flag("--json", json, "Print JSON");
}

CLI::Option* add_names(CLI::App& command, std::vector<std::string>& names, bool required) {
  auto* option = command.add_option("name", names,
                                    "An app (web), an instance (web/0), shop:web, shop:, all, or /regex/");
  option->type_name("NAME");
  if (required) option->required();
  return option;
}

CLI::Option* add_duration(CLI::App& command, const std::string& name, std::string& text,
                          const std::string& description) {
  const auto complaint = [](const std::string& typed) {
    return parse_duration(typed) ? std::string{} : "'" + typed + "' is no duration; want 500ms, 30s, 2m, 1h";
  };
  return command.add_option(name, text, description)->type_name("DURATION")->check(complaint);
}

void add_follow_flags(CLI::App& command, FollowFlags& flags) {
  auto* no_wait = command.add_flag("--no-wait", flags.no_wait, "Return when the daemon has begun");
  add_duration(command, "--timeout", flags.timeout,
               "Wait at most so long; then exit 1 and say what is not there yet")
      ->excludes(no_wait);
  add_json_flag(command, flags.json);
}

}  // namespace svd::cli
