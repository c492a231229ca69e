// SPDX-License-Identifier: Apache-2.0
// Where an instance is. Eight phases and no other flags.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace svd {

enum class Phase : std::uint8_t { waiting, starting, ready, stopping, backoff, completed, stopped, failed };

inline constexpr std::array<std::string_view, 8> phase_names{"waiting", "starting",  "ready",   "stopping",
                                                             "backoff", "completed", "stopped", "failed"};
[[nodiscard]] constexpr std::string_view to_text(Phase phase) {
  return phase_names[static_cast<std::size_t>(phase)];
}
// A process (or what is left of its cgroup) may exist in these.
[[nodiscard]] constexpr bool is_live(Phase phase) {
  return phase == Phase::starting || phase == Phase::ready || phase == Phase::stopping;
}

// Whose memory ran out, when the kernel killed a process for want of it.
enum class Oom : std::uint8_t {
  no,         // it was not that
  limit,      // the instance's own limit was reached
  app_limit,  // the one of all instances of its app
  machine     // memory ran out further up: in the container that svd is in, or in the machine
};

// How a process ended.
struct ExitStatus {
  enum class Kind : std::uint8_t {
    none,
    code,
    signal,
    unknown
  };  // unknown: it was not our child when it ended
  Kind kind = Kind::none;
  int number = 0;
  bool core_dumped = false;
  Oom oom = Oom::no;            // only of SIGKILL
  std::uint64_t oom_limit = 0;  // bytes; 0: not known
  bool operator==(const ExitStatus&) const = default;
};
// "exit code 3", "signal SIGKILL", "signal SIGSEGV (core dumped)", "killed: out of memory (limit 64MiB)",
// "ended, exit status unknown", "".
[[nodiscard]] std::string to_text(const ExitStatus& status);

// The step of a start that failed. The texts are in phase.cpp, tied to this list by a static_assert.
enum class StartStage : std::uint8_t {
  none,
  user,        // resolving user, group or groups
  cgroup,      // making or entering the cgroup
  process,     // clone3/posix_spawn
  session,     // setsid
  rlimit,      // setrlimit
  scheduling,  // nice, oom_score_adj
  log,         // opening the log
  stdio,       // arranging descriptors
  groups,      // setgroups
  group,       // setgid
  identity,    // setuid
  directory,   // chdir
  exec,        // execve
  keeper,      // the keeper refused: its table is full, or the request was malformed
  limits,      // a limit that the app requires cannot be enforced; err is 0, and detail says why
  sockets,     // passing on its listeners and its channel; where err is 0, detail says why
  hardening,   // restricting what it may do, or giving it its credentials
};
// "changing to the working directory", "executing the program", …
[[nodiscard]] std::string_view to_text(StartStage stage);

struct StartFailure {
  StartStage stage = StartStage::none;
  int err = 0;         // errno; 0: `detail` says it all
  std::string detail;  // the object: a path, a user name; may be empty
  bool operator==(const StartFailure&) const = default;
};
// "executing the program '/bin/nope': No such file or directory"
[[nodiscard]] std::string to_text(const StartFailure& failure);

}  // namespace svd
