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

// What people who come from elsewhere type: how the sentence "unknown verb 'up'" goes on.
struct Hint {
  std::string_view word, text;
};
constexpr std::array hints{
    Hint{"up", ", did you mean 'svctl apply FILE'?"},
    Hint{"down", ", did you mean 'svctl delete all'?"},
    Hint{"get", ", did you mean 'svctl ls'?"},
    Hint{"top", ", did you mean 'svctl ls'?"},
    Hint{"monit", ", did you mean 'watch svctl ls'?"},
    Hint{"kill", ", did you mean 'svctl daemon stop', or 'svctl signal KILL NAME'?"},
    Hint{"startOrRestart", ", did you mean 'svctl apply FILE'?"},
    Hint{"startOrReload", ", did you mean 'svctl apply FILE'?"},
    Hint{"jlist", ", did you mean 'svctl ls --json'?"},
    Hint{"prettylist", ", did you mean 'svctl ls --json'?"},
    Hint{"log", ", did you mean 'svctl logs'?"},
    Hint{"tail", ", did you mean 'svctl logs -f'?"},
    Hint{"undo", ", did you mean 'svctl rollback'?"},
    Hint{"validate", ", did you mean 'svctl check FILE'?"},
    Hint{"diff", ", did you mean 'svctl plan FILE'?"},
    Hint{"ping", ", did you mean 'svctl daemon status'?"},
    Hint{"reread", ", did you mean 'svctl plan FILE', and then 'svctl apply FILE'?"},
    Hint{"update", ", did you mean 'svctl apply FILE'?"},
    Hint{"enable", ", did you mean 'svctl startup'?"},
    Hint{"save",
         ": there is nothing to save: what was applied comes back with the daemon; see 'svctl history'"},
    Hint{"resurrect", ": what was applied comes back with the daemon by itself; see 'svctl history'"},
};

// The same for an option, of one verb or ("") of any.
struct OptionHint {
  std::string_view verb, option, text;
};
constexpr std::array option_hints{
    OptionHint{"start", "-i", ": how many run is 'instances: 4' in the file, or 'svctl scale NAME 4'"},
    OptionHint{"start", "--name", ": an app's name is its key under 'apps' in the file"},
    OptionHint{"start", "--watch", ": svd watches no files; 'svctl reload NAME' after a change"},
    OptionHint{"ls", "-w", ": 'watch svctl ls' shows it again and again"},
    OptionHint{"ls", "--watch", ": 'watch svctl ls' shows it again and again"},
    OptionHint{"", "--all", ": 'all' is a name: 'svctl restart all'"},
    OptionHint{"", "--lines", ": 'svctl logs -n N' has it"},
};

bool is_ecosystem_file(const std::string& word) { return word.ends_with(".yaml") || word.ends_with(".yml"); }

// "--jsn" → "--json".
std::string suggest_option(const CLI::App& command, const std::string& typed) {
  std::vector<std::string> known;
  for (const auto* place = &command; place != nullptr; place = place->get_parent())
    for (const auto* option : options_of(*place))
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  const auto found = nearest(typed, known);
  return found ? ", did you mean '" + *found + "'?" : "";
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr ? command.get_name()
                                         : full_name(*command.get_parent()) + " " + command.get_name();
}

// "-HUP" of kill(1).
bool is_signal_option(const CLI::App& command, const std::string& typed) {
  return command.get_name() == "signal" && parse_signal(typed.substr(1)).has_value();
}

std::string advise_on_option(const CLI::App& command, const std::string& typed) {
  const auto verb = command.get_name();
  for (const auto& hint : option_hints)
    if (hint.option == typed && (hint.verb.empty() || hint.verb == verb)) return std::string{hint.text};
  if (is_signal_option(command, typed))
    return ": the signal has no dash: 'svctl signal " + typed.substr(1) + " NAME'";
  if (command.get_parent() != nullptr && command.get_option_no_throw(typed) != nullptr)
    return ": it comes behind the verb: '" + full_name(command) + " " + typed + "'";
  return suggest_option(command, typed);
}

std::string suggest_verb(const CLI::App& command, const std::string& typed) {
  if (const auto* const hint = std::ranges::find(hints, std::string_view{typed}, &Hint::word);
      hint != hints.end() && command.get_parent() == nullptr)
    return std::string{hint->text};
  if (is_ecosystem_file(typed)) return ", did you mean 'svctl apply " + printable(typed) + "'?";
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
  const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  const bool verb_wanted = is_missing && !verbs_of(command).empty();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr || (is_missing && !extra.empty())) {
    const auto& first = extra.empty() ? arguments.back() : extra.front();
    const auto shown = "'" + printable(first) + "'";
    if (first.starts_with("-") && first.size() > 1)
      return "unknown option " + shown + advise_on_option(command, first);
    if (!verbs_of(command).empty()) return "unknown verb " + shown + suggest_verb(command, first);
    if (is_ecosystem_file(first) && first == arguments.front())
      return "the verb comes first, did you mean '" + full_name(command) + " " + printable(first) + "'?";
    return shown + " is one argument too many";
  }
  if (verb_wanted) return "a verb is missing";
  return printable(error.what());
}

// 'svctl help [VERB]' and 'svctl version', for who expects them; not listed.
void add_help(CLI::App& root, Context& context) {
  auto verb = std::make_shared<std::vector<std::string>>();
  auto* help = root.add_subcommand("help", "")->group("");
  help->add_option("verb", *verb);
  help->callback([&root, &context, verb] {
    const CLI::App* command = &root;
    for (const auto& word : *verb) {
      const auto verbs = verbs_of(*command);
      const auto found =
          std::ranges::find_if(verbs, [&](const auto* known) { return known->check_name(word); });
      if (found == verbs.end())
        return context.finish(
            fail(std::errc::argument_out_of_domain, "unknown verb '" + printable(word) + "'"));
      command = *found;
    }
    context.out(help_text(*command));
  });
  auto* version = root.add_subcommand("version", "")->group("");
  version->callback([&context] { context.out("svctl " SVD_VERSION "\n"); });
}

void set_up_root(CLI::App& root, Context& context, std::string& colour) {
  root.set_help_flag("-h,--help", "Show this help");
  root.set_version_flag("-v,--version", "svctl " SVD_VERSION, "Show the version");
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
  add_help(*root, context);
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

void add_file(CLI::App& command, std::string& file) {
  command
      .add_option("file", file,
                  "Ecosystem file, '-' for standard input; default ecosystem.yaml in this directory")
      ->type_name("FILE");
  command.add_option("-f,--file", file)->group("");
}

void add_follow_flags(CLI::App& command, FollowFlags& flags) {
  auto* no_wait = command.add_flag("--no-wait", flags.no_wait, "Return when the daemon has begun");
  add_duration(command, "--timeout", flags.timeout,
               "Wait at most so long; then exit 1 and say what is not there yet")
      ->excludes(no_wait);
  add_json_flag(command, flags.json);
}

}  // namespace svd::cli
