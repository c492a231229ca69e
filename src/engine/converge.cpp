// SPDX-License-Identifier: Apache-2.0
// The desired state of one app, slot by slot.
#include <algorithm>
#include <ranges>

#include "engine/state.h"

namespace svd {

plan::Want Engine::State::want(const Occupant& one) const {
  const auto& slot = *one.slot;
  const auto& app = *slot.app;
  const bool serves =
      one.is_up() && lifecycle::pid_of(one.life.state) != 0;  // not a start that is yet to be made
  if (serves && is_ending(slot) && is_needed(app)) return plan::Want::hold;  // those go first
  if (app.leaving || !slot.wanted) return plan::Want::rest;
  if (app.is_surplus(slot)) return shutting || app.instances() == 0 ? plan::Want::rest : plan::Want::leave;
  if (shutting) return one.role == Role::main ? plan::Want::pause : plan::Want::rest;
  if (one.goes()) return plan::Want::leave;
  if (app.unreadable || !app.unbound.empty()) return plan::Want::hold;
  const bool first =
      one.phase() == Phase::waiting || one.phase() == Phase::stopped;  // no restart after an end
  return first && waits(app) ? plan::Want::hold : plan::Want::run;
}

Slot& Engine::State::make_slot(App& app, std::uint32_t index, Cause cause, const std::string* by) {
  if (app.slots.size() <= index) app.slots.resize(index + std::size_t{1});
  auto& place = app.slots[index];
  place = std::make_unique<Slot>();
  place->app = &app;
  place->index = index;
  place->wanted = app.wanted;
  place->last = StartId{next_start - 1};  // exits of a former slot of this number are not its own
  if (app.rolling) place->part = plan::Part::replaced;  // it is to prove itself as the others
  place->occupant = std::make_unique<Occupant>();
  auto& occupant = *place->occupant;
  occupant.slot = place.get();
  occupant.nth = place->made++;
  occupant.cause = app.wanted ? cause : Cause::stopped;
  occupant.by = by;
  occupant.since = now.wall;
  if (!app.wanted) occupant.life.state = lifecycle::Stopped{};
  ports.logs.attach({app.id, index}, app.version->spec.logs);
  touch(*place);
  mark_changed(*place);
  unsaved();
  return *place;
}

// A slot that was to go, and stays: an update may have ended without it.
void Engine::State::take_back_in(Slot& slot) {
  auto& app = *slot.app;
  const auto& state = slot.occupant->life.state;
  const auto* stopping = std::get_if<lifecycle::Stopping>(&state);
  const auto to_be = stopping != nullptr ? lifecycle::phase(stopping->next) : lifecycle::phase(state);
  if (slot.wanted && to_be == Phase::stopped) advance(*slot.occupant, lifecycle::Renew{});
  if (app.rolling || app.halted || app.leaving || !slot.wanted || !is_stale(slot)) return;
  app.rolling = true;
  app.progress = now.mono;
  touch(app);
}

void Engine::State::fit_slots(App& app, Cause cause, const std::string* by) {
  const auto want = app.leaving ? 0U : app.instances();
  for (std::uint32_t i = 0; i < want; ++i) {
    if (i < app.slots.size() && app.slots[i]) {
      take_back_in(*app.slots[i]);
      continue;
    }
    auto& slot = make_slot(app, i, cause, by);
    if (slot.wanted) track(slot);
  }
  for (auto i = static_cast<std::uint32_t>(app.slots.size()); i > want; --i) {  // the highest slots go first
    auto* slot = app.slots[i - 1].get();
    if (slot == nullptr) continue;
    slot->occupant->cause = cause;
    slot->occupant->by = by;
    track(*slot);
    touch(*slot);
    mark_changed(*slot);
  }
  mark_changed(app);
  may_have_ended = true;
}

void Engine::State::resume(Slot& slot, Cause cause, const std::string* by) {
  auto& occupant = *slot.occupant;
  slot.wanted = true;
  if (!occupant.is_up() && !slot.app->halted) {  // it has nothing to go back to
    if (!is_live(occupant.phase())) occupant.version.reset();
    if (slot.app->rolling) slot.part = plan::Part::replaced;
    slot.renewal = Renewal::none;
  }
  if (!occupant.is_up()) {
    occupant.cause = cause;
    occupant.by = by;
  }
  advance(occupant, lifecycle::Renew{});
  take_back_in(slot);
  track(slot);
  touch(slot);
  mark_changed(slot);
}

// Its new policies apply at once to what is of its generation; a replacement that is not has lost its
// purpose, one that has failed is not tried again, and whether one that was held back is to be is anew a
// question of the update's bounds.
void Engine::State::set_version(App& app, VersionPtr version) {
  const auto& was = app.version->spec;
  const bool logs = was.logs != version->spec.logs;
  if (was.limits != version->spec.limits || was.app_limits != version->spec.app_limits)
    limits_changed.insert(app.id);
  app.version = std::move(version);
  app.halted = false;
  app.unreadable = false;
  app.progress = now.mono;
  if (!app.unbound.empty()) admit(app);
  const auto is_present = [&](const Occupant& one) {
    return one.version && one.version->spec.generation == app.version->spec.generation;
  };
  if (app.stable && app.stable->spec.generation == app.version->spec.generation) app.stable = app.version;
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    const auto* beside = slot->replacement.get();
    if (beside != nullptr &&
        (!is_present(*beside) || slot->part == plan::Part::broken || beside->phase() == Phase::waiting))
      withdraw(*slot);
    slot->each_occupant([&](Occupant& one) {
      if (is_present(one)) one.version = app.version;
    });
    const bool goes_on =
        slot->part != plan::Part::broken && (slot->replacement || is_present(*slot->occupant));
    if (!goes_on) slot->part = plan::Part::none;
    app.rolling = app.rolling || is_stale(*slot) || slot->part == plan::Part::replaced;
    if (logs) ports.logs.attach({app.id, slot->index}, app.version->spec.logs);
    touch(*slot);
  }
  note_dependencies(app);
  release(app);
  touch(app);
  mark_changed(app);
  may_have_ended = true;
  unsaved();
}

