// SPDX-License-Identifier: Apache-2.0
// What svctl asks of a daemon, as values. DbusClient (dbus_client.h) is the one that talks; tests have a
// scripted one.
//
// Errors, by code: connection_refused (no daemon there), not_connected (the connection was lost:
// reconnect()), no_such_process (unknown name; the text suggests the nearest), invalid_argument (rendered
// diagnostics), permission_denied, timed_out, and io_error for the rest. The text is ready to be shown.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/app_spec.h"
#include "model/views.h"

namespace svd::cli {

using Names = std::vector<std::string>;  // as typed: "web", "web/0", "shop:web", "all", "/regex/"; empty: all
using SteadyTime = std::chrono::steady_clock::time_point;

// A change that was begun; id 0: there was nothing to do.
struct Begun {
  ChangeId change{};
  std::uint64_t revision = 0;
};

struct FailedSlot {
  std::string instance, phase, reason;
};

// A ChangeView whose failed slots say why.
struct ChangeReport {
  ChangeView view;
  std::vector<FailedSlot> failures;
};

struct DaemonView {
  std::string version;
  std::uint64_t keeper_pid = 0, engine_pid = 0;
  WallTime started, engine_started;
  std::uint64_t engine_starts = 0;
  std::vector<std::string> degraded;
  std::string address, state_directory, log_directory;
  std::string unsaved{};  // why the newest state is not on the disk; empty: it is
};

enum class Action { start, stop, restart, reload, remove };
// What is done with an update that runs.
enum class Steer { pause, resume, abort };

// What wait() can be woken by. `progress`: the watched change moved; `finished`: it ended. `event`,
// `instance`: as carried. `descriptor`: the one in `fd` is readable. `timeout`: `until` has come, or is so
// far away that it is time to ask again.
struct Happening {
  enum class Kind { timeout, descriptor, progress, finished, event, instance, message };
  Kind kind = Kind::timeout;
  int fd = -1;
  EventRecord event{};
  std::string instance{}, phase{}, reason{};
  std::string text{};  // of a message from `instance`: JSON
};

struct WaitFor {
  std::optional<SteadyTime> until{};  // none: for ever
  std::vector<int> descriptors{};     // borrowed
};

enum class Topic { events, instances, messages };

class Client {
 public:
  virtual ~Client() = default;

  // source.text, file, directory, profile, env_files and pass_env are sent.
  virtual Result<Begun> apply(const Source& source) = 0;
  virtual Result<std::vector<PlanStep>> plan(const Source& source) = 0;
  virtual Result<Begun> act(Action action, const Names& names) = 0;
  virtual Result<Begun> steer(Steer what, const std::string& app) = 0;
  // How many instances got it.
  virtual Result<std::uint32_t> send(const Names& names, const std::string& json) = 0;
  virtual Result<Begun> scale(const std::string& name, std::uint32_t instances) = 0;
  virtual Result<std::uint32_t> signal(const Names& names, int number, KillTarget whom) = 0;
  virtual Result<Begun> rollback(const std::string& ecosystem, std::uint64_t revision) = 0;
  virtual Result<> shutdown(bool force) = 0;
  virtual Result<> reexecute() = 0;

  // Without what only app() knows: exec, cwd, user, env, log, settings, degraded, generation, usage.
  virtual Result<std::vector<AppView>> apps(const Names& names) = 0;
  virtual Result<AppView> app(const AppId& id) = 0;
  // Of their use, memory and cpu_time.
  virtual Result<std::vector<InstanceView>> instances(const Names& names) = 0;
  // All of it, for those of `instances` that `names` names.
  virtual Result<> measure(const Names& names, std::vector<InstanceView>& instances) = 0;
  virtual Result<ChangeReport> change(ChangeId id) = 0;
  virtual Result<std::vector<RevisionView>> history(const std::string& ecosystem) = 0;
  virtual Result<std::vector<EventRecord>> events(std::uint64_t after, std::uint32_t limit) = 0;
  virtual Result<DaemonView> daemon() = 0;

  // From now on wait() reports this topic, or this change.
  virtual Result<> subscribe(Topic topic) = 0;
  virtual Result<> watch(ChangeId id) = 0;
  // Blocks until one thing happens. Error not_connected: the daemon went away.
  virtual Result<Happening> wait(const WaitFor& what) = 0;
  // A new connection with the same subscriptions. Tries until `until`, since an engine that starts anew needs
  // a moment.
  virtual Result<> reconnect(SteadyTime until) = 0;
};

}  // namespace svd::cli
