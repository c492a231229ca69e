// SPDX-License-Identifier: Apache-2.0
// ProcessPort for Linux: the keeper's client plus cgroups and users. Everything the keeper holds for the
// engine goes through here as well: children, descriptors by name, readiness and the end.
//
// Order of events: what the keeper reported comes in its order (Spawned before Exited), at Priority::exit;
// Gone when the leaf cgroup is empty, after Exited. No event is ever emitted from inside a call of this
// class.
//
// The keeper's death: seen as the end of its socket. A new keeper is started from `keeper_program`, gets
// every held descriptor and every child that is still ours (by pidfd, after its cgroup or start time was
// compared), and watches this engine. Exits of children that are not the keeper's own arrive with
// ExitStatus::Kind::unknown. Nothing is restarted by it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/ports.h"
#include "kernel/passing.h"
#include "kernel/service_manager.h"
#include "kernel/stdio.h"
#include "loop/loop.h"

namespace svd {

struct ProcessesOptions {
  int socket = 3;                    // of the keeper (keeper::engine_fd); ownership is taken
  std::string state_directory;       // names the cgroup base; remembers what runs where there are no cgroups
  std::string runtime_directory{};   // where credentials are placed; empty: nowhere
  bool use_cgroups = true;           // false: as on a host that has none
  bool own_cgroup_is_given = false;  // to us, with its controllers, whatever it looks like
  std::string keeper_program;  // absolute path of bin/svd, for the day the keeper dies; empty: then its death
                               // ends the loop
  std::vector<std::string>
      arguments;  // of this engine (argv[1] …): a new keeper passes them to the next engine
  ServiceManager* manager = nullptr;  // keeps a duplicate of what the keeper holds; null: there is none
  bool stores_state = false;          // there, too: there is no state directory
  // Whether what the service manager, or whoever else started us, passed by that name is what the daemon
  // expects of it; empty: it expects nothing.
  std::function<bool(const std::string& name, int fd)> expects{};
};

// Whom each start is completed by.
struct StartSources {
  StdioSource& stdio;
  ListenerSource* listeners = nullptr;  // nullptr: no plan has any
  ChannelSource* channels = nullptr;
};

struct ProcessesHandlers {
  std::function<void(const Event&)> event;
  std::function<void(bool force)> shutdown;  // SIGTERM or SIGINT at the keeper; force: the second one
  std::function<void()> hangup;              // SIGHUP at the keeper
  std::function<void()> keeper_replaced;     // the keeper had died; may be empty
};

class LinuxProcesses final : public ProcessPort, public Holder {
 public:
  // Greets the keeper, takes over its children and descriptors, and adopts instances found alive in our
  // cgroups, or noted in our journal of children, that it does not know (both keeper and engine died). Waits
  // at most 10 s for the keeper. Handlers run from the loop only.
  static Result<std::unique_ptr<LinuxProcesses>> connect(const Loop& loop, ProcessesOptions options,
                                                         StartSources sources, ProcessesHandlers handlers);
  ~LinuxProcesses() override;

  // What was taken over in connect(), for Restored::children; exits among them are not reported again as
  // events.
  [[nodiscard]] std::vector<KnownChild> children() const;
  // Whether this engine was started after another one had served under the same keeper.
  [[nodiscard]] bool taken_over() const;
  // How that one ended; nullopt: it left of its own accord, or nobody saw it.
  [[nodiscard]] std::optional<ExitStatus> former_end() const;

  void spawn(LaunchPlan plan) override;
  void signal(StartId id, int number, KillTarget whom) override;
  void kill(StartId id) override;
  void cancel(StartId id) override;
  void await(StartId id) override;
  void forget(std::span<const StartId> ids) override;
  void flush() override;
  [[nodiscard]] std::string cgroup(StartId id, const SlotId& slot) const override;
  [[nodiscard]] std::string directory(StartId id) const override;

  // Whose process that is, its main one or one that it begot; StartId 0: nobody's that we know.
  [[nodiscard]] StartId owner_of(std::int64_t pid) const;
  // As cgroup(), from the top of the hierarchy: what /proc/PID/cgroup has, and journald.
  [[nodiscard]] std::string cgroup_name(StartId id, const SlotId& slot) const;
  // What is written to and read from the cgroups of these processes.
  [[nodiscard]] LimitPort& limits();

  Result<> hold(const std::string& name, int fd) override;
  // The same, but gone when the keeper and this process are: a lock says that somebody is there.
  Result<> hold_in_keeper(const std::string& name, int fd);
  [[nodiscard]] int borrow(const std::string& name) const override;
  [[nodiscard]] std::vector<std::string> held_names() const override;
  void release(const std::string& name) override;
  // A duplicate of what is held under `name`; nullopt: nothing is.
  [[nodiscard]] std::optional<UniqueFd> held(const std::string& name) const;

  // The engine serves: the keeper tells whoever waits on --ready-fd.
  void ready();
  // `fd` (borrowed) becomes stdout and stderr of the keeper, so of each later engine, too.
  void redirect(int fd);
  // Sends what is queued and asks the keeper to reap this process and end with `code`. `sentence`: for
  // --ready-fd, if ready() was never called. The caller then leaves its loop and exits.
  void quit(int code, std::string_view sentence = {});

  [[nodiscard]] std::int64_t keeper_pid() const;
  // What does not work here or went wrong in taking over, as sentences for `status`. May grow.
  [[nodiscard]] std::vector<std::string> degraded() const;

 private:
  struct State;
  explicit LinuxProcesses(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace svd
