// SPDX-License-Identifier: Apache-2.0
// The command line of `svd -- COMMAND…`.
#include <csignal>
#include <cstdlib>

#include "keeper/command.h"
#include "support/catch.h"

using namespace svd::keeper;

namespace {

struct Line {
  std::vector<std::string> words{"svd"};
  std::vector<char*> argv;
  CommandOptions options;
  int separator = 0;
  int code = 0;
};

// What svd makes of these arguments.
Line read(std::vector<std::string> words) {
  Line line;
  line.words.insert(line.words.end(), words.begin(), words.end());
  for (auto& word : line.words) line.argv.push_back(word.data());
  line.argv.push_back(nullptr);
  line.separator = find_command(static_cast<int>(line.words.size()), line.argv.data());
  if (line.separator > 0) line.code = read_command_options(line.separator, line.argv.data(), line.options);
  return line;
}

}  // namespace

TEST_CASE("a command is what follows the first --, whatever it looks like", "[keeper][command]") {
  CHECK(read({"file.yaml"}).separator == 0);
  CHECK(read({"--profile", "x", "file.yaml"}).separator == 0);
  const auto line = read({"-g", "--", "sh", "-c", "x", "--", "-e", "5"});
  CHECK(line.separator == 2);
  CHECK(line.code == -1);
  CHECK(line.options.group);
  CHECK(line.options.argv == line.argv.data() + 3);
  CHECK_FALSE(line.options.success[5]);
  CHECK(read({"--"}).code == 2);
}

TEST_CASE("options are understood as tini's, short, joined and long", "[keeper][command]") {
  const auto line = read({"-gsw", "-e3", "--success-exit=143", "-p", "SIGKILL", "-r", "TERM:2", "--", "x"});
  CHECK(line.code == -1);
  CHECK((line.options.group && line.options.warn && !line.options.verbose));
  CHECK((line.options.success[3] && line.options.success[143] && !line.options.success[0]));
  CHECK(line.options.parent_death == SIGKILL);
  CHECK(line.options.rewrite[SIGTERM] == SIGINT);
  for (int number = 1; number <= highest_signal; ++number)
    if (number != SIGTERM) CHECK(line.options.rewrite[number] == number);
}

TEST_CASE("a mistake in the options ends svd before anything is started", "[keeper][command]") {
  const auto words = GENERATE(
      as<std::vector<std::string>>{}, std::vector<std::string>{"-e", "256", "--", "x"},
      std::vector<std::string>{"-e", "-1", "--", "x"}, std::vector<std::string>{"-e", "", "--", "x"},
      std::vector<std::string>{"-p", "SIGNOPE", "--", "x"}, std::vector<std::string>{"-p", "0", "--", "x"},
      std::vector<std::string>{"-r", "TERM", "--", "x"}, std::vector<std::string>{"-r", "0:TERM", "--", "x"},
      std::vector<std::string>{"-r", "TERM:65", "--", "x"}, std::vector<std::string>{"-e", "--", "x"},
      std::vector<std::string>{"--ready-fd", "3", "--", "x"},
      std::vector<std::string>{"file.yaml", "--", "x"});
  CHECK(read(words).code == 2);
}

TEST_CASE("images that set tini's variable for process groups need no option", "[keeper][command]") {
  ::setenv("TINI_KILL_PROCESS_GROUP", "", 1);
  CHECK(read({"--", "x"}).options.group);
  ::unsetenv("TINI_KILL_PROCESS_GROUP");
  CHECK_FALSE(read({"--", "x"}).options.group);
}

TEST_CASE("signals are named as people name them", "[keeper][command]") {
  CHECK(parse_signal("SIGTERM") == SIGTERM);
  CHECK(parse_signal("HUP") == SIGHUP);
  CHECK(parse_signal("9") == 9);
  CHECK(parse_signal("64") == 64);
  CHECK(parse_signal("RTMIN") == SIGRTMIN);
  CHECK(parse_signal("SIGRTMIN+3") == SIGRTMIN + 3);
  CHECK(parse_signal("RTMAX-1") == SIGRTMAX - 1);
  for (const auto* const text :
       {"", "0", "65", "-1", "1x", "SIG", "SIGSIGTERM", "term", "RTMIN+", "RTMIN+99"})
    CHECK(parse_signal(text) == -1);
}
