// SPDX-License-Identifier: Apache-2.0
// The desired state of one app, slot by slot.
#include <algorithm>
#include <ranges>

#include "engine/state.h"

namespace svd {

plan::Want Engine::State::want(const Slot& slot) const {
  const auto& app = *slot.app;
  if (app.leaving || !slot.wanted) return plan::Want::rest;
  if (app.is_surplus(slot)) return shutting || app.instances() == 0 ? plan::Want::rest : plan::Want::leave;
  if (shutting) return plan::Want::pause;
  return app.unreadable || !app.unbound.empty() ? plan::Want::hold : plan::Want::run;
}

bool Engine::State::is_stale(const Slot& slot) {
  const auto& have = slot.occupant.version;
  return slot.restart || (have && have->spec.generation != slot.app->version->spec.generation);
}

Slot& Engine::State::make_slot(App& app, std::uint32_t index, Cause cause, const std::string* by) {
  if (app.slots.size() <= index) app.slots.resize(index + std::size_t{1});
  auto& place = app.slots[index];
  place = std::make_unique<Slot>();
  place->app = &app;
  place->index = index;
  place->wanted = app.wanted;
  place->cause = app.wanted ? cause : Cause::stopped;
  place->by = by;
  place->since = now.wall;
  place->handled = StartId{next_start - 1};  // exits of a former slot of this number are not its own
  if (!app.wanted) place->occupant.life.state = lifecycle::Stopped{};
  ports.logs.attach({app.id, index}, app.version->spec.logs);
  touch(*place);
  mark_changed(*place);
  unsaved();
  return *place;
}

void Engine::State::fit_slots(App& app, Cause cause, const std::string* by) {
  const auto want = app.leaving ? 0U : app.instances();
  for (std::uint32_t i = 0; i < want; ++i) {
    if (i < app.slots.size() && app.slots[i]) continue;
    auto& slot = make_slot(app, i, cause, by);
    if (slot.wanted) track(slot);
  }
  for (auto i = static_cast<std::uint32_t>(app.slots.size()); i > want; --i) {  // the highest slots go first
    auto* slot = app.slots[i - 1].get();
    if (slot == nullptr) continue;
    slot->cause = cause;
    slot->by = by;
    track(*slot);
    touch(*slot);
    mark_changed(*slot);
  }
  mark_changed(app);
}

void Engine::State::resume(Slot& slot, Cause cause, const std::string* by) {
  slot.wanted = true;
  if (slot.phase() != Phase::starting && slot.phase() != Phase::ready) {
    slot.cause = cause;
    slot.by = by;
  }
  advance(slot, lifecycle::Renew{});
  track(slot);
  touch(slot);
  mark_changed(slot);
}

void Engine::State::replace(Slot& slot) {
  const bool up = slot.phase() == Phase::starting || slot.phase() == Phase::ready;
  slot.part = plan::Part::replaced;
  slot.cause = slot.restart ? Cause::restarted : Cause::updated;
  const bool others_serve = slot.app->serving > (slot.serves ? 1 : 0);
  if (up)
    advance(slot, lifecycle::Stop{.again = true, .drain = others_serve});
  else
    advance(slot, lifecycle::Renew{});
}

void Engine::State::roll(App& app) {
  if (!app.rolling || app.leaving || app.unreadable || !app.unbound.empty() || shutting) return;
  std::vector<plan::RolloutSlot> seen;
  for (const auto& slot : app.slots)
    if (slot && slot->wanted && !app.is_surplus(*slot))
      seen.push_back(
          {slot->index, slot->phase(), is_stale(*slot) && slot->part != plan::Part::replaced, slot->part});
  const auto rollout = plan::plan_rollout(seen);
  for (const auto index : rollout.replace) replace(*app.slots[index]);
  if (!rollout.broken && !rollout.finished) return;
  app.rolling = false;
  for (const auto& slot : app.slots)
    if (slot) slot->part = plan::Part::none;
  if (rollout.broken) {
    app.halted = true;
    abandon_stale(app);
  }
  mark_changed(app);
  unsaved();
}

void Engine::State::set_version(App& app, VersionPtr version) {
  const auto& former = app.version->spec;
  const bool logs = former.logs != version->spec.logs;
  if (former.limits != version->spec.limits || former.app_limits != version->spec.app_limits)
    limits_changed.insert(app.id);
  app.version = std::move(version);
  release(app);
  if (!app.unbound.empty()) admit(app);
  app.halted = false;
  app.unreadable = false;
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    auto& have = slot->occupant.version;
    if (have && have->spec.generation == app.version->spec.generation)
      have = app.version;  // its new policies apply at once
    slot->part = plan::Part::none;
    app.rolling = app.rolling || is_stale(*slot);
    if (logs) ports.logs.attach({app.id, slot->index}, app.version->spec.logs);
    touch(*slot);
  }
  touch(app);
  mark_changed(app);
  unsaved();
}

void Engine::State::leave(App& app, const std::string* by) {
  app.leaving = true;
  if (!app.unbound.empty()) admit(app);
  app.rolling = false;
  fit_slots(app, Cause::removed, by);
  touch(app);
  unsaved();
}

void Engine::State::forget_slot(Slot& slot) {
  const SlotId id{slot.app->id, slot.index};
  if (slot.armed) timers.erase({*slot.armed, &slot});
  settle(slot, Track::done);
  ports.logs.detach(id);
  ports.observer.instance_removed(id);
}

void Engine::State::drop_rested(App& app) {
  if (!app.leaving && app.slots.size() <= app.instances()) return;
  bool dropped = false;
  for (auto& slot : app.slots) {
    if (!slot || !app.is_surplus(*slot) || is_live(slot->phase())) continue;
    forget_slot(*slot);
    slot.reset();
    dropped = true;
  }
  while (!app.slots.empty() && !app.slots.back()) app.slots.pop_back();
  if (dropped) {
    if (app.picks) static_cast<void>(ports.listeners.bind(app.version->spec, app.id, app.width()));
    mark_changed(app);
    unsaved();
  }
  if (!app.leaving || !app.slots.empty()) return;
  const auto id = app.id;
  record("instance", id.str(), "removed");
  ports.listeners.retain(id, {}, true);
  apps.erase(id);  // `app` is gone
  ports.observer.app_removed(id);
  unsaved();
}

}  // namespace svd
