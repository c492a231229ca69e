// SPDX-License-Identifier: Apache-2.0
#include "engine/world/world.h"

#include <algorithm>
#include <utility>

#include "engine/world/words.h"

namespace svd {
namespace {

std::string_view role_prefix(Role role) {
  switch (role) {
    case Role::main:
      return "";
    case Role::replacement:
    case Role::withdrawn:
      return "replacement: ";
    case Role::superseded:
      return "leaving: ";
  }
  return "";
}

EventRecord::Level level_of(Phase phase) {
  switch (phase) {
    case Phase::waiting:
    case Phase::starting:
    case Phase::stopping:
      return EventRecord::Level::step;
    case Phase::backoff:
    case Phase::failed:
      return EventRecord::Level::warning;
    case Phase::ready:
    case Phase::completed:
    case Phase::stopped:
      return EventRecord::Level::info;
  }
  return EventRecord::Level::info;
}

// What is on its way up or out is of no interest to the rollout, which looks at all slots of its app. But
// when what was taken down is out, the update's deadline counts: what takes its place may have to wait.
bool is_under_way(const Instance& one) {
  if (one.is_retired()) return true;
  const auto phase = one.phase();
  if (one.role == Role::main && (one.slot->stage != plan::Stage::replaced || phase == Phase::waiting))
    return false;
  return phase == Phase::stopping || phase == Phase::waiting || phase == Phase::starting;
}

}  // namespace

// splitmix64 (Vigna): 8 bytes of state, enough for spreading restarts.
double World::draw() {
  seed_ += 0x9E3779B97F4A7C15ULL;
  auto z = seed_;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  z ^= z >> 31U;
  return static_cast<double>(z >> 11U) * 0x1.0p-53;
}

// A slot that goes takes its own socket along. The kernel sends nothing to it from now on; what it has begun
// to send it is accepted first, and so is all that waits in its queue, for as long as its stop may take.
lifecycle::Rules World::rules_for(const Instance& one) const {
  auto rules = lifecycle::rules_of(one.spec());
  const auto& app = *one.slot->app;
  if (app.sockets.picks && app.is_surplus(*one.slot)) {
    rules.accepting = while_accepting;
    rules.drain = std::max(rules.drain, while_accepting);
  }
  return rules;
}

void World::advance(Instance& one, const lifecycle::Event& event) {
  const auto before = one.life.state;
  auto made = lifecycle::step(std::move(one.life), event, rules_for(one), now.mono, draw());
  one.life = std::move(made.instance);
  if (made.command) outbox.push(*made.command);
  if (one.life.state == before) return;
  follow(one, {lifecycle::phase(before), one.phase(), lifecycle::pid_of(before) == 0 && one.pid() != 0});
  cancel_start(one);
}

void World::follow(Instance& one, const Moved& moved) {
  auto& slot = *one.slot;
  count_serving(one);
  if (moved.from != moved.to) {
    one.since = now.wall;
    record(one, moved);
    if (one.role != Role::main || slot.stage != plan::Stage::none) rollout(*slot.app, plan::GotOn{});
    if (one.is_retired() && !is_live(moved.to)) agenda.ended.push(one.id());
  }
  if (moved.from != moved.to || moved.born) touch_dependents(*slot.app);
  if (moved.to == Phase::completed || moved.to == Phase::failed) agenda.may_have_ended = true;
  touch(one);
  mark_changed(slot);
  unsaved();
}

void World::record(const Instance& one, const Moved& moved) {
  const auto why = moved.to == Phase::ready ? "pid " + std::to_string(one.pid()) : reason(one);
  EventRecord event;
  event.subject = one.slot->id().str();
  event.text = std::string{role_prefix(one.role)} + std::string{to_text(moved.from)} + " → " +
               std::string{to_text(moved.to)} + (why.empty() ? "" : ": " + why);
  event.level = level_of(moved.to);
  event.from = moved.from;
  event.to = moved.to;
  event.start = static_cast<std::uint64_t>(one.start);
  event.revision = one.revision;
  journal.instance(std::move(event));
}

// A start that was decided on, and stopped again before it was sent to anybody, never happens.
void World::cancel_start(Instance& one) {
  const auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state);
  if (stopping == nullptr || stopping->step != lifecycle::Stopping::Step::unanswered) return;
  if (!outbox.withdraw(lifecycle::Spawn{stopping->id})) return;
  starts.erase(stopping->id);
  advance(one, lifecycle::SpawnFailed{});
}

void World::begin(Instance& one) {
  auto& slot = *one.slot;
  if (one.phase() == Phase::backoff) {
    one.cause = Cause::retried;
    ++slot.restarts;
  }
  const auto id = starts.give_number();
  one.start = slot.last = id;
  one.revision = one.version->revision;
  one.started = now.wall;
  starts.add(id, one);
  advance(one, lifecycle::Begin{id});
}

void World::postpone(Instance& one, lifecycle::Stopping until) {
  one.life.state = std::move(until);
  touch(one);
}

void World::rollout(App& app, const plan::RolloutEvent& event) {
  app.rollout = plan::step(app.rollout, event, now.mono).state;
}

void World::count_serving(Instance& one) {
  const bool serves = one.role == Role::main && one.phase() == Phase::ready;
  if (std::exchange(one.serves, serves) == serves) return;
  one.slot->app->serving += serves ? 1 : -1;
  changed_readiness(*one.slot->app);
}

void World::changed_readiness(const App& app) {
  if (app.sockets.picks) agenda.serving.push(app.id);
}

void World::touch(Instance& one) {
  agenda.instances.push(one.id());
  const auto& app = *one.slot->app;
  if ((app.is_rolling() && !is_under_way(one)) || app.is_surplus(*one.slot) || app.sockets.releasing)
    touch(app);
}

void World::touch(Slot& slot) {
  slot.each([&](Instance& one) { touch(one); });
}

void World::mark_changed(const Slot& slot) {
  agenda.changed_slots.push(slot.id());
  mark_changed(*slot.app);
}

// What they wait for has changed, or why it does not come.
void World::touch_dependents(const App& app) {
  dependencies.each_dependent(app.id, [&](const AppId& id) {
    auto& dependent = *apps.find(id);
    if (dependent.is_rolling()) touch(dependent);
    bool waiting = false;
    dependent.each_slot([&](Slot& slot) {
      if (slot.phase() != Phase::waiting && !slot.replacement) return;
      waiting = waiting || slot.phase() == Phase::waiting;
      touch(slot);
      mark_changed(slot);
    });
    return waiting;
  });
}

void World::touch_held() {
  for (const auto& id : std::exchange(agenda.held, {}))
    if (const auto* app = apps.find(id))
      app->each_slot([&](Slot& slot) {
        if (dependencies.is_ending(slot)) touch(slot);
      });
}

std::string World::reason(const Instance& one) const {
  const auto& app = *one.slot->app;
  switch (one.phase()) {
    case Phase::ready:
      return "";
    case Phase::waiting:
      if (!app.sockets.unbound.empty()) return app.sockets.unbound;
      if (auto what = dependencies.awaits(app).text; !what.empty()) return what;
      return cause_text(one);
    case Phase::starting:
    case Phase::stopping:
    case Phase::stopped:
      return cause_text(one);
    case Phase::completed:
    case Phase::backoff:
    case Phase::failed:
      break;
  }
  return rest_text(one);
}

}  // namespace svd
