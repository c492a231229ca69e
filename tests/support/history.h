// SPDX-License-Identifier: Apache-2.0
// One random life of the whole supervisor: engines that come and go, a keeper that stays, a disk that may
// fail, people who change their minds, and time. Everything is drawn from one seed, so each history can be
// replayed.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support/fake_ports.h"
#include "support/history_file.h"
#include "support/invariants.h"
#include "support/trace.h"

namespace svd::test {

class History {
 public:
  explicit History(std::uint64_t seed) : random_{seed} {
    world_.lazy = true;
    world_.keep_records = false;
    world_.strict_changes = false;
    world_.refuse = [this](const LaunchPlan&) -> std::optional<StartFailure> {
      if (!chance(refusing_)) return std::nullopt;
      return StartFailure{static_cast<StartStage>(1 + below(14)), ENOENT, "/bin/nope"};
    };
    world_.ignores_stop = [this](const LaunchPlan&) { return chance(stubborn_); };
    world_.on_call = [this] {
      if (fuse_ > 0 && --fuse_ == 0) throw EngineKilled{};
    };
    world_.ignores_channel = world_.ignores_stop;
    world_.check_spawn = [this](const LaunchPlan& plan) { invariants_.check_spawn(engine_->state(), plan); };
    world_.is_given_up = [this](StartId id) {
      return engine_->state().strays.contains(static_cast<std::uint64_t>(id));
    };
    world_.on_closed = [this](const AppId& app, std::uint16_t port) {
      invariants_.check_closed(engine_->state(), app, port);
    };
    world_.on_record = [this](const EventRecord& record) { note(record); };
    world_.on_exit = [this](const FakeChild& child) { note_exit(child); };
    world_.on_spawned = [this](const SlotId& slot) { note_start(slot, true); };
    world_.on_refused = [this](const SlotId& slot) { note_start(slot, false); };
    world_.on_removed = [this](const SlotId& slot) { counts_.erase(slot); };
    revive();
  }

  // Runs `steps` random steps, then lets the faults cease. What was violated, in words; empty: nothing.
  std::vector<std::string> run(int steps) {
    if (verbose) {
      static const std::vector<std::string> verbs{"spawn", "signal", "kill", "await", "forget"};
      world_.on_operation = [this](const Operation& operation) {
        say("    " + verbs[static_cast<std::size_t>(operation.kind)] + " " +
            std::to_string(static_cast<std::uint64_t>(operation.id)));
      };
    }
    for (int i = 0; i < steps && world_.violations.empty(); ++i) {
      guarded([&] { step(); });
      say("step " + std::to_string(i));
    }
    if (world_.violations.empty()) guarded([&] { calm(); });
    return world_.violations;
  }

  // Of every call that the engines made.
  [[nodiscard]] const Trace& calls() const { return trace_; }

  bool verbose = false;

 private:
  std::uint32_t below(std::uint32_t bound) { return files_.below(bound); }
  bool chance(std::uint32_t percent) { return files_.chance(percent); }
  void violated(std::string what) { world_.violations.push_back(std::move(what)); }
  void say(const std::string& what) const {
    if (verbose) std::fprintf(stderr, "%s\n", what.c_str());
  }

  template <class Work>
  void guarded(Work&& work) {
    try {
      work();
    } catch (const EngineKilled&) {
      say("killed inside a call");
      revive();
    }
  }

  void revive() {
    if (world_.save_fails || world_.save_revision_fails)
      forget_counts();  // what people asked for may not be on record
    say("a new engine");
    const auto next_start = world_.on_record_now.next_start;
    // Beyond what was on record nobody can know which numbers were used, but by the keeper's table.
    std::erase_if(world_.ever, [&](StartId id) {
      return static_cast<std::uint64_t>(id) >= next_start && !world_.table.contains(id);
    });
    fuse_ = 0;
    invariants_.forget();
    engine_.reset();
    world_.engine_died();
    engine_ = std::make_unique<Engine>(trace_.ports(), random_());
    engine_->restore(world_.restored(), world_.now);
    reconcile();
  }

  void reconcile() {
    wake_ = engine_->reconcile(world_.now);
    invariants_.check(engine_->state());
    if (verbose && !world_.violations.empty()) say("violated: " + world_.violations.front());
  }

  bool deliver() {
    if (world_.events.empty()) return false;
    const auto event = world_.take_event();
    engine_->dispatch(event, world_.now);
    if (chance(5)) engine_->dispatch(event, world_.now);  // told twice: costs nothing
    return true;
  }

