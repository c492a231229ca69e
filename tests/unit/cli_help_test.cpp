// SPDX-License-Identifier: Apache-2.0
// What is read off the tree of verbs: help, completion, the manual; and what is said about a wrong command
// line.
#include <CLI/CLI.hpp>
#include <sstream>

#include "unit/cli_support.h"

using namespace svd;
using namespace svd::cli_test;

namespace {

void collect_help(const CLI::App& command, std::string& text) {
  text += "==== " + command.get_name() + "\n" + help_text(command);
  for (const auto* verb : verbs_of(command)) collect_help(*verb, text);
}

}  // namespace

TEST_CASE("the help of every verb is as its golden file says", "[cli][help]") {
  World world;
  auto context = world.context();
  const auto root = make_tree(context);
  std::string text;
  collect_help(*root, text);
  check_golden("help", text);
}

TEST_CASE("every verb has an example that its own tree accepts as a verb", "[cli][help]") {
  World world;
  auto context = world.context();
  const auto root = make_tree(context);
  for (const auto* verb : verbs_of(*root)) {
    INFO(verb->get_name());
    CHECK(verb->get_footer().find("svctl " + verb->get_name()) != std::string::npos);
    CHECK_FALSE(verb->get_description().empty());
  }
}

TEST_CASE("the manual holds what the command line says", "[cli][help]") {
  World world;
  auto context = world.context();
  check_golden_file("../contrib/manual/svctl.md", manual_text(*make_tree(context)));
}

TEST_CASE("completion is made for three shells from the same tree", "[cli][completion]") {
  World world;
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    CHECK(world.run({"completion", shell}) == Exit::ok);
    check_golden("completion_" + shell, world.out);
  }
}

TEST_CASE("--help and --version exit 0; a wrong command line exits 64 and says what was meant",
          "[cli][help]") {
  World world;
  CHECK(world.run({"--help"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("Usage: svctl VERB"));
  CHECK(world.run({"ls", "--help"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("Usage: svctl ls [NAME...]"));
  CHECK(world.run({"daemon", "stop", "--help"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("Usage: svctl daemon stop"));
  CHECK(world.run({"--version"}) == Exit::ok);
  CHECK(world.out == "svctl " SVD_VERSION "\n");
  CHECK(world.run({"-v"}) == Exit::ok);
  CHECK(world.out == "svctl " SVD_VERSION "\n");
  CHECK(world.run({"version"}) == Exit::ok);
  CHECK(world.out == "svctl " SVD_VERSION "\n");
  CHECK(world.run({"help", "daemon", "stop"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("Usage: svctl daemon stop"));
  CHECK(world.run({"help"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("Usage: svctl VERB"));
  CHECK(world.run({"help", "nothing"}) != Exit::ok);
  CHECK(world.run({}) == Exit::usage);
}

TEST_CASE("no line of any help is wider than a terminal of 80 columns, words are whole", "[cli][help]") {
  World world;
  for (const auto* verb :
       {"", "apply", "ls", "logs", "events", "messages", "start", "signal", "scale", "daemon"}) {
    CHECK(world.run(*verb == 0 ? std::vector<std::string>{"--help"}
                               : std::vector<std::string>{verb, "--help"}) == Exit::ok);
    std::istringstream lines{world.out};
    for (std::string line; std::getline(lines, line);) {
      INFO(verb << ": " << line);
      const bool is_example = line.find("svctl ") != std::string::npos;
      CHECK((line.size() <= 80 || is_example));
    }
  }
}

TEST_CASE("a mistyped verb or option gets a suggestion, and so does a word of another tool", "[cli][help]") {
  const auto [arguments, said] = GENERATE(table<std::vector<std::string>, std::string>({
      {{"appply", "x"}, "svctl: unknown verb 'appply', did you mean 'apply'?; see 'svctl --help'\n"},
      {{"ls", "--jsno"},
       "svctl ls: unknown option '--jsno', did you mean '--json'?; see 'svctl ls --help'\n"},
      {{"--adress", "x", "ls"},
       "svctl ls: unknown option '--adress', did you mean '--address'?; see 'svctl ls --help'\n"},
      {{"daemon", "sttus"},
       "svctl daemon: unknown verb 'sttus', did you mean 'status'?; see 'svctl daemon --help'\n"},
      {{"daemon"}, "svctl daemon: a verb is missing; see 'svctl daemon --help'\n"},
      {{"jlist"}, "svctl: unknown verb 'jlist', did you mean 'svctl ls --json'?; see 'svctl --help'\n"},
      {{"explain", "a", "b"}, "svctl explain: 'b' is one argument too many; see 'svctl explain --help'\n"},
      {{"--json", "ls"},
       "svctl ls: unknown option '--json': it comes behind the verb: 'svctl ls --json'; see 'svctl ls "
       "--help'\n"},
      {{"save"},
       "svctl: unknown verb 'save': there is nothing to save: what was applied comes back with the daemon; "
       "see "
       "'svctl history'; see 'svctl --help'\n"},
      {{"restart", "--all"},
       "svctl restart: unknown option '--all': 'all' is a name: 'svctl restart all'; see 'svctl restart "
       "--help'\n"},
      {{"signal", "-HUP", "api"},
       "svctl signal: unknown option '-HUP': the signal has no dash: 'svctl signal HUP NAME'; see 'svctl "
       "signal "
       "--help'\n"},
      {{"start", "server.js", "-i", "4"},
       "svctl start: unknown option '-i': how many run is 'instances: 4' in the file, or 'svctl scale NAME "
       "4'; see "
       "'svctl start --help'\n"},
      {{"ls", "-w"},
       "svctl ls: unknown option '-w': 'watch svctl ls' shows it again and again; see 'svctl ls --help'\n"},
      {{"m.yaml"}, "svctl: unknown verb 'm.yaml', did you mean 'svctl apply m.yaml'?; see 'svctl --help'\n"},
      {{"m.yaml", "apply"},
       "svctl apply: the verb comes first, did you mean 'svctl apply m.yaml'?; see 'svctl apply --help'\n"},
      {{"xyzzy\x1b"}, "svctl: unknown verb 'xyzzy\\x1b'; see 'svctl --help'\n"},
  }));
  World world;
  CHECK(world.run(arguments) == Exit::usage);
  CHECK(world.err == said);
  CHECK(world.out.empty());
}

TEST_CASE("options of the whole command may stand before or after the verb", "[cli][help]") {
  World world;
  world.daemon.instances = {instance("shop:web/0", Phase::ready)};
  for (const auto& arguments :
       {std::vector<std::string>{"--color", "always", "ls"}, {"ls", "--color", "always"}}) {
    CHECK(world.run(arguments) == Exit::ok);
    CHECK(world.out.find("\x1b[") != std::string::npos);
  }
  CHECK(world.run({"ls"}) == Exit::ok);
  CHECK(world.out.find('\x1b') == std::string::npos);
}
