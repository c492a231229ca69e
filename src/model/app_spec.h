// SPDX-License-Identifier: Apache-2.0
// What one app asks for, as plain values. Equality drives every decision about what must change; what a
// change of each field does to running instances is in the field table (spec/fields.cpp), not here.
#pragma once

#include <csignal>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/names.h"

namespace svd {

// One entry of `success_exit`: an exit code (0..255) or a signal that counts as a clean end.
struct ExitMatch {
  bool is_signal = false;
  int number = 0;
  bool operator==(const ExitMatch&) const = default;
};

struct RestartPolicy {
  enum class When { always, on_failure, never };
  When policy = When::always;
  Millis delay{100};         // before the first restart of a series; 0 allowed
  double factor = 2.0;       // ≥ 1: each further restart waits this much longer
  Millis max_delay{30'000};  // the back-off never exceeds this
  double jitter =
      0.0;  // 0..1: share of the delay that is drawn at random, so that a fleet does not restart in step
  Millis reset_after{10'000};       // a stay of this long in ready forgets the past
  std::uint32_t max_restarts = 15;  // within `window`; one more and the slot is failed
  Millis window{60'000};
  std::vector<ExitMatch> success_exit{{false, 0}, {true, SIGTERM}};
  bool operator==(const RestartPolicy&) const = default;
};

// Whom the stop signal goes to. The SIGKILL after the timeout always goes to all that is left in the
// instance's cgroup.
enum class KillTarget { group, main };

struct StopPolicy {
  int signal = SIGTERM;
  Millis timeout{10'000};  // from the signal to SIGKILL
  KillTarget kill = KillTarget::group;
  bool operator==(const StopPolicy&) const = default;
};

struct LogPolicy {
  enum class To {
    automatic,
    journal,
    file,
    console,
    none
  };  // automatic: journal where journald runs, else file
  To to = To::automatic;
  std::string path;                     // absolute; empty: LOGDIR/<ecosystem>/<app>.<slot>.log
  std::uint64_t rotate = 256ULL << 20;  // bytes; 0: never by size
  Millis max_age{0};                    // rotate a file older than this; 0: never by age
  std::uint32_t keep = 4;               // rotated files kept
  bool compress = true;
  bool operator==(const LogPolicy&) const = default;
};

// One resource limit as setrlimit(2) takes it; RLIM_INFINITY is `unlimited`.
struct Rlimit {
  static constexpr std::uint64_t unlimited = ~0ULL;
  std::uint64_t soft = unlimited;
  std::uint64_t hard = unlimited;
  bool operator==(const Rlimit&) const = default;
};

struct AppSpec {
  Name name;
  std::vector<std::string> exec;           // argv, at least one
  std::string cwd;                         // absolute
  std::uint32_t instances = 1;             // 0..max_instances; "max" is already resolved
  std::map<std::string, std::string> env;  // defaults, then the app's own
  std::map<std::string, std::string>
      secret_env;  // from pass_env and env_file, without what env sets: values are never shown
  std::vector<std::string> env_file;  // absolute paths, for display
  std::vector<std::string> pass_env;
  std::vector<std::string> increment_env;
  std::string user;                 // name or number; empty: the daemon's own
  std::string group;                // empty: the user's primary group
  std::vector<std::string> groups;  // supplementary, besides those of the user database
  std::optional<std::uint32_t> umask;
  RestartPolicy restart;
  StopPolicy stop;
  LogPolicy logs;
  std::map<int, Rlimit> rlimits;     // key: RLIMIT_… of <sys/resource.h>
  std::optional<int> nice;           // -20..19
  std::optional<int> oom_score_adj;  // -1000..1000

  // Hash over every field whose change needs a new process (effect `replace`); 0 is never used. Set by
  // spec::decode.
  std::uint64_t generation = 0;

  bool operator==(const AppSpec&) const = default;
};

// A bound on what one file can ask of the machine; far above use, below what the keeper's table holds.
inline constexpr std::uint32_t max_instances = 10'000;

// One file's worth of apps.
struct Ecosystem {
  Name name;
  std::map<Name, AppSpec> apps;
  bool operator==(const Ecosystem&) const = default;
};

// Where an ecosystem came from: enough to decode it again, in the same way, in another life of the daemon.
// Kept in the state directory (mode 0600: env files may hold secrets), never sent to anyone.
struct Source {
  std::string text;       // the YAML
  std::string file;       // absolute path of the file, for messages; "-" for standard input
  std::string directory;  // absolute: relative paths start here
  std::string profile;    // empty: none
  std::map<std::string, std::string> env_files;  // absolute path → content as it was at apply
  std::map<std::string, std::string> pass_env;   // the caller's environment, reduced to what pass_env names
  std::uint32_t cpus = 1;                        // what "max" meant
  bool operator==(const Source&) const = default;
};

}  // namespace svd