  void step() {
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        deliver();
        break;
      case 4:
        while (deliver()) {
        }
        break;
      case 5:
      case 6:
      case 7:
        reconcile();
        break;
      case 8:
      case 9:
        pass_time();
        break;
      case 10:
        kernel_happens();
        break;
      case 11:
      case 12:
      case 13:
        process_happens();
        break;
      case 14:
        request();
        break;
      case 15:
        disaster();
        break;
      default:
        break;
    }
  }

  void pass_time() {
    if (chance(50) && wake_ && *wake_ > world_.now.mono)
      world_.advance(*wake_ - world_.now.mono);
    else
      world_.advance(Millis{below(300)});
    if (wake_ && *wake_ <= world_.now.mono) reconcile();
  }

  void kernel_happens() {
    illness_ = static_cast<Illness>(chance(40) ? below(3) : 0);
    ill_ = 100 + below(4);
    refusing_ = chance(30) ? below(60) : 0;
    stubborn_ = chance(30) ? 50 : 0;
    world_.save_fails = chance(10);
    world_.save_revision_fails = chance(5);
  }

  // One process does something of its own accord, or what it was told to.
  void process_happens() {
    if (world_.table.empty()) return;
    const auto entry =
        std::next(world_.table.begin(), below(static_cast<std::uint32_t>(world_.table.size())));
    const auto id = entry->first;
    const auto& child = entry->second;
    if (child.doomed || child.awaited || child.exited)
      world_.let_vanish(id);
    else if (child.parting && chance(60))
      world_.let_part(id);
    else if (child.dying)
      world_.let_end(id);
    else if (child.drained && chance(50))
      world_.let_drain(id);
    else if (!is_told(child))
      get_ready(id, child);
    else if (is_ill(child) ? illness_ == Illness::crashes : chance(35))
      chance(50) ? world_.end(id, static_cast<int>(below(3))) : world_.crash(id);
  }

  // What a generation may have.
  enum class Illness : std::uint8_t { none, crashes, never_ready };
  [[nodiscard]] bool is_ill(const FakeChild& child) const {
    return illness_ != Illness::none && child.plan.generation == ill_;
  }
  static bool is_told(const FakeChild& child) {
    return child.told_ready || child.plan.ready.kind == ReadyGate::Kind::exec;
  }
  void get_ready(StartId id, const FakeChild& child) {
    if (!is_ill(child) || illness_ != Illness::never_ready) world_.let_ready(id);
  }

  // Everybody does what is to be done next.
  void all_happens(bool at_once) {
    for (const auto id : world_.unfinished()) {
      const auto& child = world_.table.at(id);
      if (child.doomed || child.awaited)
        world_.let_vanish(id);
      else if (!at_once && chance(50))
        continue;
      else if (child.parting)
        world_.let_part(id);
      else if (child.dying)
        world_.let_end(id);
      else if (!is_told(child))
        get_ready(id, child);
      else if (is_ill(child) && illness_ == Illness::crashes)
        world_.crash(id);
    }
  }

  Names random_names() {
    static const std::vector<std::string> names{"web",   "api",     "job", "web/0", "api/1",
                                                "a:web", "b:job/2", "a:",  "all",   "/we+b/"};
    return {names[below(static_cast<std::uint32_t>(names.size()))]};
  }

  void request() {
    meddle();
    engine_->set_now(world_.now);
    const std::string ecosystem = chance(80) ? "a" : "b";
    switch (below(11)) {
      case 0:
      case 1:
      case 2:
        static_cast<void>(engine_->apply(file(files_.make(ecosystem)), who_));
        break;
      case 3:
        static_cast<void>(engine_->start(random_names(), who_));
        break;
      case 4:
        static_cast<void>(engine_->stop(random_names(), who_));
        break;
      case 5:
        static_cast<void>(engine_->restart(random_names(), who_));
        break;
      case 6:
        static_cast<void>(engine_->scale(random_names().front(), below(6), who_));
        break;
      case 7:
        static_cast<void>(chance(50) ? engine_->rollback(ecosystem, below(4), who_)
                                     : engine_->remove(random_names(), who_));
        break;
      case 8:
        static_cast<void>(engine_->signal(random_names(), SIGHUP, KillTarget::main, who_));
        break;
      case 9:
        static_cast<void>(engine_->reload(random_names(), who_));
        break;
      case 10:
        meddle_with_update();
        break;
      default:
        break;
    }
    if (chance(70)) reconcile();
  }

