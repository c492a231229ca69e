// SPDX-License-Identifier: Apache-2.0
// `svd [OPTION…] -- COMMAND…`: the init of one program, with no engine, no tables and no files. It reaps
// every orphan, passes on every signal that can be caught, hands the terminal to the command and ends with
// its exit code (128 + n where signal n ended it). The options are those of tini and, for --rewrite, of
// dumb-init.
//
//   command_options.cpp   the command line
//   command.cpp           the start, the signals, the end
//   terminal.cpp          foreground and job control
#pragma once

#include <cstdint>

namespace svd::keeper {

inline constexpr int highest_signal = 64;

struct CommandOptions {
  char** argv = nullptr;                          // of the command
  bool group = false;                             // signals go to all of its process group
  bool warn = false;                              // say which orphans were reaped
  bool verbose = false;                           // say what is passed on
  int parent_death = 0;                           // the signal that our parent's death is to us; 0: none
  bool success[256] = {};                         // exit codes that become 0
  std::uint8_t rewrite[highest_signal + 1] = {};  // what each signal is passed on as; 0: not at all
};

// "15", "SIGTERM", "TERM", "SIGRTMIN+3", "RTMAX-1"; -1: no signal.
int parse_signal(const char* text);
// Where in the arguments the first "--" stands: what follows is a command. 0: nowhere.
int find_command(int argc, char** argv);
// -1: go on; else the exit code to end with at once. `separator`: see find_command().
int read_command_options(int separator, char** argv, CommandOptions& out);
// Returns the exit code.
int run_command(const CommandOptions& options);

}  // namespace svd::keeper
