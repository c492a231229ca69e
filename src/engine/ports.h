// SPDX-License-Identifier: Apache-2.0
// The engine's only doors to the world. Production adapters are in kernel/ and bus/, fakes in tests/support.
// Effects return nothing: their success or failure comes back as an Event (engine/event.h). No port call may
// call back into the engine; events are queued and dispatched by the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/app_spec.h"
#include "model/diagnostic.h"
#include "model/launch.h"
#include "model/usage.h"
#include "model/views.h"

namespace svd {

class ProcessPort {
 public:
  virtual ~ProcessPort() = default;
  // → Spawned or SpawnFailed. May be collected until flush().
  virtual void spawn(LaunchPlan plan) = 0;
  // The program of this start need not be executed any more. → SpawnFailed, or Spawned if that was too late.
  virtual void cancel(StartId id) = 0;
  // To the main process, or to its process group. Nothing happens when it has ended already.
  virtual void signal(StartId id, int number, KillTarget whom) = 0;
  // SIGKILL to all that is left of this start: the main process if it lives, and every stray in its cgroup. →
  // Gone (after Exited, if that was still to come); of a start that nobody answered: SpawnFailed or Gone.
  virtual void kill(StartId id) = 0;
  // Its main process has ended; what it left is given time. → Gone when nothing is left of it.
  virtual void await(StartId id) = 0;
  // These exits are safely on record: the keeper may forget them.
  virtual void forget(std::span<const StartId> ids) = 0;
  // Sends what was collected. Called once at the end of each reconcile.
  virtual void flush() = 0;
  // Absolute path of the start's cgroup, "" when there is none. For display.
  [[nodiscard]] virtual std::string cgroup(StartId id, const SlotId& slot) const = 0;
  // The start's working directory with symbolic links resolved, "" where it cannot be told. For display.
  [[nodiscard]] virtual std::string directory(StartId id) const = 0;
};

// An app of the same file, and the listeners that it is to have. Whatever else it has bound it gives up: who
// asks for such an address gets the same sockets, with all that waits there, and both have them until it has
// let go of them.
struct Giver {
  AppId app;
  std::span<const Listener> keeps{};
};

// The supervisor's sockets. They belong to the app, not to an instance: they outlive crashes, reloads,
// scaling to 0 and the engine (the keeper holds them).
class ListenerPort {
 public:
  virtual ~ListenerPort() = default;
  // From now on `app` has these listeners, for `slots` slots (one socket each where the balance is even or
  // sticky). What is bound already stays bound and gets the new options. Error: the address, why, and who has
  // it; then nothing has changed. Without `givers` nobody gives anything up. `app` itself may be one of them:
  // what it shares with others and does not keep has their options.
  virtual Result<> bind(const AppSpec& spec, const AppId& app, std::uint32_t slots,
                        std::span<const Giver> givers) = 0;
  Result<> bind(const AppSpec& spec, const AppId& app, std::uint32_t slots) {
    return bind(spec, app, slots, {});
  }
  // Closes what `app` has bound besides these: called when no instance uses the rest any more. An empty
  // `keep` and `gone` true: the app is no more, what its instances bound by themselves (Node) goes, too.
  virtual void retain(const AppId& app, std::span<const Listener> keep, bool gone) = 0;
  // These are all the apps that there are, ascending. What a former engine bound for others, which nobody
  // accepted, goes.
  virtual void retain_all(std::span<const AppId> apps) = 0;
  // The apps of an ecosystem that have something bound, ascending.
  [[nodiscard]] virtual std::vector<AppId> holders(const Name& ecosystem) const = 0;
  // These starts are to get new connections (balance even, sticky, round-robin); all others of the app are
  // not.
  virtual void serve(const AppId& app, std::span<const std::pair<std::uint32_t, StartId>> ready) = 0;
  // Whether a connection that nobody has accepted yet waits in a socket of this start's own (balance even,
  // sticky).
  [[nodiscard]] virtual bool has_waiting(const AppId& app, std::uint32_t slot, StartId id) const = 0;
  // "tcp 0.0.0.0:8080 (http, shared)" for display.
  [[nodiscard]] virtual std::vector<std::string> describe(const AppId& app) const = 0;
};

// The channels to instances, and what they say about themselves (sd_notify, Node's cluster protocol, probes).
// Readiness comes back as ToldReady.
class ChannelPort {
 public:
  virtual ~ChannelPort() = default;
  // It still serves, but asks its clients to leave (Node: answers carry `Connection: close`). → Drained when
  // no client is left, if that can be told. Asked once more, it answers once more.
  virtual void drain(StartId id) = 0;
  // First `message`, if not empty, then Node's `disconnect` or {"svd":"stop"}: it ends its servers, and then
  // the channel. → Drained.
  virtual void disconnect(StartId id, const std::string& message) = 0;
  // One message for the program, a JSON value. Error: no channel, or its queue is full (no_buffer_space).
  virtual Result<> send(StartId id, const std::string& json) = 0;
};

// Limits of what runs, and use. What a start needs is in its LaunchPlan; this is for what is asked or changed
// later.
class LimitPort {
 public:
  virtual ~LimitPort() = default;
  // From now on these are the limits; what is unset is lifted. Nothing happens where nothing runs. A refusal
  // is in unenforceable() from then on.
  virtual void adjust(const AppId& app, const Limits& limits) = 0;
  virtual void adjust(StartId id, const SlotId& slot, const Limits& limits) = 0;
  // "limits.memory cannot be enforced here: …", one sentence for each limit of `spec`.
  [[nodiscard]] virtual std::vector<std::string> unenforceable(const AppId& app,
                                                               const AppSpec& spec) const = 0;
  // Read now.
  [[nodiscard]] virtual Usage usage(const AppId& app, Figures figures) const = 0;
  [[nodiscard]] virtual Usage usage(StartId id, const SlotId& slot, Figures figures) const = 0;
};

class LogPort {
 public:
  virtual ~LogPort() = default;
  // From now on the slot logs by this policy (also called on a live change): rotation follows it.
  virtual void attach(const SlotId& slot, const LogPolicy& policy) = 0;
  virtual void detach(const SlotId& slot) = 0;
  // What LogPolicy::To::automatic means here: journal or file.
  [[nodiscard]] virtual LogPolicy::To automatic() const = 0;
  // For display: a file's path, "journal:IDENTIFIER", "console" or "none".
  [[nodiscard]] virtual std::string where(const SlotId& slot, const LogPolicy& policy) const = 0;
};

// One accepted apply of an ecosystem, as stored. The text of the file and what it needs to be decoded again.
struct Revision {
  RevisionView view;
  Source source;
};

// Durable memory. Failures (disk full, read-only) are reported by the adapter to the log and through
// Control's `degraded`; the engine goes on with what it has in memory.
class StatePort {
 public:
  virtual ~StatePort() = default;
  // Replaces the runtime state (text, engine/saving/saved.h) atomically. False: it could not be written.
  virtual bool save(const std::string& runtime) = 0;
  // Writes or replaces one revision.
  virtual bool save_revision(const Revision& revision) = 0;
  virtual Result<Revision> load_revision(const Name& ecosystem, std::uint64_t number) = 0;
  virtual void remove_revision(const Name& ecosystem, std::uint64_t number) = 0;
};

// Told after each step what a client might show. Calls are cheap and must not fail.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void instance_changed(const SlotId& id) = 0;
  virtual void instance_removed(const SlotId& id) = 0;
  virtual void app_changed(const AppId& id) = 0;
  virtual void app_removed(const AppId& id) = 0;
  virtual void change_started(ChangeId id) = 0;
  virtual void change_changed(ChangeId id) = 0;  // progress
  virtual void change_finished(ChangeId id) = 0;
  virtual void event(const EventRecord& record) = 0;
};

// spec::decode, bound by the daemon: the engine knows no YAML. On failure the text is the rendered
// diagnostics.
using Decoder = std::function<Result<Ecosystem>(Source& source)>;

struct Ports {
  ProcessPort& processes;
  ListenerPort& listeners;
  ChannelPort& channels;
  LimitPort& limits;
  LogPort& logs;
  StatePort& state;
  Observer& observer;
  Decoder decode;
};

}  // namespace svd
