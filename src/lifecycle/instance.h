// SPDX-License-Identifier: Apache-2.0
// The life of one instance, as a state machine that decides and touches nothing.
//
// An instance fills a slot with one process after another. Where it is, is one of the eight phases of
// model/phase.h, and what a phase needs (a start, a deadline, what comes next) is held by that phase alone.
// What somebody *wants* of it is not in here: it arrives as Begin, Stop and Renew, which plan/ derives from
// desired and observed state.
//
//   waiting    is to be started as soon as the plan says so; there is no process.
//   starting   a start was ordered; whether it succeeds is not known yet. When it did, there is a pid, and the
//              instance has until `deadline` to become ready (with the gate `exec` it is at once).
//   ready      the program runs, and its gate is met.
//   stopping   there was a process, and something of it may be left. Its steps, of which each but the last two
//              may be left out:
//                unanswered     a stop was asked for while the start was still under way, or nobody has said
//                               what became of that: there is no pid yet.
//                draining       it still serves, and asks its clients to leave: `drain` of its update policy.
//                disconnecting  its channel told it to end, and it does so by itself.
//                asked          the stop signal was sent; with `kill: group` the deadline runs on when the main
//                               process ends first, for the workers behind a shell or npm, asked as well.
//                killed         the main process ended or patience did: SIGKILL went to all that is left.
//              disconnecting and asked together take at most `stop.timeout`. `next` says what follows when
//              nothing is left. A crash passes through here too: the strays of a dead main process are killed,
//              and only when they are gone may a successor start.
//   backoff    it ended, and is started again at `until`.
//   completed  it ended cleanly, and its policy does not want it again.
//   stopped    it is not wanted.
//   failed     it ended, and its policy does not allow another restart.
//
//      Begin        Spawned, ToldReady     Exited (the strays are killed)        Gone
//   waiting ──► starting ──► ready ────────────────────────────► stopping ──► backoff | completed | failed
//                  │                │ Stop: drain, channel, signal  ▲  │ ──► stopped
//                  │ SpawnFailed    └───────────────────────────────┘  └ ──► waiting (after Stop{again} or Renew)
//                  └──► backoff | failed
//   backoff ──Begin──► starting;  backoff, completed, stopped, failed ──Renew──► waiting ──Stop──► stopped
//
// Rules that are easy to get wrong, and where they are kept:
//  * Nothing starts before Gone: Begin is accepted in waiting, backoff and stopped only, and those are entered
//    by Gone (or by SpawnFailed, which leaves nothing behind).
//  * An end that a stop brought about is not judged by the restart policy; neither are its restarts counted.
//  * A start that is not ready in time, or that nobody answers, is killed, and that is judged as an end.
//  * Stop during starting cancels the start and waits for its outcome: a signal to a process that does not
//    exist yet would be lost, and what its birth waits for may never come. What never was ready has no
//    clients, and may not hear its channel yet: it gets the signal.
//  * Renew (a person or an apply says "again") forgets the past restarts. While stopping it only changes what
//    comes next.
//  * A stay in ready of `reset_after` forgets the past; that is decided when the stay ends, so it needs no
//    timer.
//  * A doubled or impossible event changes nothing, except that Gone is believed in every phase that has a
//    process.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/time.h"
#include "lifecycle/restart.h"
#include "model/app_spec.h"
#include "model/names.h"
#include "model/phase.h"

