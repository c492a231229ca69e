// SPDX-License-Identifier: Apache-2.0
// What must be true whatever happens: of the world and of the engine's memory, after each step of a history
// (history.h). What is not is a violation of the world.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "engine/state.h"
#include "support/fake_ports.h"

namespace svd::test {

class Invariants {
 public:
  explicit Invariants(FakeWorld& world) : world_{world} {}

  // Another engine: what the former one had in mind is not compared with.
  void forget() {
    before_.clear();
    meddle();
  }
  // A person did something: what followed from what was before may follow again.
  void meddle() {
    went_back_.clear();
    generations_.clear();
  }

  // After each reconcile.
  void check(const Engine::State& state) {
    for (const auto& [id, child] : world_.table)
      if (!child.exited) check_child(state, child);
    std::map<StartId, Phase> now;
    for (const auto& [id, app] : state.apps) {
      generations_[id] = app.version->spec.generation;
      check_app(state, app);
      for (const auto& slot : app.slots)
        if (slot) now[slot->occupant->start] = slot->phase();
    }
    before_ = std::move(now);
  }

  // Before a start is carried out: somebody wants it, it is known as nothing but a start, there is a place.
  void check_spawn(const Engine::State& state, const LaunchPlan& plan) {
    const auto name = plan.slot.str();
    const auto found = state.starts.find(static_cast<std::uint64_t>(plan.id));
    if (found == state.starts.end()) return violated("a start that the engine does not know: " + name);
    const auto& one = *found->second;
    const auto& slot = *one.slot;
    const auto& app = *slot.app;
    if (one.phase() != Phase::starting || lifecycle::pid_of(one.life.state) != 0)
      violated("a start of what is " + std::string{to_text(one.phase())} + ": " + name);
    if (app.leaving || !slot.wanted || app.is_surplus(slot) || one.goes() || state.shutting)
      violated("a start that nobody wants: " + name);
    world_.beside = count_known(state, slot) - 1;
    if (one.role == Role::replacement) {
      if (plan.generation != app.version->spec.generation)
        violated("a replacement of another generation: " + name);
      if (count_running(state, app) >= most(app)) violated("one too many is started: " + name);
    }
  }

  // A socket is closed.
  void check_closed(const Engine::State& state, const AppId& id, std::uint16_t port) {
    const auto app = state.apps.find(id);
    if (app == state.apps.end() || app->second.leaving) return;
    const auto& listen = app->second.version->spec.listen;
    if (std::ranges::find(listen, port, &Listener::port) != listen.end())
      violated("a listener that its file has was closed: port " + std::to_string(port));
  }

  // An app has gone back by itself, since the last check().
  void check_revert(const Engine::State& state, const AppId& id) {
    const auto found = state.apps.find(id);
    if (found == state.apps.end()) return violated("an app that is no more goes back: " + id.str());
    const auto& app = found->second;
    if (!app.stable || !proved_.contains({id, app.stable->spec.generation}))
      violated("it goes back to what was never stable: " + id.str());
    else if (const auto was = generations_.find(id);
             was != generations_.end() && was->second == app.stable->spec.generation)
      violated("it goes back to itself: " + id.str());
    if (!went_back_.insert(id).second) violated("it goes back again and again: " + id.str());
  }

 private:
  void violated(std::string what) { world_.violations.push_back(std::move(what)); }

  static plan::RolloutRules rules_of(const App& app) {
    return plan::rules_of(app.version->spec.update, app.instances());
  }
  static std::size_t most(const App& app) { return app.instances() + rules_of(app).surge; }

  // Those of which the engine knows that something is left, those that it gave up among them.
  [[nodiscard]] std::ptrdiff_t count_known(const Engine::State& state, const Slot& slot) const {
    std::ptrdiff_t count = 0;
    slot.each_occupant([&](const Occupant& one) { count += is_live(one.phase()) ? 1 : 0; });
    for (const auto& [id, child] : world_.table)
      if (child.plan.slot == id_of(slot) && state.strays.contains(static_cast<std::uint64_t>(id))) ++count;
    return count;
  }

  // In the slots that are to stay: one that a person stops is no matter of the rollout, however long its
  // processes take to end. What a new engine gave up is killed already.
  [[nodiscard]] std::size_t count_running(const Engine::State& state, const App& app) const {
    const auto stays = [&](std::uint32_t index) {
      return index < app.instances() && index < app.slots.size() && app.slots[index] &&
             app.slots[index]->wanted;
    };
    std::size_t count = 0;
    for (const auto& [id, child] : world_.table) {
      const bool of_it = child.plan.slot.app == app.id && stays(child.plan.slot.slot);
      if (of_it && !child.gone && !state.strays.contains(static_cast<std::uint64_t>(id))) ++count;
    }
    return count;
  }