void Engine::State::leave(App& app, const std::string* by) {
  app.leaving = true;
  app.paused = app.reverting = false;
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    withdraw(*slot);
    slot->part = plan::Part::none;
    slot->renewal = Renewal::none;
  }
  if (!app.unbound.empty()) admit(app);
  app.rolling = false;
  fit_slots(app, Cause::removed, by);
  touch(app);
  unsaved();
}

void Engine::State::forget_slot(Slot& slot) {
  const SlotId id{slot.app->id, slot.index};
  if (slot.occupant->armed) timers.erase({*slot.occupant->armed, slot.occupant.get()});
  settle(slot, Track::done);
  if (slot.changed) std::erase(changed_slots, &slot);
  ports.logs.detach(id);
  outbox.tell(InstanceRemoved{id});
}

void Engine::State::drop_rested(App& app) {
  if (!app.leaving && app.slots.size() <= app.instances()) return;
  bool dropped = false;
  for (auto& slot : app.slots) {
    if (!slot || !app.is_surplus(*slot) || is_live(slot->phase()) || slot->has_others()) continue;
    forget_slot(*slot);
    slot.reset();
    dropped = true;
  }
  while (!app.slots.empty() && !app.slots.back()) app.slots.pop_back();
  if (dropped) {
    may_have_ended = true;
    if (app.picks) static_cast<void>(ports.listeners.bind(app.version->spec, app.id, app.width()));
    mark_changed(app);
    unsaved();
  }
  if (!app.leaving || !app.slots.empty()) return;
  const auto id = app.id;
  record("instance", id.str(), "removed");
  ports.listeners.retain(id, {}, true);
  unbound.erase(&app);
  arm(app, {});
  apps.erase(id);  // `app` is gone
  outbox.tell(AppRemoved{id});
  unsaved();
}

}  // namespace svd
