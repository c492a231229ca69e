// SPDX-License-Identifier: Apache-2.0
// The whole command line: the tree of verbs and what is printed about it. Help, completion and the manual are
// read off the same tree, so they cannot drift from what is parsed.
//
// Conventions of the tree: an option's type name says what it takes and so what completion offers: NAME
// (apps), FILE, ECOSYSTEM, SIGNAL, or words as "bash|zsh|fish". A verb's group is its heading in --help, its
// footer an example.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/follow.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace svd::cli {

struct DeleteTree {
  void operator()(CLI::App* root) const;
};
using Tree = std::unique_ptr<CLI::App, DeleteTree>;

[[nodiscard]] Tree make_tree(Context& context);

// Parses and carries out; what went wrong was shown. `arguments` without the program's name.
[[nodiscard]] Exit run_command_line(std::span<const std::string> arguments, Context& context);

// `svctl --help`, `svctl VERB --help`.
[[nodiscard]] std::string help_text(const CLI::App& command);
// contrib/manual/svctl.md.
[[nodiscard]] std::string manual_text(const CLI::App& root);
// For `shell` bash, zsh or fish.
[[nodiscard]] std::string completion_text(const CLI::App& root, const std::string& shell);

// What the printers read off a command; hidden things are left out.
[[nodiscard]] std::vector<const CLI::App*> verbs_of(const CLI::App& command);
[[nodiscard]] std::vector<const CLI::Option*> options_of(const CLI::App& command);
[[nodiscard]] std::vector<const CLI::Option*> positionals_of(const CLI::App& command);

// For CLI::Option::check(). Not CLI::IsMember: that one adds itself to the type name.
[[nodiscard]] std::function<std::string(const std::string&)> one_of(std::vector<std::string> words);

// Options that several verbs share, with the same words everywhere.
CLI::Option* add_json_flag(CLI::App& command, bool& json);
CLI::Option* add_names(CLI::App& command, std::vector<std::string>& names, bool required);
// FILE, or none: the ecosystem.yaml of this directory. Also as -f FILE, which other tools want.
void add_file(CLI::App& command, std::string& file);
void add_follow_flags(CLI::App& command, FollowFlags& flags);
CLI::Option* add_duration(CLI::App& command, const std::string& name, std::string& text,
                          const std::string& description);

}  // namespace svd::cli
