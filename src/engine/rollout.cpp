// SPDX-License-Identifier: Apache-2.0
// Carrying out plan/rollout: what fills the slots of an app is replaced, slot by slot.
//
// Start-first a slot has two occupants for a while: the main one, which it is known by, and its replacement.
// When that takes over, it becomes the main one, and the other is on its way out. A replacement is tried
// once: it does not come back by the restart policy, it is withdrawn and the rollout has failed (revert.cpp).
#include <algorithm>

#include "base/units.h"
#include "engine/state.h"

namespace svd {
namespace {

plan::RolloutSlot observe(const Slot& slot, const UpdatePolicy& update) {
  const auto ready_since = [](const Occupant& one) {
    const auto* ready = std::get_if<lifecycle::Ready>(&one.life.state);
    return ready == nullptr ? TimePoint{} : ready->since;
  };
  plan::RolloutSlot out;
  out.slot = slot.index;
  out.phase = slot.phase();
  out.since = ready_since(*slot.occupant);
  out.at_once = slot.renewal == Renewal::restart;
  out.in_place = out.at_once || update.order == UpdatePolicy::Order::stop_first;
  out.stale = is_stale(slot);
  out.part = slot.part;
  if (slot.replacement) {
    out.replacement = slot.replacement->phase();
    out.replacement_since = ready_since(*slot.replacement);
  }
  out.leaving = static_cast<std::uint32_t>(slot.leaving.size());
  return out;
}

std::vector<plan::RolloutSlot> observe(const App& app) {
  std::vector<plan::RolloutSlot> out;
  for (const auto& slot : app.slots)
    if (slot && slot->wanted && !app.is_surplus(*slot))
      out.push_back(observe(*slot, app.version->spec.update));
  return out;
}

Cause cause_of(Renewal renewal) {
  switch (renewal) {
    case Renewal::none:
      return Cause::updated;
    case Renewal::restart:
      return Cause::restarted;
    case Renewal::reload:
      return Cause::reloaded;
  }
  return Cause::updated;
}

}  // namespace

void Engine::State::arm(App& app, std::optional<TimePoint> at) {
  if (app.armed == at) return;
  if (app.armed) app_timers.erase({*app.armed, &app});
  if (at) app_timers.emplace(*at, &app);
  app.armed = at;
}

void Engine::State::roll(App& app) {
  arm(app, {});
  if (!app.rolling || app.leaving || app.unreadable || !app.unbound.empty() || shutting || app.paused) return;
  const auto& update = app.version->spec.update;
  const auto rules = plan::rules_of(update, app.instances());
  const auto slots = observe(app);
  auto rollout = plan::plan_rollout(slots, rules, now.mono);
  if (waits(app)) await_dependencies(app, rollout);
  if (rollout.broken) return fail_rollout(app);
  if (!rollout.add.empty() || !rollout.replace.empty() || !rollout.proven.empty()) app.progress = now.mono;
  for (const auto index : rollout.proven) {
    app.slots[index]->part = plan::Part::proven;
    mark_changed(*app.slots[index]);
  }
  for (const auto index : rollout.take_over) take_over(*app.slots[index]);
  for (const auto index : rollout.replace) replace(*app.slots[index]);
  for (const auto index : rollout.add) add_replacement(*app.slots[index]);
  if (rollout.works && !slots.empty()) app.stable = app.version;
  if (rollout.finished) return end_rollout(app);
  if (!rollout.proven.empty()) touch(app);
  const auto deadline = app.progress + update.deadline;
  if (rollout.busy && now.mono >= deadline) return run_late(app);
  arm(app, rollout.busy && (!rollout.wake || deadline < *rollout.wake) ? deadline : rollout.wake);
}

// What runs is not taken down for a successor that would have to wait.
void Engine::State::await_dependencies(const App& app, plan::Rollout& rollout) {
  const auto is_up = [&](std::uint32_t index) {
    const auto& slot = *app.slots[index];
    return slot.occupant->is_up() && slot.renewal != Renewal::restart;
  };
  const auto held_back = std::erase_if(rollout.replace, is_up);
  rollout.busy = rollout.busy || held_back > 0 || !rollout.add.empty();
  rollout.add.clear();
}

void Engine::State::add_replacement(Slot& slot) {
  slot.replacement = std::make_unique<Occupant>();
  auto& one = *slot.replacement;
  one.slot = &slot;
  one.nth = slot.made++;
  one.role = Role::replacement;
  one.version = slot.app->version;
  one.cause = cause_of(slot.renewal);
  one.by = slot.occupant->by;
  one.since = now.wall;
  slot.part = plan::Part::replaced;
  touch(one);
  mark_changed(slot);
  unsaved();
}

// It is on record before anything is done to the one that has served so far: a new engine that does not know
// would take an instance that is being stopped for the one that serves.
void Engine::State::take_over(Slot& slot) {
  auto former = std::exchange(slot.occupant, std::move(slot.replacement));
  auto& one = *slot.occupant;
  one.role = Role::main;
  slot.part = plan::Part::proven;
  slot.renewal = Renewal::none;
  slot.app->progress = now.mono;
  record("instance", SlotId{slot.app->id, slot.index}.str(),
         "pid " + std::to_string(lifecycle::pid_of(one.life.state)) + " has taken over", &one);
  former->cause = one.cause;
  former->by = one.by;
  part_with(slot, std::move(former), Role::leaving);
  count_serving(one);
  touch(slot);
  unsaved(true);
}

void Engine::State::replace(Slot& slot) {
  auto& one = *slot.occupant;
  const bool others_serve = slot.app->serving > (one.serves ? 1 : 0);
  slot.part = plan::Part::replaced;
  one.cause = cause_of(slot.renewal);
  if (one.is_up())
    advance(one, lifecycle::Stop{.again = true, .drain = others_serve && slot.renewal != Renewal::restart});
  else
    advance(one, lifecycle::Renew{});
}

void Engine::State::withdraw(Slot& slot) {
  if (!slot.replacement) return;
  auto one = std::move(slot.replacement);
  if (one->is_up()) one->cause = Cause::withdrawn;
  slot.part = plan::Part::none;
  part_with(slot, std::move(one), Role::withdrawn);
}

void Engine::State::part_with(Slot& slot, std::unique_ptr<Occupant> one, Role role) {
  one->role = role;
  count_serving(*one);
  if (!is_live(one->phase()) && !std::exchange(one->rested, true)) rested.push_back(one.get());
  touch(*one);
  slot.leaving.push_back(std::move(one));
  mark_changed(slot);
  unsaved();
}

void Engine::State::forget_occupant(Occupant& one) {
  auto& slot = *one.slot;
  if (one.armed) timers.erase({*one.armed, &one});
  std::erase_if(slot.leaving, [&](const auto& each) { return each.get() == &one; });
  if (slot.app->rolling || slot.app->releasing || slot.app->is_surplus(slot)) touch(*slot.app);
  mark_changed(slot);
  unsaved();
}

// Without progress for too long: whatever has not proved itself has failed. Where nothing could be tried,
// that is what waits for it.
void Engine::State::run_late(App& app) {
  const auto after = " after " + format_duration(app.version->spec.update.deadline) + " without progress";
  const auto is_tried = [](const auto& slot) { return slot && slot->part == plan::Part::replaced; };
  const bool any_tried = std::ranges::any_of(app.slots, is_tried);
  auto awaited = awaits(app).text;
  const bool held_back = !any_tried || !awaited.empty();
  if (awaited.empty()) awaited = "too many others are not ready (update.max_unavailable)";
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    const bool waits_for_it = held_back && slot->part == plan::Part::none && is_stale(*slot);
    if (!is_tried(slot) && !waits_for_it) continue;
    const auto& one = slot->replacement ? *slot->replacement : *slot->occupant;
    const auto why = waits_for_it ? awaited : reason(one);
    fail_tracked(*slot, "cannot replace " + slot_name(*slot) + ": " + std::string{to_text(one.phase())} +
                            after + (why.empty() ? "" : ": " + why));
  }
  fail_rollout(app);
}

void Engine::State::end_rollout(App& app) {
  app.rolling = false;
  app.paused = false;
  arm(app, {});
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    slot->part = plan::Part::none;
    mark_changed(*slot);
  }
  if (app.reverting) end_revert(app, "");
  mark_changed(app);
  unsaved();
}

}  // namespace svd
