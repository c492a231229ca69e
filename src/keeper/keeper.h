// SPDX-License-Identifier: Apache-2.0
// The keeper as a whole: one static object, one thread, one epoll. The functions of each part are declared in
// its own header and take the object as their argument.
//
//   main.cpp    options, set-up, the loop
//               (`svd -- COMMAND…` is a program of its own: command.h)
//   passed.cpp  what a service manager passes
//   engine.cpp  starts the engine, and again when it dies
//   serve.cpp   carries out what the engine asks for
//   starts.cpp  from records to starts
//   births.cpp  starts that are under way; launcher.cpp is where they may wait for somebody
//   outbox.cpp  tells the engine what happened; the tables are its queue
//   relay.cpp   tells the service manager what the engine says
//   reap.cpp    ends of children
//   stop.cpp    SIGTERM, and stopping everything when no engine can
#pragma once

#include <cstdint>

#include "keeper/births.h"
#include "keeper/options.h"
#include "keeper/protocol.h"
#include "keeper/spawn.h"
#include "keeper/table.h"
#include "keeper/wire.h"

namespace svd::keeper {

// A start that failed, until the engine was told.
struct Refusal {
  std::uint64_t id;
  std::int32_t err;
  std::int32_t detail;
  Stage stage;
};
struct Refusals {
  static constexpr std::uint32_t capacity = 4 * max_records + max_starts + max_launchers;
  Refusal items[capacity];
  std::uint32_t count;
};

struct Engine {
  int socket = -1;             // -1: none, or it hung up
  std::int32_t pid = 0;        // 0: none runs
  int pidfd = -1;              // only when it is not our child (it started us)
  bool served = false;         // it said ready
  bool listed = false;         // it asked for everything, so reports make sense to it
  bool quitting = false;       // it said quit
  int code = 0;                // what to end with then
  std::uint64_t services = 0;  // engines so far that served
  std::int64_t born = 0;       // milliseconds
  std::int64_t start_at = -1;  // when to start the next one; -1: not planned
  std::int64_t kill_at = -1;   // quitting, but does not end
  std::int32_t err = 0;        // why it could not be started
  std::uint32_t failures = 0;  // in a row
  Ended ended = Ended::no;     // the one before, and its exit code or signal
  int number = 0;
};

struct Outbox {
  std::uint32_t events = 0;  // what the socket is watched for
  bool blocked = false;      // the socket was full
  bool hello = false, notice = false, shutdown = false, force = false, hangup = false;  // owed
  bool listing = false;
  std::uint32_t child = 0, name = 0;  // cursors of the listing
};

// For the service manager, oldest first.
struct Note {
  char text[max_note];
  std::uint32_t size;
  int fd;  // -1: none
};
struct Relay {
  static constexpr std::uint32_t capacity = 2 * max_notes;  // an engine may leave some behind
  Note notes[capacity];
  std::uint32_t first, count;
  std::uint32_t stale;  // of them, from engines before this one
  std::uint32_t freed;  // that this engine was not told of
  bool watched;
  int socket = -1;
};

struct Stop {
  enum class Phase : std::uint8_t { none, asked, terminating, killing, emptying };
  Phase phase = Phase::none;
  bool force = false;
  std::int64_t deadline = -1;
  int events = -1;  // the base's cgroup.events, while its last processes die
};

struct Keeper {
  Options options;
  int epoll = -1;
  int signals = -1;
  int ready_fd = -1;
  bool ended = false;  // leave the loop
  int code = 0;
  char base[4096] = {};  // absolute path of the cgroup base; "": none
  Nursery nursery;
  Engine engine;
  Outbox outbox;
  Stop stop;
  Refusals refusals;
  Births births;
  Relay relay;
  Held held;
  Children children;
};

// Milliseconds of CLOCK_MONOTONIC.
std::int64_t now_ms();
// Microseconds since 1970.
std::int64_t wall_us();
// Adds, changes or removes a descriptor's watch; `tag` comes back with its events.
void watch(Keeper& keeper, int fd, std::uint32_t events, std::uint64_t tag);
// Ends the watch and closes, and makes `fd` -1. close() alone would not do: another process may share the
// open file.
void unwatch(Keeper& keeper, int& fd);

// What an event belongs to; children's pidfds are `tag_child` plus the entry's number.
inline constexpr std::uint64_t tag_signals = 1, tag_engine = 2, tag_engine_pidfd = 3, tag_base = 4,
                               tag_manager = 5, tag_launcher = 16, tag_child = tag_launcher + max_launchers;

// passed.cpp
void take_passed(Keeper& keeper, int lowest);  // and closes whatever else is open from `lowest` on

// engine.cpp
void plan_start(Keeper& keeper);  // now or later, by how the last one fared
void start_engine(Keeper& keeper);
void adopt_engine(Keeper& keeper, int socket);  // it started us: --adopt
void engine_born(Keeper& keeper, std::int32_t pid);
void engine_failed(Keeper& keeper, int err);  // it could not be started
void engine_hung_up(Keeper& keeper);          // its end of the socket is closed
void engine_ended(Keeper& keeper, Ended ended, int number);
void tell_waiter(Keeper& keeper, const char* text, std::uint32_t size);  // --ready-fd; once

// serve.cpp
void serve(Keeper& keeper);       // some of what is in the socket
void serve_rest(Keeper& keeper);  // all of it: the engine is dead
// A pid that an adopted child had, whose end was not noticed yet, now belongs to a new one.
void retire(Keeper& keeper, std::int32_t pid);

// starts.cpp
struct Attached;
struct Message;
void begin_starts(Keeper& keeper, const Message& message, Attached& attached);
void begin_start_from_file(Keeper& keeper, Attached& attached);

// outbox.cpp
void greet(Keeper& keeper);  // a new engine is connected
void report(Keeper& keeper, Entry& entry, std::uint8_t what);
// Whether a whole message of starts may fail, and all that are under way: else no more requests are read.
bool has_room_for_refusals(const Keeper& keeper);
void refuse(Keeper& keeper, std::uint64_t id, const Born& born);
void flush(Keeper& keeper);
void rewatch(Keeper& keeper);  // after anything that changes what to wait for

// relay.cpp
void relay(Keeper& keeper, const Message& message, int fd);  // takes fd; -1: none is attached
void relay_waiting(Keeper& keeper);
void relay_for_next_engine(Keeper& keeper);

// reap.cpp
void reap(Keeper& keeper, std::int32_t hint);  // hint: a pid that is likely to have ended; 0: none
void adopted_ended(Keeper& keeper, Entry& entry);
void send_signal(const Entry& entry, int number, Whom whom);

// stop.cpp
void ask_to_stop(Keeper& keeper);      // SIGTERM or the like came
void stop_everything(Keeper& keeper);  // no engine can
void check_stopped(Keeper& keeper);    // after each exit and at each deadline

}  // namespace svd::keeper
