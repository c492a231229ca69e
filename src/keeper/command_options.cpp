// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "keeper/command.h"
#include "keeper/log.h"

namespace svd::keeper {
namespace {

constexpr int exit_usage = 2;

constexpr option long_options[] = {
    {"group", no_argument, nullptr, 'g'},
    {"success-exit", required_argument, nullptr, 'e'},
    {"parent-death", required_argument, nullptr, 'p'},
    {"rewrite", required_argument, nullptr, 'r'},
    {"subreaper", no_argument, nullptr, 's'},
    {"verbose", no_argument, nullptr, 'v'},
    {"warn", no_argument, nullptr, 'w'},
    {},
};

// All of `text` as a number up to `highest`; -1: it is none.
int parse_number(const char* text, int highest) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  return end == text || *end != '\0' || value < 0 || value > highest ? -1 : static_cast<int>(value);
}

int complain(const char* option, const char* value, const char* want) {
  char text[300];
  std::snprintf(text, sizeof text, "cannot understand %s '%s': want %s", option, value, want);
  note(text);
  return exit_usage;
}

// "15:3", "SIGTERM:SIGQUIT", "TERM:0".
bool read_rewrite(const char* text, CommandOptions& out) {
  char from[32] = {};
  const char* const colon = std::strchr(text, ':');
  if (colon == nullptr || colon - text >= static_cast<std::ptrdiff_t>(sizeof from)) return false;
  std::memcpy(from, text, static_cast<std::size_t>(colon - text));
  const int source = parse_signal(from);
  const int target = std::strcmp(colon + 1, "0") == 0 ? 0 : parse_signal(colon + 1);
  if (source <= 0 || target < 0) return false;
  out.rewrite[source] = static_cast<std::uint8_t>(target);
  return true;
}

// 0, or the exit code of a mistake.
int take(int letter, CommandOptions& out) {
  switch (letter) {
    case 'g':
      out.group = true;
      return 0;
    case 'w':
      out.warn = true;
      return 0;
    case 'v':
      out.verbose = out.warn = true;
      return 0;
    case 's':  // it always is one
      return 0;
    case 'e': {
      const int code = parse_number(optarg, 255);
      if (code < 0) return complain("-e", optarg, "an exit code, 0 to 255");
      out.success[code] = true;
      return 0;
    }
    case 'p':
      out.parent_death = parse_signal(optarg);
      return out.parent_death > 0 ? 0 : complain("-p", optarg, "a signal, such as SIGTERM");
    case 'r':
      return read_rewrite(optarg, out) ? 0 : complain("-r", optarg, "two signals, such as SIGTERM:SIGQUIT");
    default:
      return exit_usage;  // getopt(3) has said it
  }
}

}  // namespace

int parse_signal(const char* text) {
  if (text[0] >= '0' && text[0] <= '9') {
    const int number = parse_number(text, highest_signal);
    return number == 0 ? -1 : number;
  }
  if (std::strncmp(text, "SIG", 3) == 0) text += 3;
  if (std::strcmp(text, "RTMIN") == 0) return SIGRTMIN;
  if (std::strcmp(text, "RTMAX") == 0) return SIGRTMAX;
  for (const int sign : {1, -1}) {
    if (std::strncmp(text, sign > 0 ? "RTMIN+" : "RTMAX-", 6) != 0) continue;
    const int distance = parse_number(text + 6, SIGRTMAX - SIGRTMIN);
    if (distance >= 0) return sign > 0 ? SIGRTMIN + distance : SIGRTMAX - distance;
  }
  for (int number = 1; number < 32; ++number) {
    const char* const name = sigabbrev_np(number);
    if (name != nullptr && std::strcmp(name, text) == 0) return number;
  }
  return -1;
}

int find_command(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--") == 0) return i;
  return 0;
}

int read_command_options(int separator, char** argv, CommandOptions& out) {
  for (int number = 1; number <= highest_signal; ++number)
    out.rewrite[number] = static_cast<std::uint8_t>(number);
  out.group = std::getenv("TINI_KILL_PROCESS_GROUP") != nullptr;  // images that used tini have set it
  // getopt(3) gets the options alone, so that nothing of the command looks like one.
  char* const end = argv[separator];
  argv[separator] = nullptr;
  optind = 0;  // from the start, whatever was read before
  for (int letter = 0; (letter = ::getopt_long(separator, argv, "+ge:p:r:svw", long_options, nullptr)) != -1;)
    if (const int code = take(letter, out); code != 0) return code;
  if (optind < separator) return complain("the argument", argv[optind], "options before '--'");
  argv[separator] = end;
  out.argv = argv + separator + 1;
  if (out.argv[0] != nullptr) return -1;
  note("cannot run a command: none follows '--'");
  return exit_usage;
}

}  // namespace svd::keeper