  void meddle_with_update() {
    const auto name = random_names().front();
    switch (below(3)) {
      case 0:
        static_cast<void>(engine_->pause(name, who_));
        break;
      case 1:
        static_cast<void>(engine_->resume(name, who_));
        break;
      default:
        static_cast<void>(engine_->abort(name, who_));
        break;
    }
  }

  void disaster() {
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        revive();
        break;
      case 3:
      case 4:
        fuse_ = 1 + below(12);
        break;
      case 5:
        shut_down(chance(30));
        break;
      case 6:
        if (!chance(30)) break;
        meddle();
        forget_counts();
        say("reboot");
        world_.reboot();
        if (chance(30)) world_.taken.insert(static_cast<std::uint16_t>(80 + 10 * below(3)));
        revive();
        break;
      default:
        break;
    }
  }

  // An ordered stop, in the middle of whatever is going on; then the daemon comes back and finds what it
  // left.
  void shut_down(bool force) {
    meddle();
    engine_->set_now(world_.now);
    engine_->shutdown(who_, force);
    reconcile();
    for (int i = 0; i < 2000 && !engine_->finished(); ++i) {
      if (chance(1)) engine_->shutdown(who_, true);
      all_happens(false);
      while (deliver()) {
      }
      reconcile();
      world_.advance(Millis{50});
    }
    if (!engine_->finished()) violated("the shutdown did not end");
    if (!world_.living().empty()) violated("the shutdown left something running");
    if (world_.save_fails) forget_counts();
    world_.reboot();
    revive();
  }

  // Faults cease: it must converge in bounded time, then plan nothing and want no wake-up; every change has
  // ended.
  void calm() {
    refusing_ = stubborn_ = 0;
    fuse_ = 0;
    illness_ = Illness::none;
    files_.patient = true;
    world_.save_fails = world_.save_revision_fails = false;
    world_.taken.clear();
    for (const auto& [id, app] : engine_->state().apps)
      if (app.paused) static_cast<void>(engine_->resume(id.str(), who_));
    converge("after the faults ceased");
    check_settled(false);
    check_counts();
    for (const auto* name : {"a", "b"}) {
      const auto text = files_.make(name);
      engine_->set_now(world_.now);
      if (!engine_->apply(file(text), who_)) violated("a good file was refused");
      converge("after an apply");
      const auto left = engine_->plan(file(text));
      if (left && !left->empty())
        violated("a carried-out plan leaves something to do: " + to_text(left->front()));
      const auto spawns = world_.spawns;
      const auto again = engine_->apply(file(text), who_);
      if (!again || again->change != ChangeId{}) violated("applying the same file again begins a change");
      converge("after the same apply");
      if (world_.spawns != spawns) violated("applying the same file again starts something");
    }
    check_settled(true);
    for (const auto illness : {Illness::crashes, Illness::never_ready}) break_release(illness);
    revive();  // and a new engine finds nothing to do
    const auto spawns = world_.spawns, signals = world_.signals;
    converge("after a new engine took over");
    if (world_.spawns != spawns || world_.signals != signals)
      violated("a new engine touched what was as it should be");
  }

  // A release that does not work: those that serve are not touched, and the app stays what it was.
  void break_release(Illness illness) {
    const auto text = [&](int generation) {
      return "c\nweb instances=" + std::to_string(1 + wide_) +
             " surge=1 ready=500 min_ready=300 deadline=1500" +
             " delay=200 listen=280 rollback=1 gen=" + std::to_string(generation);
    };
    const auto apply = [&](int generation) {
      invariants_.meddle();
      engine_->set_now(world_.now);
      const auto begun = engine_->apply(file(text(generation)), who_);
      converge("after a release");
      return begun && engine_->change(begun->change) ? engine_->change(begun->change)->state : "";
    };
    wide_ = below(4);
    apply(7);
    const auto before = starts_of("c:web");
    illness_ = illness;
    ill_ = 108;
    const auto refused = apply(8);
    if (!world_.violations.empty()) return;
    if (refused != "failed") violated("a broken release did not fail");
    if (starts_of("c:web") != before) violated("a broken release touched what served");
    illness_ = Illness::none;
    if (apply(8) != "succeeded") violated("a mended release did not succeed");
  }
  std::vector<std::uint64_t> starts_of(const std::string& app) {
    std::vector<std::uint64_t> out;
    const auto views = engine_->instances({app});
    if (views)
      for (const auto& view : *views) out.push_back(view.phase == Phase::ready ? view.start : 0);
    return out;
  }

  void converge(const std::string& when) {
    for (int i = 0; i < 3000; ++i) {
      while (deliver()) {
      }
      reconcile();
      if (!world_.violations.empty()) return;
      all_happens(true);
      if (!world_.events.empty()) continue;
      if (!wake_) return;
      if (*wake_ > world_.now.mono) world_.advance(*wake_ - world_.now.mono);
    }
    violated("it does not converge " + when);
  }

  void check_settled(bool healthy) {
    const auto instances = engine_->instances({}).value();
    for (const auto& view : instances) {
      const bool rests = view.phase == Phase::stopped || view.phase == Phase::failed;
      const bool runs = view.phase == Phase::ready || view.phase == Phase::completed;
      const bool held =
          !healthy &&
          !engine_->app(view.id.app)->degraded.empty();  // its revision was lost: nothing is started
      const bool waits = view.reason.starts_with("waiting for ");  // for what failed, or was stopped
      if (!view.role.empty()) violated(view.id.str() + " has two at rest");
      if (!runs && !held && (healthy || (!rests && !waits)))
        violated(view.id.str() + " settled in " + std::string{to_text(view.phase)} + ": " + view.reason);
      if ((view.phase == Phase::ready) != (world_.living_in(view.id) != nullptr))
        violated(view.id.str() + " is told wrongly");
    }
    const auto apps = engine_->apps({}).value();
    for (const auto& view : apps) {
      const auto slots = engine_->instances({view.id.str()}).value().size();
      const bool held = !healthy && !view.degraded.empty();
      if (slots != view.instances && !held)
        violated(view.id.str() + " has " + std::to_string(slots) + " slots");
    }
    for (const auto id : engine_->changes())
      if (engine_->change(id)->state == "running")
        violated("a change never ends: " + engine_->change(id)->kind);
  }

  // Restarts: each end that nobody asked for, followed by a start while nobody meddled, counts once, across
  // engines.
  struct Count {
    std::uint64_t least = 0, most = 0;
    bool ended = false, first = true;
  };
  void note_exit(const FakeChild& child) {
    const auto found = counts_.find(child.plan.slot);
    if (found == counts_.end()) return;
    const auto app = engine_->app(child.plan.slot.app);
    const auto view = engine_->instance(child.plan.slot);
    const bool up = view && (view->phase == Phase::ready || view->phase == Phase::starting);
    // While a change goes on, the start that follows may be its doing.
    const bool quiet = app && app->state != "updating" && app->generation == view->generation && !changing();
    const bool main = view && view->start == static_cast<std::uint64_t>(child.plan.id);
    found->second.ended = !child.asked && up && quiet && main;
  }
  [[nodiscard]] bool changing() const {
    const auto ids = engine_->changes();
    return std::ranges::any_of(ids, [&](ChangeId id) { return engine_->change(id)->state == "running"; });
  }
  void note_start(const SlotId& slot, bool started) {
    auto& count = counts_[slot];
    if (!count.first) ++count.most;
    const auto app = engine_->app(slot.app);  // what an update starts beside it is no restart
    if (started && count.ended && app && app->state != "updating") ++count.least;
    if (started) count.ended = false;
    count.first = false;
  }
  // What is recorded of an app that goes back is judged when it is.
  void note(const EventRecord& record) {
    if (verbose) say("  " + record.kind + " " + record.subject + ": " + record.text);
    if (!record.text.starts_with("the update failed: going back")) return;
    for (const auto& [id, app] : engine_->state().apps)
      if (id.str() == record.subject) return invariants_.check_revert(engine_->state(), id);
  }

  void meddle() {
    invariants_.meddle();
    for (auto& [slot, count] : counts_) count.ended = false;
  }
  void forget_counts() { counts_.clear(); }
  void check_counts() {
    for (const auto& [slot, count] : counts_) {
      const auto view = engine_->instance(slot);
      if (!view || known_.contains(slot)) continue;
      if (view->restarts < count.least)
        violated(slot.str() + " counts " + std::to_string(view->restarts) + " restarts, not " +
                 std::to_string(count.least));
    }
  }

  std::mt19937_64 random_;
  RandomFile files_{random_};
  FakeWorld world_;
  Trace trace_{ports_of(world_)};
  Invariants invariants_{world_};
  std::unique_ptr<Engine> engine_;
  std::optional<TimePoint> wake_;
  Actor who_{0, "root"};
  std::uint32_t refusing_ = 0, stubborn_ = 0, fuse_ = 0, wide_ = 0;
  Illness illness_ = Illness::none;
  std::uint64_t ill_ = 0;
  std::map<SlotId, Count> counts_;
  std::set<SlotId> known_;
};

}  // namespace svd::test