namespace svd::lifecycle {

struct Waiting {
  bool operator==(const Waiting&) const = default;
};
struct Starting {
  StartId id{};
  std::int64_t pid = 0;  // 0: not born yet
  TimePoint deadline{};  // to be ready by then; without a pid: to be answered
  bool operator==(const Starting&) const = default;
};
struct Ready {
  StartId id{};
  std::int64_t pid = 0;
  TimePoint since{};
  bool operator==(const Ready&) const = default;
};
struct Backoff {
  TimePoint until{};
  Nanos delay{};  // what `until` was computed from, for people
  bool operator==(const Backoff&) const = default;
};
struct Completed {
  bool operator==(const Completed&) const = default;
};
struct Stopped {
  bool operator==(const Stopped&) const = default;
};
struct Failed {
  // The policy says never; or max_restarts within window were used up.
  enum class Why : std::uint8_t { policy, limit };
  Why why = Why::policy;
  bool operator==(const Failed&) const = default;
};
// Where an instance can be when it has no process.
using Rest = std::variant<Waiting, Backoff, Completed, Stopped, Failed>;

struct Stopping {
  enum class Step : std::uint8_t { unanswered, draining, disconnecting, asked, killed };
  StartId id{};
  std::int64_t pid = 0;  // of the main process while it lives, else 0
  Step step = Step::asked;
  bool force = false;    // unanswered: kill it as soon as it is born
  TimePoint deadline{};  // when the next step follows; unanswered: when it is asked about again
  TimePoint end{};       // disconnecting: when patience ends for good
  Rest next;
  bool operator==(const Stopping&) const = default;
};

using State = std::variant<Waiting, Starting, Ready, Stopping, Backoff, Completed, Stopped, Failed>;

[[nodiscard]] Phase phase(const State& state);
[[nodiscard]] Phase phase(const Rest& rest);
// The start that exists now, 0 when none does.
[[nodiscard]] StartId start_of(const State& state);
// Pid of the main process while it is known to live, else 0.
[[nodiscard]] std::int64_t pid_of(const State& state);

struct Instance {
  State state;
  RestartHistory history;
  bool operator==(const Instance&) const = default;
};

// What the plan asks for.
struct Begin {
  StartId id{};
};
struct Stop {
  bool force = false;  // no stop signal and no timeout: SIGKILL at once
  bool again = false;  // it is being replaced: waiting, not stopped, comes next
  bool drain = false;  // others serve meanwhile: its clients are given time to leave
};
struct Renew {};
// The deadline of `starting` or `stopping` may have passed.
struct Due {};
// What the kernel tells; the engine has matched it to this instance's present start.
struct Spawned {
  std::int64_t pid = 0;
};
struct SpawnFailed {};
struct ToldReady {};
struct Drained {};
struct Exited {
  ExitStatus status;
};
struct Gone {};
using Event = std::variant<Begin, Stop, Renew, Due, Spawned, SpawnFailed, ToldReady, Drained, Exited, Gone>;

struct Spawn {
  StartId id{};
  bool operator==(const Spawn&) const = default;
};
// Ask its clients to leave.
struct Drain {
  StartId id{};
  bool operator==(const Drain&) const = default;
};
// Tell it over its channel to end.
struct Disconnect {
  StartId id{};
  bool operator==(const Disconnect&) const = default;
};
struct Signal {
  StartId id{};
  int number = 0;
  KillTarget whom = KillTarget::group;
  bool operator==(const Signal&) const = default;
};
struct Kill {
  StartId id{};
  bool operator==(const Kill&) const = default;
};
// Tell when nothing is left of it, without helping.
struct Await {
  StartId id{};
  bool operator==(const Await&) const = default;
};
// A start whose program may not have been executed yet need not go on: it fails, or is told as spawned if it
// was too late for that.
struct Cancel {
  StartId id{};
  bool operator==(const Cancel&) const = default;
};
using Command = std::variant<Spawn, Drain, Disconnect, Signal, Kill, Await, Cancel>;

struct Rules {
  const RestartPolicy& restart;
  const StopPolicy& stop;
  std::optional<Millis> ready{};  // the gate's timeout; nullopt: executed is ready
  Millis drain{0};
  bool channel = false;
  Millis accepting{0};  // so long it drains at least, whatever it says: connections are on their way to it
};
[[nodiscard]] Rules rules_of(const AppSpec& spec);

// What is kept of stop.timeout for the signal, when the channel is tried first.
[[nodiscard]] Nanos signal_share(const StopPolicy& stop);
// A start that is not answered in this time is given up. Far more than any takes: it is for an order that was
// lost.
inline constexpr Millis answer_within{120'000};
// After its channel was closed a program has this long to end by itself.
inline constexpr Millis farewell{250};

// No transition needs more than one command.
struct Transition {
  Instance instance;
  std::optional<Command> command;
};

// The only way from one state to the next. `random`: 0 ≤ random < 1, for the jitter.
[[nodiscard]] Transition step(Instance instance, const Event& event, const Rules& rules, TimePoint now,
                              double random);

}  // namespace svd::lifecycle