  // Nothing runs that the engine does not know of, or has not given up.
  void check_child(const Engine::State& state, const FakeChild& child) {
    const auto number = static_cast<std::uint64_t>(child.plan.id);
    if (state.strays.contains(number)) return;
    const auto name = child.plan.slot.str() + " (start " + std::to_string(number) + ")";
    const auto found = state.starts.find(number);
    if (found == state.starts.end()) return violated("it runs without being supervised: " + name);
    const auto& one = *found->second;
    if (one.start != child.plan.id || !is_live(one.phase()) || !is_of(one, child.plan.slot))
      violated("it runs as something else: " + name);
    const bool stays = one.phase() != Phase::stopping && !one.goes();
    if (stays && one.slot->app->is_surplus(*one.slot) && !state.held.contains(one.slot->app->id))
      violated("one too many runs: " + name);
  }
  static bool is_of(const Occupant& one, const SlotId& id) {
    return one.slot->app->id == id.app && one.slot->index == id.slot;
  }

  void check_app(const Engine::State& state, const App& app) {
    if (app.reverting && !app.rolling) violated("it goes back, but does nothing: " + app.id.str());
    check_stable(app);
    std::uint32_t missing = 0, taken = 0;
    for (const auto& slot : app.slots) {
      if (!slot) continue;
      check_slot(app, *slot);
      const bool counts = slot->wanted && !app.is_surplus(*slot) && slot->renewal != Renewal::restart;
      if (!counts) continue;
      note_rest(*slot);
      missing += is_missing(slot->phase()) && !rested_.contains(id_of(*slot)) ? 1 : 0;
      taken += was_taken(*slot) ? 1 : 0;
    }
    if (taken > 0 && !state.shutting && missing > rules_of(app).unavailable)
      violated(std::to_string(missing) + " of " + app.id.str() + " are missing in an update");
  }

  static SlotId id_of(const Slot& slot) { return {slot.app->id, slot.index}; }

  // What had come to an end had nobody to miss it.
  void note_rest(const Slot& slot) {
    const auto& state = slot.occupant->life.state;
    const auto* stopping = std::get_if<lifecycle::Stopping>(&state);
    const auto phase = stopping != nullptr ? lifecycle::phase(stopping->next) : lifecycle::phase(state);
    if (phase == Phase::completed || phase == Phase::failed || phase == Phase::stopped)
      rested_.insert(id_of(slot));
    else if (phase == Phase::ready)
      rested_.erase(id_of(slot));
  }

  static bool is_missing(Phase phase) {
    return phase == Phase::waiting || phase == Phase::starting || phase == Phase::stopping ||
           phase == Phase::backoff;
  }
  // It was ready, and is stopped to be replaced in its place.
  [[nodiscard]] bool was_taken(const Slot& slot) const {
    const auto& one = *slot.occupant;
    const auto former = before_.find(one.start);
    const bool replaced = one.cause == Cause::updated || one.cause == Cause::reloaded;
    const bool asked = one.phase() == Phase::stopping && lifecycle::pid_of(one.life.state) != 0;
    return replaced && asked && former != before_.end() && former->second == Phase::ready;
  }

  void check_slot(const App& app, const Slot& slot) {
    const auto name = SlotId{app.id, slot.index}.str();
    const auto& main = *slot.occupant;
    if (main.role != Role::main) violated("the main one of a slot is not: " + name);
    if (slot.replacement && slot.replacement->role != Role::replacement)
      violated("a replacement is none: " + name);
    for (const auto& one : slot.leaving)
      if (!one->goes()) violated("two fill one slot: " + name);
    if (slot.replacement && !app.rolling) violated("a replacement without an update: " + name);
    const bool old = main.version && main.version->spec.generation != app.version->spec.generation;
    const bool counts = slot.wanted && !app.is_surplus(slot) && !app.unreadable;
    if (old && counts && main.is_up() && !app.rolling && !app.halted)
      violated("another generation runs, and nobody notices: " + name);
  }

  // A version is called stable at a moment when all slots have it.
  void check_stable(const App& app) {
    if (!app.stable) return;
    const auto generation = app.stable->spec.generation;
    if (proved_.contains({app.id, generation})) return;
    proved_.insert({app.id, generation});
    for (const auto& slot : app.slots) {
      if (!slot || !slot->wanted || app.is_surplus(*slot)) continue;
      if (generation != app.version->spec.generation || (is_stale(*slot) && slot->renewal == Renewal::none) ||
          slot->part == plan::Part::replaced)
        violated("called stable too early: " + app.id.str());
    }
  }

  FakeWorld& world_;
  std::map<StartId, Phase> before_;                   // of the main one of each slot, by its start
  std::set<std::pair<AppId, std::uint64_t>> proved_;  // generations that were stable at some time
  std::map<AppId, std::uint64_t> generations_;        // of each app at the last check
  std::set<AppId> went_back_;
  std::set<SlotId> rested_;  // since they were last ready
};

}  // namespace svd::test
