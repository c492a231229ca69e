// SPDX-License-Identifier: Apache-2.0
// What kernel tells the engine. Facts only, each already true when it arrives.
#pragma once

#include <cstdint>
#include <variant>

#include "model/names.h"
#include "model/phase.h"

namespace svd {

// For each StartId: exactly one Spawned or SpawnFailed; after Spawned exactly one Exited; after
// ProcessPort::kill() on an exited (or to-be-killed) one exactly one Gone. SpawnFailed leaves nothing behind.
struct Spawned {  // execve succeeded: the program runs
  StartId id{};
  std::int64_t pid = 0;
};
struct SpawnFailed {
  StartId id{};
  StartFailure why;
};
struct Exited {  // the main process ended; strays may still be in the cgroup
  StartId id{};
  ExitStatus status;
};
struct Gone {  // nothing is left of it: its cgroup was empty and is removed
  StartId id{};
};
// Between Spawned and Exited, each at most once a start; none of them is owed.
struct ToldReady {  // the gate of its ReadyGate is met (never sent for Kind::exec)
  StartId id{};
};
struct Drained {  // no client is left, or it has closed its channel: it may be told to end at once
  StartId id{};
};
using Event = std::variant<Spawned, SpawnFailed, Exited, Gone, ToldReady, Drained>;

}  // namespace svd
