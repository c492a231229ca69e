// SPDX-License-Identifier: Apache-2.0
// The world as the engine's tests know it: a keeper that outlives engines, a disk, an observer. Honest: what
// it is told it does, in order, and it says so by events; what breaks a rule that the real world depends on
// is collected in `violations`.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/saving/saved.h"

namespace svd::test {

// Thrown out of a port call: the engine is killed there and then.
struct EngineKilled {};

struct FakeChild {
  LaunchPlan plan;
  std::int64_t pid = 0;
  bool exited = false, gone = false;
  bool told_gone = false;   // the present engine knows that nothing is left of it
  bool asked = false;       // it was signalled or killed: its end is no surprise
  bool ignores = false;     // the stop signal
  bool dying = false;       // the stop signal arrived, and it ends when the world lets it
  bool doomed = false;      // kill() was called
  bool awaited = false;     // await() was called
  bool drained = false;     // drain() was called
  bool parting = false;     // disconnect() was called, and it listens to its channel
  bool told_ready = false;  // it has said so, and that waits or was heard
  ExitStatus status;
  WallTime started;
  std::vector<int> signals;
  std::vector<std::string> messages;  // over its channel
};

struct Operation {
  enum class Kind { spawn, signal, kill, await, forget } kind = Kind::spawn;
  LaunchPlan plan;
  StartId id{};
  int number = 0;
};

class FakeWorld final : public ProcessPort,
                        public ListenerPort,
                        public ChannelPort,
                        public LimitPort,
                        public LogPort,
                        public StatePort,
                        public Observer {
 public:
  // How the world behaves; a test changes it at will. All answer "well" by default.
  std::function<std::optional<StartFailure>(const LaunchPlan&)> refuse = [](const LaunchPlan&) {
    return std::nullopt;
  };
  std::function<bool(const LaunchPlan&)> ignores_stop = [](const LaunchPlan&) { return false; };
  std::function<bool(const LaunchPlan&)> ignores_channel = [](const LaunchPlan&) { return false; };
  std::function<bool(const LaunchPlan&)> gets_ready = [](const LaunchPlan&) { return true; };
  // Its end is as good as done, though the keeper has yet to be told: nobody keeps anything for it.
  std::function<bool(StartId)> is_given_up = [](StartId) { return false; };
  std::function<void()> on_call = [] {};  // before each effect; may throw EngineKilled
  // An order to start that is lost on its way: nobody answers it.
  std::function<bool(const LaunchPlan&)> loses = [](const LaunchPlan&) { return false; };
  bool save_fails = false, save_revision_fails = false;
  std::ptrdiff_t beside = 0;  // how many of a slot there may be when another one is started
  bool lazy = false;          // nothing happens by itself: see what a history lets happen

  Now now{TimePoint{Nanos{1'000'000'000'000}}, WallTime{1'700'000'000'000'000}};
  std::deque<Event> events;            // to be dispatched; lost when the engine dies
  std::map<StartId, FakeChild> table;  // the keeper's
  std::set<StartId> ever;              // every start that was ever carried out
  std::set<StartId> lost;              // those that nobody answers
  std::vector<std::string> violations;
  std::string saved;
  SavedState on_record_now;  // the same, read
  std::map<std::pair<Name, std::uint64_t>, Revision> revisions;
  std::vector<EventRecord> records;
  std::vector<std::string> told;  // the observer's calls that make or remove something
  std::size_t saves = 0, spawns = 0, signals = 0;
  std::map<SlotId, LogPolicy> logs;

  void advance(Nanos by) {
    now.mono += by;
    now.wall.micros += std::chrono::duration_cast<std::chrono::microseconds>(by).count();
  }

  // ProcessPort: collected until flush(), as the keeper's client does.
  void spawn(LaunchPlan plan) override {
    on_call();
    const auto id = plan.id;
    pending_.push_back({Operation::Kind::spawn, std::move(plan), id, 0});
  }
  void signal(StartId id, int number, KillTarget) override {
    on_call();
    check_alive(id, "signal");
    pending_.push_back({Operation::Kind::signal, {}, id, number});
  }
  void kill(StartId id) override {
    on_call();
    check_alive(id, "kill");
    pending_.push_back({Operation::Kind::kill, {}, id, 0});
  }
  void cancel(StartId) override { on_call(); }  // its answer is on its way
  void await(StartId id) override {
    on_call();
    check_alive(id, "await");
    const auto child = table.find(id);
    if (child == table.end() || !child->second.exited)
      violations.emplace_back("await of a start that has not ended");
    pending_.push_back({Operation::Kind::await, {}, id, 0});
  }
  void forget(std::span<const StartId> ids) override {
    on_call();
    for (const auto id : ids) pending_.push_back({Operation::Kind::forget, {}, id, 0});
  }
  void flush() override {
    on_call();
    for (auto& operation : std::exchange(pending_, {})) carry_out(operation);
  }
  [[nodiscard]] std::string directory(StartId id) const override {
    return "/srv/releases/" + std::to_string(static_cast<std::uint64_t>(id));
  }
  [[nodiscard]] std::string cgroup(StartId id, const SlotId& slot) const override {
    return "/cgroup/" + slot.str() + "." + std::to_string(static_cast<std::uint64_t>(id));
  }

  // ListenerPort: ports are all that matters. The keeper holds what is bound; a new engine has to ask for it.
  // Who was given a port is the one it is `bound` by, while those that gave it up have it, too.
  using ListenerPort::bind;
  Result<> bind(const AppSpec& spec, const AppId& app, std::uint32_t,
                std::span<const Giver> givers) override {
    for (const auto& listener : spec.listen) {
      const auto holder = bound.find(listener.port);
      const bool had = holder != bound.end() && (holder->second.first == app || has_too(app, listener.port));
      if (had) continue;
      if (taken.contains(listener.port) ||
          (holder != bound.end() && !gives(givers, holder->second.first, listener.port)))
        return fail(std::errc::address_in_use,
                    "cannot listen on port " + std::to_string(listener.port) + ": Address already in use");
    }
    for (const auto& listener : spec.listen) {
      known_.insert(listener.port);
      const auto holder = bound.find(listener.port);
      if (holder == bound.end() || holder->second.first == app)
        bound[listener.port] = {app, listener};
      else if (has_too(app, listener.port) && (givers.empty() || gives(givers, app, listener.port)))
        continue;  // it has it, as the other one has it
      else
        hand_over(listener, app);
    }
    return {};
  }
  void retain(const AppId& app, std::span<const Listener> keep, bool gone) override {
    const auto lets_go = [&](std::uint16_t port) {
      return gone || std::ranges::none_of(keep, [&](const auto& listener) { return listener.port == port; });
    };
    std::erase_if(formerly, [&](const auto& entry) {
      const auto& [port, former] = entry;
      if (former != app || !lets_go(port)) return false;
      check_unused(app, port);
      return true;
    });
    for (auto entry = bound.begin(); entry != bound.end();) {
      auto& [port, held] = *entry;
      const auto former = formerly.lower_bound({port, {}});
      if (held.first != app || !lets_go(port)) {
        ++entry;
      } else if (former != formerly.end() && former->first == port) {
        check_unused(app, port);
        held.first = former->second;
        formerly.erase(former);
      } else {
        check_unused(app, port);
        if (on_closed) on_closed(app, port);
        entry = bound.erase(entry);
      }
    }
  }
  void retain_all(std::span<const AppId> apps) override {
    std::set<AppId> others;
    for (const auto& [port, held] : bound) others.insert(held.first);
    for (const auto& [port, app] : formerly) others.insert(app);
    for (const auto& app : others)
      if (!std::ranges::binary_search(apps, app)) retain(app, {}, true);
  }
  [[nodiscard]] std::vector<AppId> holders(const Name& ecosystem) const override {
    std::set<AppId> all;
    for (const auto& [port, held] : bound) all.insert(held.first);
    for (const auto& [port, app] : formerly) all.insert(app);
    std::erase_if(all, [&](const AppId& id) { return id.ecosystem != ecosystem; });
    return {all.begin(), all.end()};
  }
  void serve(const AppId& app, std::span<const std::pair<std::uint32_t, StartId>> ready) override {
    served[app] = {ready.begin(), ready.end()};
  }
  [[nodiscard]] bool has_waiting(const AppId&, std::uint32_t, StartId id) const override {
    return waiting.contains(id);
  }
  std::set<StartId> waiting;  // connections, in their own sockets
  [[nodiscard]] std::vector<std::string> describe(const AppId& app) const override {
    std::vector<std::string> out;
    for (const auto& [port, held] : bound)
      if (held.first == app || has_too(app, port)) out.push_back("tcp *:" + std::to_string(port));
    return out;
  }
  std::map<std::uint16_t, std::pair<AppId, Listener>> bound;
  std::set<std::pair<std::uint16_t, AppId>> formerly;  // those who gave up a port, and still have it
  std::set<std::uint16_t> taken;                       // by somebody else
  std::map<AppId, std::vector<std::pair<std::uint32_t, StartId>>> served;

  // ChannelPort
  void drain(StartId id) override {
    on_call();
    check_alive(id, "drain");
    if (const auto child = table.find(id); child != table.end()) child->second.drained = true;
  }
  void disconnect(StartId id, const std::string& message) override {
    on_call();
    check_alive(id, "disconnect");
    const auto found = table.find(id);
    if (found == table.end() || found->second.exited) return;
    auto& child = found->second;
    if (child.plan.channel == ChannelKind::none && is_on_disk(child.plan))
      violations.push_back("disconnect without a channel: start " +
                           std::to_string(static_cast<std::uint64_t>(id)) + ", revision " +
                           std::to_string(child.plan.revision));
    child.asked = true;
    child.messages.push_back(message);
    if (ignores_channel(child.plan)) return;
    child.parting = true;
    if (!lazy) let_part(id);
  }
  Result<> send(StartId id, const std::string&) override {
    const auto found = table.find(id);
    if (found == table.end() || found->second.plan.channel == ChannelKind::none)
      return fail(std::errc::not_connected, "cannot send: it has no channel");
    return accepts(found->second.plan);
  }
  std::function<Result<>(const LaunchPlan&)> accepts = [](const LaunchPlan&) { return Result<>{}; };

  // LimitPort
  void adjust(const AppId& app, const Limits& limits) override {
    on_call();
    app_limits[app] = limits;
  }
  void adjust(StartId id, const SlotId&, const Limits& limits) override {
    on_call();
    limits_told.emplace_back(id, limits);
  }
  [[nodiscard]] std::vector<std::string> unenforceable(const AppId&, const AppSpec& spec) const override {
    const bool any = !has_memory_controller && (spec.limits.memory || spec.app_limits.memory);
    return any ? std::vector<std::string>{"limits.memory cannot be enforced here: no controller"}
               : std::vector<std::string>{};
  }
  [[nodiscard]] Usage usage(const AppId&, Figures) const override { return {}; }
  [[nodiscard]] Usage usage(StartId id, const SlotId&, Figures figures) const override {
    Usage out;
    if (!table.contains(id)) return out;
    out.memory = 1U << 20;
    if (figures == Figures::all) out.pids = 1;
    return out;
  }
  bool has_memory_controller = true;
  std::map<AppId, Limits> app_limits;
  std::vector<std::pair<StartId, Limits>> limits_told;

  // LogPort
  void attach(const SlotId& slot, const LogPolicy& policy) override { logs[slot] = policy; }
  void detach(const SlotId& slot) override { logs.erase(slot); }
  [[nodiscard]] LogPolicy::To automatic() const override { return LogPolicy::To::file; }
  [[nodiscard]] std::string where(const SlotId& slot, const LogPolicy&) const override {
    return "/log/" + slot.str();
  }

  // StatePort
  bool save(const std::string& runtime) override {
    on_call();
    if (save_fails) return false;
    ++saves;
    saved = runtime;
    if (auto read = read_state(saved))
      on_record_now = std::move(*read);
    else
      violations.emplace_back("what was saved cannot be read");
    return true;
  }
  bool save_revision(const Revision& revision) override {
    on_call();
    if (save_revision_fails) return false;
    revisions[{revision.view.ecosystem, revision.view.number}] = revision;
    return true;
  }
  Result<Revision> load_revision(const Name& ecosystem, std::uint64_t number) override {
    const auto found = revisions.find({ecosystem, number});
    if (found == revisions.end())
      return fail(std::errc::no_such_file_or_directory, "cannot read the revision: no such file");
    return found->second;
  }
  void remove_revision(const Name& ecosystem, std::uint64_t number) override {
    revisions.erase({ecosystem, number});
  }

  // Observer
  void instance_changed(const SlotId&) override {}
  void instance_removed(const SlotId& id) override {
    told.push_back("removed " + id.str());
    if (on_removed) on_removed(id);
  }
  void app_changed(const AppId&) override {}
  void app_removed(const AppId& id) override { told.push_back("removed " + id.str()); }
  void change_started(ChangeId id) override { open.insert(id); }
  void change_changed(ChangeId) override {}
  void change_finished(ChangeId id) override {
    if (open.erase(id) == 0 && strict_changes)
      violations.emplace_back("a change finished that was not running");
  }
  void event(const EventRecord& record) override {
    if (record.text.find("→ starting") != std::string::npos && !record.text.ends_with(" ") &&
        record.text.find("→ starting: ") == std::string::npos)
      violations.push_back("a start without a cause: " + record.subject);
    if (keep_records) records.push_back(record);
    if (on_record) on_record(record);
  }
  std::function<void(const SlotId&)> on_removed, on_spawned, on_refused;
  std::function<void(const FakeChild&)> on_exit;
  std::function<void(const AppId&, std::uint16_t)> on_closed;
  std::function<void(const EventRecord&)> on_record;
  std::function<void(const Operation&)> on_operation;
  std::function<void(const LaunchPlan&)> check_spawn;
  std::set<ChangeId> open;
  bool keep_records = true, strict_changes = true;

  // What happens by itself.
  void exit(StartId id, ExitStatus status) {
    auto& child = table.at(id);
    if (child.exited) return;
    child.exited = true;
    child.status = status;
    if (on_exit) on_exit(child);
    events.push_back(Exited{id, status});
    vanish_if_doomed(child);
  }
  void crash(StartId id) { exit(id, {ExitStatus::Kind::signal, 9, false}); }
  void end(StartId id, int code) { exit(id, {ExitStatus::Kind::code, code, false}); }
  void let_end(StartId id) {
    if (table.at(id).dying) exit(id, {ExitStatus::Kind::signal, SIGTERM, false});
  }
  // It has closed its channel, and ends as Node does when nothing else is left to do.
  void let_part(StartId id) {
    if (!table.at(id).parting) return;
    events.push_back(Drained{id});
    end(id, 0);
  }
  // No client is left.
  void let_drain(StartId id) {
    if (std::exchange(table.at(id).drained, false)) events.push_back(Drained{id});
  }
  // The gate of its ReadyGate is met.
  void let_ready(StartId id) {
    auto& child = table.at(id);
    if (child.plan.ready.kind == ReadyGate::Kind::exec || child.exited) return;
    child.told_ready = true;
    events.push_back(ToldReady{id});
  }
  void let_vanish(StartId id) {
    auto& child = table.at(id);
    if ((!child.doomed && !child.awaited) || child.gone) return;
    exit(id, {ExitStatus::Kind::signal, SIGKILL, false});
    if (!child.gone) vanish(child);
  }
  [[nodiscard]] std::vector<StartId> living() const {
    std::vector<StartId> out;
    for (const auto& [id, child] : table)
      if (!child.exited) out.push_back(id);
    return out;
  }
  // Those of which something is left, or may be.
  [[nodiscard]] std::vector<StartId> unfinished() const {
    std::vector<StartId> out;
    for (const auto& [id, child] : table)
      if (!child.gone) out.push_back(id);
    return out;
  }
  [[nodiscard]] FakeChild* living_in(const SlotId& slot) {
    for (auto& [id, child] : table)
      if (child.plan.slot == slot && !child.exited) return &child;
    return nullptr;
  }

  // The next thing for the engine to hear.
  Event take_event() {
    const auto event = events.front();
    events.pop_front();
    if (const auto* gone = std::get_if<Gone>(&event))
      if (const auto child = table.find(gone->id); child != table.end()) child->second.told_gone = true;
    return event;
  }

  // The engine died: what it had not sent is lost, and so is what it had not read; but what a program says
  // waits in a socket.
  void engine_died() {
    pending_.clear();
    for (const auto& event : events)
      if (const auto* unheard = std::get_if<ToldReady>(&event))
        if (const auto child = table.find(unheard->id); child != table.end())
          child->second.told_ready = false;
    events.clear();
    open.clear();
    known_.clear();
    for (auto& [id, child] : table) child.told_gone = false;
  }
  [[nodiscard]] Restored restored() const {
    Restored out;
    out.runtime = saved;
    for (const auto& [key, revision] : revisions) out.revisions.push_back(revision);
    for (const auto& [id, child] : table)
      out.children.push_back({id, child.plan.slot, child.plan.revision, child.plan.generation, child.pid,
                              child.exited, child.status, child.started});
    return out;
  }
  // A new machine: nothing runs, the disk is what it was.
  void reboot() {
    engine_died();
    table.clear();
    bound.clear();
    formerly.clear();
  }

 private:
  void check_alive(StartId id, const char* what) {
    const auto child = table.find(id);
    const bool known = child != table.end() && !child->second.told_gone;
    if (!known && !is_pending(id) && !lost.contains(id) && !is_failing(id))
      violations.push_back(std::string{what} + " to start " + std::to_string(static_cast<std::uint64_t>(id)) +
                           ", which is gone");
  }
  // That it could not be started is on its way to the engine.
  [[nodiscard]] bool is_failing(StartId id) const {
    return std::ranges::any_of(events, [&](const Event& event) {
      const auto* failed = std::get_if<SpawnFailed>(&event);
      return failed != nullptr && failed->id == id;
    });
  }
  [[nodiscard]] bool is_pending(StartId id) const {
    return std::ranges::any_of(
        pending_, [&](const Operation& o) { return o.kind == Operation::Kind::spawn && o.id == id; });
  }

  void carry_out(Operation& operation) {
    if (on_operation) on_operation(operation);
    switch (operation.kind) {
      case Operation::Kind::spawn:
        start(std::move(operation.plan));
        return;
      case Operation::Kind::signal: {
        ++signals;
        const auto found = table.find(operation.id);
        if (found == table.end() || found->second.exited) return;
        auto& child = found->second;
        child.signals.push_back(operation.number);
        child.asked = true;
        if (child.ignores) return;
        child.dying = true;
        if (!lazy) let_end(operation.id);
        return;
      }
      case Operation::Kind::kill: {
        if (lost.erase(operation.id) > 0) events.push_back(Gone{operation.id});
        const auto found = table.find(operation.id);
        if (found == table.end()) return;
        auto& child = found->second;
        child.doomed = true;
        child.asked = true;
        if (child.gone)
          events.push_back(Gone{operation.id});  // asked again by a new engine, which does not know
        else if (!lazy)
          let_vanish(operation.id);
        return;
      }
      case Operation::Kind::await: {
        auto& child = table.at(operation.id);
        child.awaited = true;
        if (child.gone)
          events.push_back(Gone{operation.id});
        else if (!lazy)
          let_vanish(operation.id);
        return;
      }
      case Operation::Kind::forget:
        forget_one(operation.id);
        return;
    }
  }

  void start(LaunchPlan plan) {
    if (check_spawn) check_spawn(plan);
    const auto name =
        plan.slot.str() + " (start " + std::to_string(static_cast<std::uint64_t>(plan.id)) + ")";
    if (!ever.insert(plan.id).second) violations.push_back("a start number was used twice: " + name);
    const auto others = std::ranges::count_if(
        table, [&](const auto& entry) { return entry.second.plan.slot == plan.slot && !entry.second.gone; });
    if (others > beside) violations.push_back("a start before the former one was gone: " + name);
    ++spawns;
    if (loses(plan)) {
      lost.insert(plan.id);
      return;
    }
    auto failure = refuse(plan);
    if (const auto done = write_out(plan, {}); !done)
      failure = StartFailure{StartStage::none, 0, done.error().text};
    for (const auto& listener : plan.listen)
      if (!bound.contains(listener.port) || !known_.contains(listener.port))
        violations.push_back("a start without its listener: " + name);
    if (failure) {
      if (on_refused) on_refused(plan.slot);
      events.push_back(SpawnFailed{plan.id, *failure});
      return;
    }
    if (on_spawned) on_spawned(plan.slot);
    auto& child = table[plan.id];
    child.ignores = ignores_stop(plan);
    child.pid = next_pid_++;
    child.started = now.wall;
    child.plan = std::move(plan);
    events.push_back(Spawned{child.plan.id, child.pid});
    if (!lazy && gets_ready(child.plan)) let_ready(child.plan.id);
  }

  void vanish_if_doomed(FakeChild& child) {
    if (child.doomed && !child.gone && !lazy) vanish(child);
  }
  void vanish(FakeChild& child) {
    child.gone = true;
    events.push_back(Gone{child.plan.id});
  }

  // The exit must be on record, and nothing left that somebody would have to ask for.
  void forget_one(StartId id) {
    const auto found = table.find(id);
    if (found == table.end()) return;
    const auto& child = found->second;
    const auto name =
        child.plan.slot.str() + " (start " + std::to_string(static_cast<std::uint64_t>(id)) + ")";
    if (!child.exited || !child.gone) violations.push_back("forgotten while something is left: " + name);
    if (saved.empty()) violations.push_back("an exit was forgotten before anything was on record: " + name);
    const auto app = std::ranges::lower_bound(on_record_now.apps, child.plan.slot.app, {}, &SavedApp::id);
    if (app != on_record_now.apps.end() && app->id == child.plan.slot.app) {
      const auto knows = [&](const SavedSlot& one) {
        return one.index == child.plan.slot.slot && one.start == static_cast<std::uint64_t>(id) &&
               one.handled < static_cast<std::uint64_t>(id);
      };
      if (std::ranges::any_of(app->slots, knows) || std::ranges::any_of(app->besides, knows))
        violations.push_back("an exit was forgotten before it was on record: " + name);
    }
    table.erase(found);
  }

  // What was never saved a new engine cannot know.
  [[nodiscard]] bool is_on_disk(const LaunchPlan& plan) const {
    return revisions.contains({plan.slot.app.ecosystem, plan.revision});
  }

  std::vector<Operation> pending_;
  [[nodiscard]] bool has_too(const AppId& app, std::uint16_t port) const {
    return formerly.contains({port, app});
  }
  static bool gives(std::span<const Giver> givers, const AppId& app, std::uint16_t port) {
    const auto giver = std::ranges::find(givers, app, &Giver::app);
    return giver != givers.end() &&
           std::ranges::none_of(giver->keeps, [&](const Listener& kept) { return kept.port == port; });
  }
  void hand_over(const Listener& listener, const AppId& to) {
    auto& held = bound.at(listener.port);
    formerly.erase({listener.port, to});
    formerly.insert({listener.port, held.first});
    held = {to, listener};
  }
  void check_unused(const AppId& app, std::uint16_t port) {
    for (const auto& [id, child] : table)
      if (!child.exited && child.plan.slot.app == app && uses(child.plan, port) && is_on_disk(child.plan) &&
          !is_given_up(id))
        violations.push_back("a listener in use was closed: port " + std::to_string(port));
  }
  static bool uses(const LaunchPlan& plan, std::uint16_t port) {
    return std::ranges::any_of(plan.listen, [&](const auto& listener) { return listener.port == port; });
  }

  std::set<std::uint16_t> known_;  // to the present engine
  std::int64_t next_pid_ = 1000;
};

}  // namespace svd::test
