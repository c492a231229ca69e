// SPDX-License-Identifier: Apache-2.0
// What the engine shows: snapshots by value, in the words of D-Bus (schemas/org.svd1.xml) and of svctl's
// columns. The engine fills them, bus serialises them, cli renders them. No secret value ever gets into one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/names.h"
#include "model/phase.h"
#include "model/plan_step.h"
#include "model/usage.h"

namespace svd {

struct InstanceView {
  SlotId id;
  Phase phase = Phase::waiting;
  std::string reason;          // why it is in that phase, in words: "signal SIGKILL", "stopped by root"
  std::int64_t pid = 0;        // 0: none
  std::uint64_t start = 0;     // StartId of the present or last process
  std::uint64_t revision = 0;  // of the ecosystem, at its start
  std::uint64_t generation = 0;
  std::uint64_t restarts = 0;  // automatic restarts since the slot was made
  WallTime since;              // when it entered the phase
  WallTime started;            // start of the present process; 0: none
  WallTime next_start;         // backoff: when; else 0
  ExitStatus last_exit;
  Usage usage;  // as far as it was asked for; the engine leaves it alone (see Control::usage)
  // "": the one its slot is known by. While it is replaced start-first there are more of a slot at a time:
  // "replacement" until it has taken over, "leaving" from then on until it is gone.
  std::string role;
  std::string directory;  // its working directory with symbolic links resolved, as it was at its start (for a
                          // later engine: as it is when that one finds it)
  std::string cgroup;     // absolute path; empty: none
  std::string log;        // file path, "journal:IDENTIFIER", "console" or "none"
};

struct AppView {
  AppId id;
  std::uint32_t instances = 0;  // declared, after scale
  std::uint32_t ready = 0;      // how many are in phase ready
  std::string
      state;  // "ready", "starting", "stopped", "degraded", "failed", "completed", "updating", "stopping"
  std::string reason;  // what is wrong and why, or ""
  bool wanted = true;  // false: the user stopped it
  std::uint64_t revision = 0;
  std::uint64_t generation = 0;
  std::vector<std::string> exec;
  std::string cwd, user;
  std::vector<std::string> env;        // "NAME=value"; env_file's values read "NAME=(secret)"
  std::string log;                     // driver: "journal", "file", "console", "none"
  std::vector<std::string> settings;   // effective policy and limits as "restart.delay=100ms", set or default
  std::vector<std::string> listeners;  // "http: tcp 0.0.0.0:8080, shared"
  std::string update;                  // of a rollout: "2 of 4 replaced", "2 of 4 replaced, paused"; else ""
  Usage usage;                         // as far as it was asked for
  std::vector<std::string> degraded;   // guarantees that cannot be had here, for this app
};

struct RevisionView {
  Name ecosystem;
  std::uint64_t number = 0;
  WallTime when;
  std::string who;      // "root (uid 0)"
  std::string outcome;  // "running", "succeeded", "failed: …", "superseded"
  std::string file;
  std::string summary;  // "web: replace 4 instances, …"
  bool current = false;
};

struct ChangeView {
  ChangeId id{};
  std::string kind;        // "apply", "start", "stop", "restart", "scale", "delete", "rollback", "shutdown"
  std::string target;      // "shop", "shop:web", "3 apps"
  std::string state;       // "running", "succeeded", "failed", "superseded"
  std::string error;       // why it failed; else ""
  std::uint32_t done = 0;  // instances that are where the change wants them
  std::uint32_t total = 0;
  WallTime started, finished;
  std::uint64_t revision = 0;   // apply, rollback: the revision it made; else 0
  std::vector<PlanStep> steps;  // what it does
  std::vector<SlotId> failed;   // slots that keep it from succeeding
};

// One thing that happened, in the words every surface uses.
struct EventRecord {
  std::uint64_t sequence = 0;  // 1, 2, 3 … for the life of a state directory
  WallTime when;
  std::string kind;     // "instance", "change", "daemon"
  std::string subject;  // "shop:web/0", "apply 12", "engine"
  std::string text;     // "ready → backoff: signal SIGKILL, restart in 200ms"
  // The rest is not on the bus.
  enum class Level : std::uint8_t {
    step,     // on the way to something else
    info,     // what a person may want to read
    warning,  // what needs one
  };
  Level level = Level::info;
  std::optional<Phase> from{}, to{};      // of an instance that has moved
  std::uint64_t start = 0, revision = 0;  // the instance's present or last start; 0: it is about none
};

}  // namespace svd
