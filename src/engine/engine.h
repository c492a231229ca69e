// SPDX-License-Identifier: Apache-2.0
// The only owner of mutable state. Pure: no clock, no system call, no YAML; the world is behind Ports. The
// daemon feeds it events and calls reconcile() once when no event is left; the simulation does the same with
// fakes.
//
//   dispatch(event, now)   changes what is observed, and nothing else
//   reconcile(now)         compares desired with observed, carries out the difference through the ports, and
//   returns
//                          when it wants to be called again although nothing happens
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/control.h"
#include "engine/event.h"
#include "engine/ports.h"

namespace svd {

// A child as the keeper knows it: the truth about what runs, when a new engine takes over.
struct KnownChild {
  StartId id{};
  SlotId slot;
  std::uint64_t revision = 0;
  std::uint64_t generation = 0;
  std::int64_t pid = 0;
  bool exited = false;  // status is set; not yet forgotten
  ExitStatus status;
  WallTime started;
};

struct Restored {
  std::string runtime;               // what StatePort::save() was last given; empty: none
  std::vector<Revision> revisions;   // all that could be read
  std::vector<KnownChild> children;  // the keeper's table
  // How the engine before this one ended; nullopt: it left of its own accord, or nobody saw it.
  std::optional<ExitStatus> former{};
  std::vector<std::string> problems{};  // what was found when all this was read
};

class Engine final : public Control {
 public:
  struct State;  // engine/state.h: for the engine's own files, and tests

  Engine(Ports ports, std::uint64_t seed);
  ~Engine() override;

  // Once, before anything else: takes over what a former engine (or nobody) left. What is running and wanted
  // stays untouched; what is running and belongs to nothing is stopped. Problems are events and returned as
  // sentences.
  std::vector<std::string> restore(Restored from, Now now);

  void dispatch(const Event& event, Now now);
  // The time of the next wake-up that is needed even if nothing happens; nullopt: none.
  std::optional<TimePoint> reconcile(Now now);
  // What happened to the daemon itself becomes an event.
  void happened(std::string subject, std::string text, Now now);
  // Requests below use this reading; the daemon sets it before each one.
  void set_now(Now now);
  // This daemon belongs to its apps (`svd FILE`): when an essential one has failed for good, or all that is
  // essential has ended, it shuts down (essential.cpp). To be called before the first reconcile().
  void end_with_apps();
  // All that it remembers: what is true of it at any time is a test's business, too.
  [[nodiscard]] const State& state() const { return *state_; }
  // All is stopped after shutdown(): the daemon may end, with exit_code().
  [[nodiscard]] bool finished() const;
  [[nodiscard]] int exit_code() const;

  Result<Begun> apply(Source source, const Actor& who) override;
  Result<std::vector<PlanStep>> plan(Source source) override;
  Result<Begun> start(const Names& names, const Actor& who) override;
  Result<Begun> stop(const Names& names, const Actor& who) override;
  Result<Begun> restart(const Names& names, const Actor& who) override;
  Result<Begun> reload(const Names& names, const Actor& who) override;
  Result<Begun> pause(const std::string& app, const Actor& who) override;
  Result<Begun> resume(const std::string& app, const Actor& who) override;
  Result<Begun> abort(const std::string& app, const Actor& who) override;
  Result<std::uint32_t> send(const Names& names, const std::string& json, const Actor& who) override;
  Result<Begun> remove(const Names& names, const Actor& who) override;
  Result<Begun> scale(const std::string& app, std::uint32_t instances, const Actor& who) override;
  Result<std::uint32_t> signal(const Names& names, int number, KillTarget whom, const Actor& who) override;
  Result<Begun> rollback(const std::string& ecosystem, std::uint64_t revision, const Actor& who) override;
  void shutdown(const Actor& who, bool force) override;
  [[nodiscard]] Result<std::vector<AppView>> apps(const Names& names) const override;
  [[nodiscard]] Result<std::vector<InstanceView>> instances(const Names& names) const override;
  [[nodiscard]] std::optional<AppView> app(const AppId& id) const override;
  [[nodiscard]] std::optional<InstanceView> instance(const SlotId& id) const override;
  [[nodiscard]] Usage usage(const AppId& id, Figures figures) const override;
  [[nodiscard]] Usage usage(const SlotId& id, StartId start, Figures figures) const override;
  [[nodiscard]] std::optional<ChangeView> change(ChangeId id) const override;
  [[nodiscard]] std::vector<ChangeId> changes() const override;
  [[nodiscard]] Result<std::vector<RevisionView>> history(const std::string& ecosystem) const override;
  [[nodiscard]] std::vector<EventRecord> events(std::uint64_t after, std::uint32_t limit) const override;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace svd
