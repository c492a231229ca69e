// SPDX-License-Identifier: Apache-2.0
// Starts that are under way: those that wait for their turn, and those that a launcher has in hand. A start
// leaves when its child has executed its program, when it failed, or at its deadline, whichever comes first.
//
// Nobody's start may keep another from its turn. One that takes longer than `slow_after` is slow: then there
// is one more launcher for the others. An app has at most `max_slow_of_app` slow starts, and a user that is
// not the keeper's `max_slow_of_user`: its other starts wait, until their own deadline.
//
// At its deadline a start has failed, and its child is killed. One that does not even die (it waits in the
// kernel for a file system that does not answer) leaves its launcher to be killed in its place, and is
// remembered as lost until it is reaped; it counts as slow.
#pragma once

#include <cstddef>
#include <cstdint>

#include "keeper/launcher.h"
#include "keeper/protocol.h"
#include "keeper/spawn.h"

namespace svd::keeper {

inline constexpr std::uint32_t max_launchers = 64;
inline constexpr std::uint32_t usual_launchers = 2;  // that are not slow: one starts while the other answers
inline constexpr std::uint32_t max_lost = 256;
inline constexpr std::uint32_t max_slow_of_app = 2, max_slow_of_user = 8;
inline constexpr std::int64_t slow_after = 100;           // milliseconds
inline constexpr std::int64_t default_patience = 10'000;  // of a start that says none, and of the engine's

// What is remembered of a start until its end.
struct Start {
  std::uint64_t id;
  std::int64_t deadline;  // milliseconds, as now_ms()
  StopRule stop;
  std::uint32_t blob;  // cgroup path, then cookie
  std::uint32_t app;   // Spawn::app
  std::uint32_t uid;   // that it is to run as, if it changes its user
  std::int32_t late;   // errno to fail with at the deadline
  std::uint16_t cgroup_size;
  std::uint16_t cookie_size;
  Order::Kind kind;
  bool changes_user;
  bool kill_group;
  Signal signal;  // that came meanwhile; number 0: none did
};

// One that has no launcher yet, with its record and its descriptors.
struct Waiting {
  Start start;
  std::uint32_t record, size;  // in the blobs
  std::uint32_t fd_count;
  int fds[max_handed];
};

struct Launcher {
  std::int32_t pid;  // 0: there is none; then the place is free
  int socket;
  Crib* crib;
  bool busy;
  bool outdated;  // ends with its present start
  // Of the start in hand:
  bool cut;  // its deadline has passed, and it was told to have failed
  Start start;
  std::int64_t since;
  // Its child's end, when that was seen before the launcher's answer.
  std::int32_t ended_pid;  // 0: it was not
  Ended ended;
  bool core_dumped;
  int number;
  std::int64_t ended_at;
};

struct Lost {
  std::int32_t pid;
  std::uint32_t app, uid;
  bool changes_user;
};

struct Launchers {
  Launcher places[max_launchers];
  std::uint32_t used;  // places from here on were never taken
  [[nodiscard]] Launcher* begin() { return places; }
  [[nodiscard]] Launcher* end() { return places + used; }
  [[nodiscard]] const Launcher* begin() const { return places; }
  [[nodiscard]] const Launcher* end() const { return places + used; }
};

struct Births {
  Launchers launchers;
  Waiting waiting[max_starts];
  std::uint16_t order[max_starts];  // of those that wait, first come first; then the free places
  bool is_ordered;                  // false: `order` was not used yet
  std::uint32_t count;              // that wait
  std::uint32_t busy;               // launchers that have a start in hand that was not cut
  Lost lost[max_lost];
  std::uint32_t lost_count;
  Crib* cribs;
};

struct Keeper;

// Makes the first launcher as well. False: no memory.
bool set_up_births(Keeper& keeper);
// Takes the descriptors, which the order of Handed is for; the record is copied.
void begin_start(Keeper& keeper, const Start& start, const char* record, std::size_t size, const int* fds,
                 std::uint32_t fd_count);
[[nodiscard]] bool is_under_way(const Keeper& keeper, std::uint64_t id);
// How many starts have not been answered.
[[nodiscard]] std::uint32_t under_way(const Keeper& keeper);

// A start that has not executed its program is not to do so any more; `err` is what it fails with. One that
// may be about to gets until it would be slow: it is stopped like any other then.
void cancel_start(Keeper& keeper, std::uint64_t id, int err);
// The same for all of them, at `deadline` at the latest.
void hasten_starts(Keeper& keeper, std::int64_t deadline, int err);
// Kept for a child that is not known yet. False: no such start is under way.
bool keep_signal(Keeper& keeper, const Signal& signal);

void take_reply(Keeper& keeper, std::uint32_t launcher);
// An end of a child that is no entry of the table: of a launcher, of a start that is under way, or of
// nobody's.
void birth_ended(Keeper& keeper, std::int32_t pid, Ended ended, int number, bool core_dumped);
void check_births(Keeper& keeper);                                  // deadlines
[[nodiscard]] std::int64_t next_birth_check(const Keeper& keeper);  // -1: nothing is waited for
// What descriptors 1 and 2 are has changed.
void renew_launchers(Keeper& keeper);

}  // namespace svd::keeper
