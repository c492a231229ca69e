// SPDX-License-Identifier: Apache-2.0
// Any arguments before the "--" of `svd [OPTION…] -- COMMAND…`, one a line.
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "keeper/command.h"

using namespace svd::keeper;
using svd::fuzz::require;

namespace {

// It says on its standard error what it cannot understand, once an input.
void be_quiet() {
  [[maybe_unused]] static const bool done = [] {
    opterr = 0;
    return true;
  }();
}

}  // namespace

FUZZ_TARGET(command) {
  be_quiet();
  std::vector<std::string> words{"svd"};
  for (svd::fuzz::Input input{bytes}; !input.empty() && words.size() < 32;)
    words.emplace_back(input.line().substr(0, 400));
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  char separator[] = "--", command[] = "true";
  argv.insert(argv.end(), {separator, command, nullptr});
  const int argc = static_cast<int>(argv.size()) - 1;
  const int at = find_command(argc, argv.data());
  require(at > 0 && at <= argc - 2);
  CommandOptions options;
  const int code = read_command_options(at, argv.data(), options);
  if (code != -1) return require(code > 0);
  require(options.argv == argv.data() + at + 1 && options.argv[0] != nullptr);
  require(options.parent_death >= 0 && options.parent_death <= highest_signal);
  for (const auto target : options.rewrite) require(target <= highest_signal);
}
