// SPDX-License-Identifier: Apache-2.0
// --help and the manual, read off the tree of verbs. Not CLI11's own formatter: that one differs from version
// to version.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "cli/command_line.h"

namespace svd::cli {
namespace {

constexpr std::size_t help_columns = 80;

struct Entry {
  std::string name, description;
};

// "-n,--lines N".
std::string option_names(const CLI::Option& option) {
  std::string text;
  for (const auto& name : option.get_snames()) text += (text.empty() ? "-" : ", -") + name;
  for (const auto& name : option.get_lnames()) text += (text.empty() ? "--" : ", --") + name;
  if (option.get_expected_max() > 0 && !option.get_type_name().empty()) text += " " + option.get_type_name();
  return text;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  });
  return text;
}

// "FILE", "[NAME…]".
std::string positional_name(const CLI::Option& option) {
  auto text = upper(option.get_single_name());
  if (option.get_items_expected_max() > 1) text += "...";
  return option.get_required() ? text : "[" + text + "]";
}

std::string default_of(const CLI::Option& option) {
  const auto value = option.get_default_str();
  return value.empty() || option.get_expected_max() == 0 ? "" : " (default " + value + ")";
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr ? command.get_name()
                                         : full_name(*command.get_parent()) + " " + command.get_name();
}

std::string usage_of(const CLI::App& command) {
  auto text = full_name(command);
  if (!verbs_of(command).empty()) return text + " VERB [OPTIONS]";
  for (const auto* positional : positionals_of(command)) text += " " + positional_name(*positional);
  return text + " [OPTIONS]";
}

std::vector<Entry> option_entries(const CLI::App& command) {
  std::vector<Entry> entries;
  for (const auto* option : options_of(command))
    if (option->get_name() != "--help")
      entries.push_back({option_names(*option), option->get_description() + default_of(*option)});
  return entries;
}

std::vector<Entry> positional_entries(const CLI::App& command) {
  std::vector<Entry> entries;
  for (const auto* option : positionals_of(command))
    entries.push_back({upper(option->get_single_name()), option->get_description()});
  return entries;
}

std::string exit_entries() {
  std::string text;
  for (const auto& meaning : exit_meanings) {
    const auto code = std::to_string(static_cast<int>(meaning.code));
    text += "  " + code + std::string(5 - code.size(), ' ') + std::string{meaning.text} + "\n";
  }
  return text;
}

// The words of a text behind `line`; what is too wide goes on below, `indent` columns from the left.
std::string wrapped(std::string line, const std::string& description, std::size_t indent) {
  std::string text;
  std::istringstream words{description};
  bool fresh = true;
  for (std::string word; words >> word; fresh = false) {
    if (!fresh && line.size() + 1 + word.size() > help_columns) {
      text += line + "\n";
      line = std::string(indent, ' ');
      fresh = true;
    }
    line += (fresh ? "" : " ") + word;
  }
  return text + line;
}

// Two columns.
std::string columns_of(const std::vector<Entry>& entries) {
  std::size_t width = 0;
  for (const auto& entry : entries) width = std::max(width, entry.name.size());
  std::string text;
  for (const auto& entry : entries) {
    const auto name = "  " + entry.name + std::string(width - entry.name.size() + 2, ' ');
    text += wrapped(name, entry.description, width + 4) + "\n";
  }
  return text;
}

std::string section(const std::string& title, const std::vector<Entry>& entries) {
  return entries.empty() ? "" : "\n" + title + ":\n" + columns_of(entries);
}

std::vector<std::string> groups_of(const CLI::App& command) {
  std::vector<std::string> groups;
  for (const auto* verb : verbs_of(command))
    if (std::ranges::find(groups, verb->get_group()) == groups.end()) groups.push_back(verb->get_group());
  return groups;
}

// All verbs of all groups in one width.
std::string verb_sections(const CLI::App& command) {
  std::vector<Entry> all;
  std::vector<std::pair<std::string, std::size_t>>
      titles;  // a group's title, and the index of its first verb
  for (const auto& group : groups_of(command)) {
    titles.emplace_back(command.get_parent() == nullptr ? group : "Verbs", all.size());
    for (const auto* verb : verbs_of(command))
      if (verb->get_group() == group) all.push_back({verb->get_name(), verb->get_description()});
  }
  std::size_t width = 0;
  for (const auto& entry : all) width = std::max(width, entry.name.size());
  for (auto& entry : all) entry.name.resize(width, ' ');
  std::string text;
  for (std::size_t i = 0; i < titles.size(); ++i) {
    const auto end = i + 1 < titles.size() ? titles[i + 1].second : all.size();
    text += section(titles[i].first, {all.begin() + static_cast<std::ptrdiff_t>(titles[i].second),
                                      all.begin() + static_cast<std::ptrdiff_t>(end)});
  }
  return text;
}

std::string aliases_of(const CLI::App& command) {
  std::string text;
  for (const auto& alias : command.get_aliases()) text += (text.empty() ? "" : ", ") + alias;
  return text.empty() ? "" : " (also: " + text + ")";
}

