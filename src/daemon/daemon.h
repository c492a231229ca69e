// SPDX-License-Identifier: Apache-2.0
// Construction and wiring: every part is made here, in order, and knows only the interfaces of the others. No
// logic.
//
//   keeper ──reports──► LinuxProcesses ──Event──► Engine ──ports──► LinuxProcesses, Logs, StateStore
//   clients ──calls──► BusServer ──Control──► Engine ──Observer──► EventLog ──► BusServer, Log
//
// Whatever happens in a turn of the loop, reconcile() runs once, when nothing else is left to do.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/server.h"
#include "daemon/event_log.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/place_watch.h"
#include "daemon/places.h"
#include "engine/engine.h"
#include "kernel/channels.h"
#include "kernel/listeners.h"
#include "kernel/logs.h"
#include "kernel/processes.h"
#include "kernel/service_manager.h"
#include "kernel/state_store.h"
#include "loop/loop.h"
#include "model/directories.h"

namespace svd {

struct DaemonSettings {
  Options options;
  std::vector<std::string> arguments;  // for a new keeper
  Directories directories;
  std::vector<Directories> fallbacks;  // where it lives, with a file, when it cannot write to those
  std::string programs;                // the directory of this program, absolute
  int keeper_socket = 3;
  bool use_cgroups = true;
  bool own_cgroup_is_given = false;
  bool confine = true;
};

class Daemon final : public bus::Host {
 public:
  explicit Daemon(DaemonSettings settings);
  ~Daemon() override;

  // Serves until the end. The result is the process's exit code; the keeper was told already.
  int run();

  [[nodiscard]] bus::DaemonInfo info() const override;
  void before_request() override;
  void after_request() override { owe_reconcile(); }
  void reexecute() override;
  [[nodiscard]] std::uint32_t cpus() const override;
  void log(std::string_view line) override;

 private:
  Result<> open_log();
  Result<> take_place();
  Result<> take_state();
  Result<> find_place();
  Result<> take_lock(LockAttempt attempt);
  [[nodiscard]] bool follows() const;  // another engine of the same keeper
  Result<> sign_locks();
  void do_without_place(const std::string& why);
  Result<> watch_place();
  [[nodiscard]] bool has_place() const;
  void mend_place();
  void leave_place();
  [[nodiscard]] std::string notify_directory() const;
  Result<> make_notify_directory() const;
  Result<> connect();
  [[nodiscard]] Seal seal();
  Result<> confirm_lock();
  Result<> open_channels();
  Result<> open_store();
  Result<> start_engine();
  Result<> arm();
  Result<> apply_file(std::string who);
  Result<> listen();
  Result<> serve();
  [[nodiscard]] int give_up(const Error& error);

  void dispatch(const Event& event);
  void owe_reconcile();
  void reconcile();
  void finish();
  void settle();
  void join_system_bus();
  void confine_self();
  [[nodiscard]] ProcessesHandlers handlers();
  void complain(const Result<>& done);
  [[nodiscard]] bool has_file() const { return !settings_.options.file.empty(); }

  DaemonSettings settings_;
  std::vector<std::string> makeshifts_;  // what is used in the place of what cannot be written to
  bool ends_with_keeper_ = false;        // it never starts another one
  bool borrows_place_ = false;           // it lives in one of the fallbacks
  Log log_;
  std::optional<Loop> loop_;
  UniqueFd lock_;
  UniqueFd state_lock_;  // of the state directory; the keeper holds it on
  LockOwner owner_;
  bool lock_is_ours_ = false;  // taken by this engine, not by one before it
  bool state_lock_is_ours_ = false;
  std::string placeless_;  // why nobody finds this daemon; empty: it can be found
  bool mended_ = false;    // the next engine finds it as it should be
  PlaceWatch place_watch_;
  UniqueFd listening_;
  std::unique_ptr<ServiceManager> manager_;
  std::unique_ptr<Logs> logs_;
  std::unique_ptr<LinuxProcesses> processes_;
  Listeners listeners_;
  Channels channels_;
  std::unique_ptr<StateKeeping> store_;
  std::unique_ptr<bus::BusServer> bus_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<Engine> engine_;
  Idle reconcile_;
  Timer wake_;
  Timer trim_;
  Timer leave_;
  Timer mend_;
  std::optional<TimePoint> reconcile_owed_;
  WallTime engine_started_;
};

}  // namespace svd
