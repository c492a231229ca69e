// SPDX-License-Identifier: Apache-2.0
#include "keeper/options.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "keeper/log.h"

namespace svd::keeper {
namespace {

constexpr char usage[] =
    R"(usage: svd [--foreground | --daemonize] [--ready-fd N]   a daemon that svctl talks to
       svd [--profile PROFILE] FILE                      the same for FILE: a container's init
       svd [OPTION...] -- COMMAND [ARGUMENT...]          the init of one command

Daemon:
  --foreground        stay in the foreground and log to stderr (the default)
  --daemonize         go to the background and log to svd.log in the log directory; returns when it
                      serves, or fails as --foreground does
  --ready-fd N        write "ready", or one line saying what went wrong, to descriptor N
  --profile PROFILE   merge this profile of FILE over its apps

With FILE apps log to the console; SIGTERM and SIGINT stop all in order (a second one forces),
SIGHUP applies FILE anew; and svd ends when the essential apps have ended, with their exit code.

Command (all signals are passed on to it; svd ends with its exit code, or 128 + signal):
  -g, --group              pass signals on to the process group of the command
  -e, --success-exit CODE  end with 0 instead of CODE; may be given again
  -p, --parent-death SIG   take the death of svd's parent for this signal
  -r, --rewrite SIG:SIG    pass on the second signal for the first one, 0 for none; may be given again
  -s, --subreaper          accepted for tini's sake: svd always reaps orphans
  -w, --warn               say which orphans were reaped
  -v, --verbose            say that, and which signals are passed on

  -h, --help          print this text
  --version           print the version
)";

int print(const char* text) { return ::write(STDOUT_FILENO, text, std::strlen(text)) < 0 ? 1 : 0; }

bool parse_fd(const char* text, int& out) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || value < 3 || value > 1'000'000) return false;
  out = static_cast<int>(value);
  return true;
}

// Beside us even if our file is replaced later: looked up once.
bool find_engine(char* out, std::size_t size) {
  constexpr char below[] = "/libexec/svd/engine";
  const auto length = ::readlink("/proc/self/exe", out, size - sizeof below);
  if (length <= 0) return false;
  out[length] = '\0';
  for (int parents = 0; parents < 2; ++parents) {  // PREFIX/bin/svd
    char* const slash = std::strrchr(out, '/');
    if (slash == nullptr) return false;
    *slash = '\0';
  }
  std::memcpy(out + std::strlen(out), below, sizeof below);
  return true;
}

// What the keeper takes for itself goes; the rest is for the engine, whose argv is left behind.
bool take_options(int argc, char** argv, Options& out) {
  static char name[] = "engine";
  int kept = 1;
  bool usable = true;
  for (int i = 1; i < argc; ++i) {
    const char* const option = argv[i];
    if (std::strcmp(option, "--adopt") == 0) {
      out.adopt = true;
      continue;
    }
    if (std::strcmp(option, "--ready-fd") == 0) {
      usable = ++i < argc && parse_fd(argv[i], out.ready_fd) && usable;
      continue;
    }
    if (std::strcmp(option, "--daemonize") == 0) out.daemonize = true;
    if (std::strcmp(option, "--foreground") == 0) out.daemonize = false;
    argv[kept++] = argv[i];  // the engine wants to know, too
  }
  argv[kept] = nullptr;
  argv[0] = name;
  out.engine_argv = argv;
  return usable;
}

}  // namespace

int read_options(int argc, char** argv, Options& out) {
  const int separator = find_command(argc, argv);
  for (int i = 1; i < (separator > 0 ? separator : argc); ++i) {
    if (std::strcmp(argv[i], "--version") == 0) return print("svd " SVD_VERSION "\n");
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) return print(usage);
  }
  if (separator > 0) return read_command_options(separator, argv, out.command);
  if (!take_options(argc, argv, out)) {
    note("cannot understand --ready-fd: want a descriptor number, 3 or more");
    return 2;
  }
  if (out.daemonize && ::getpid() == 1) {
    note("cannot go to the background: all ends with PID 1");
    return 2;
  }
  if (!find_engine(out.engine_path, sizeof out.engine_path)) {
    note("cannot find out where this program is: /proc is not mounted");
    return 1;
  }
  return -1;
}

}  // namespace svd::keeper