void append_manual(std::string& out, const CLI::App& command) {
  out += "\n### " + full_name(command) + "\n\n" + command.get_description() + ".";
  if (!command.get_aliases().empty()) out += aliases_of(command);
  out += "\n\n```\n" + usage_of(command) + "\n```\n";
  auto entries = positional_entries(command);
  const auto options = option_entries(command);
  entries.insert(entries.end(), options.begin(), options.end());
  if (!entries.empty()) out += '\n';
  for (const auto& entry : entries) out += "- `" + entry.name + "`: " + entry.description + "\n";
  if (!command.get_footer().empty()) out += "\nExample: `" + command.get_footer() + "`\n";
  for (const auto* verb : verbs_of(command)) append_manual(out, *verb);
}

}  // namespace

std::string help_text(const CLI::App& command) {
  const bool is_root = command.get_parent() == nullptr;
  auto text = wrapped("", command.get_description() + (is_root ? "" : ".") + aliases_of(command), 0) +
              "\n\nUsage: " + usage_of(command) + "\n";
  if (is_root) text += "First: svctl apply ecosystem.yaml, then svctl ls\n";
  text += verb_sections(command) + section("Arguments", positional_entries(command)) +
          section("Options", option_entries(command));
  if (is_root) return text + "\nExit codes:\n" + exit_entries() + "\n'svctl VERB --help' tells more.\n";
  if (!command.get_footer().empty()) text += "\nExample: " + command.get_footer() + "\n";
  return text;
}

std::string manual_text(const CLI::App& root) {
  std::string out =
      "<!-- Generated from the command line's own tree (src/cli/help.cpp); a test compares. -->\n# "
      "svctl\n\n" +
      root.get_description() +
      " `svctl` is the command line of the supervisor `svd`; all it does goes over D-Bus,\nso `busctl` and "
      "any other client can do it too.\n\n"
      "```\n" +
      usage_of(root) + "\n```\n\n## Options of every verb\n\n";
  for (const auto& entry : option_entries(root)) out += "- `" + entry.name + "`: " + entry.description + "\n";
  out +=
      "\n## Names\n\n`web` is an app, `web/0` one of its instances, `shop:web` an app of the ecosystem "
      "`shop`, `shop:` all apps of\nit, `all` "
      "everything, and `/regex/` what it matches in names of the form `shop:web`. An unknown name is an "
      "error\n(exit code 4) that suggests "
      "the nearest one.\n";
  out += "\n## Exit codes\n\n| code | meaning |\n|---|---|\n";
  for (const auto& meaning : exit_meanings)
    out += "| " + std::to_string(static_cast<int>(meaning.code)) + " | " + std::string{meaning.text} + " |\n";
  out +=
      "\n## Environment\n\n- `SVD_ADDRESS`: a socket's path, or `unix:path=…`: where the daemon listens\n- "
      "`SVD_HOME`: a directory that holds runtime, "
      "state and logs of a daemon of its "
      "own\n- `SVD_CGROUPS=off`: a daemon that is started works as on a host without cgroups; `delegated`: "
      "the cgroup\n  that it is started in, alone, is its own with all controllers, though no mark of "
      "systemd's says so\n- `NO_COLOR`: "
      "no colours, unless it is empty\n\n## Output for programs\n\n`--json` prints one "
      "array, one element a line, or, for "
      "what streams (`logs`, `events`, `messages`), one object a line. Times are\nRFC 3339 in UTC, `null` "
      "for never. The "
      "AGE column counts from the start "
      "of the process, or, without one, from the\nbeginning of the phase.\n";
  out +=
      "Text of apps, files and the daemon is printed with everything escaped that could steer a terminal or\n"
      "deceive who reads it (control characters, bidirectional controls, what has no width), in JSON as "
      "`\\uXXXX`.\nOnly `logs` into a file or a pipe passes the bytes of an app on as they are.\n"
      "\n## Whom svctl believes\n\n"
      "Only a daemon of root or of your own user, by the kernel's word on who listens: another one would be "
      "sent "
      "your\nfiles, `env_file` and `pass_env`, and could answer anything. `SVD_HOME`, `SVD_ADDRESS` and "
      "`XDG_RUNTIME_DIR` may be\nanother's, as after `sudo -E`; what you write after `--address` is "
      "believed. "
      "So root reaches a user's daemon, or in a\ncontainer one of another user, with\n"
      "`svctl --address /run/user/1000/svd/bus ls`. Nor does svctl start a daemon where others than root and "
      "you "
      "may\nwrite to a directory on the way.\n\n"
      "Lines of the journal count as an instance's by what journald and the kernel say of their sender "
      "(`_SYSTEMD_CGROUP`,\n`_UID`), not by the name that it gave itself. What processes of the same user "
      "write in "
      "an app's name before they end\ncan pass for its own where journald was too late to see their cgroup.\n"
      "\n## Who may do what\n\n"
      "Root and the daemon's own user may do everything, members of the group `svd` all but ending the "
      "daemon: "
      "**the group is\nas good as root**, since whoever may apply a file says what runs, and as whom. "
      "Everybody "
      "else may read on the system bus,\nand gets names, states, numbers and times: no values of `env`, "
      "arguments, "
      "settings or paths, and no sentence that could\nquote them (`(hidden)`). What is broadcast there holds "
      "no more.\n";
  out += "\n## Verbs\n";
  for (const auto& group : groups_of(root))
    for (const auto* verb : verbs_of(root))
      if (verb->get_group() == group) append_manual(out, *verb);
  return out;
}

}  // namespace svd::cli
