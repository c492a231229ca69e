// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/slots.h"

namespace svd {

Slot& Slots::make(App& app, std::uint32_t index, Cause cause, const std::string* by) {
  if (app.slots.size() <= index) app.slots.resize(index + std::size_t{1});
  auto& place = app.slots[index];
  place = std::make_unique<Slot>();
  place->app = &app;
  place->index = index;
  place->wanted = app.wanted;
  place->last = StartId{world_.starts.next() - 1};  // exits of a former slot of this number are not its own
  if (app.is_rolling()) place->stage = plan::Stage::replaced;  // it is to prove itself as the others
  place->main = std::make_unique<Instance>();
  auto& one = *place->main;
  one.slot = place.get();
  one.nth = place->made++;
  one.cause = app.wanted ? cause : Cause::stopped;
  one.by = by;
  one.since = world_.now.wall;
  if (!app.wanted) world_.correct(one, lifecycle::Stopped{});
  logs_.attach({app.id, index}, app.version->spec.logs);
  world_.touch(*place);
  world_.mark_changed(*place);
  world_.unsaved();
  return *place;
}

// A slot that was to go, and stays: an update may have ended without it.
void Slots::readmit(Slot& slot) {
  auto& app = *slot.app;
  const auto& state = slot.main->life.state;
  const auto* stopping = std::get_if<lifecycle::Stopping>(&state);
  const auto to_be = stopping != nullptr ? lifecycle::phase(stopping->next) : lifecycle::phase(state);
  if (slot.wanted && to_be == Phase::stopped) world_.advance(*slot.main, lifecycle::Renew{});
  if (app.is_rolling() || app.is_halted() || app.removed || !slot.wanted || !slot.is_stale()) return;
  world_.rollout(app, plan::Began{});
  world_.touch(app);
}

void Slots::fit(App& app, Cause cause, const std::string* by) {
  const auto want = app.removed ? 0U : app.instances();
  for (std::uint32_t i = 0; i < want; ++i) {
    if (i < app.slots.size() && app.slots[i]) {
      readmit(*app.slots[i]);
      continue;
    }
    auto& slot = make(app, i, cause, by);
    if (slot.wanted) changes_.track(slot);
  }
  for (auto i = static_cast<std::uint32_t>(app.slots.size()); i > want; --i) {  // the highest slots go first
    auto* slot = app.slots[i - 1].get();
    if (slot == nullptr) continue;
    slot->main->cause = cause;
    slot->main->by = by;
    changes_.track(*slot);
    world_.touch(*slot);
    world_.mark_changed(*slot);
  }
  world_.mark_changed(app);
  world_.agenda.may_have_ended = true;
}

void Slots::resume(Slot& slot, Cause cause, const std::string* by) {
  auto& one = *slot.main;
  slot.wanted = true;
  if (!one.is_up() && !slot.app->is_halted()) {  // it has nothing to go back to
    if (!is_live(one.phase())) one.version.reset();
    if (slot.app->is_rolling()) slot.stage = plan::Stage::replaced;
    slot.renewal = Renewal::none;
  }
  if (!one.is_up()) {
    one.cause = cause;
    one.by = by;
  }
  world_.advance(one, lifecycle::Renew{});
  readmit(slot);
  changes_.track(slot);
  world_.touch(slot);
  world_.mark_changed(slot);
}

// Its new policies apply at once to what is of its generation; a replacement that is not has lost its
// purpose, one that has failed is not tried again, and whether one that was held back is to be is anew a
// question of the update's bounds.
void Slots::set_version(App& app, VersionPtr version) {
  const auto& was = app.version->spec;
  const bool logs = was.logs != version->spec.logs;
  if (was.limits != version->spec.limits || was.app_limits != version->spec.app_limits)
    world_.agenda.limits.insert(app.id);
  app.version = std::move(version);
  app.unreadable = false;
  world_.rollout(app, plan::Accepted{});
  if (!app.sockets.unbound.empty()) sockets_.admit(app);
  if (app.stable && app.stable->spec.generation == app.generation()) app.stable = app.version;
  app.each_slot([&](Slot& slot) { set_version(slot, logs); });
  world_.dependencies.note(app);
  sockets_.release(app);
  world_.touch(app);
  world_.mark_changed(app);
  world_.agenda.may_have_ended = true;
  world_.unsaved();
}

void Slots::set_version(Slot& slot, bool logs) {
  auto& app = *slot.app;
  const auto* beside = slot.replacement.get();
  if (beside != nullptr && (!beside->is_of(app.generation()) || slot.stage == plan::Stage::broken ||
                            beside->phase() == Phase::waiting))
    handover_.withdraw(slot);
  slot.each([&](Instance& one) {
    if (one.is_of(app.generation())) one.version = app.version;
  });
  const bool goes_on =
      slot.stage != plan::Stage::broken && (slot.replacement || slot.main->is_of(app.generation()));
  if (!goes_on) slot.stage = plan::Stage::none;
  if (slot.is_stale() || slot.stage == plan::Stage::replaced) world_.rollout(app, plan::Began{});
  if (logs) logs_.attach(slot.id(), app.version->spec.logs);
  world_.touch(slot);
}

void Slots::remove(App& app, const std::string* by) {
  app.removed = true;
  app.each_slot([&](Slot& slot) {
    handover_.withdraw(slot);
    slot.stage = plan::Stage::none;
    slot.renewal = Renewal::none;
  });
  if (!app.sockets.unbound.empty()) sockets_.admit(app);
  world_.rollout(app, plan::Left{});
  fit(app, Cause::removed, by);
  world_.touch(app);
  world_.unsaved();
}

void Slots::forget(Slot& slot) {
  world_.agenda.deadlines.set(slot.main->id(), {});
  changes_.settle(slot);
  world_.agenda.changed_slots.erase(slot.id());
  logs_.detach(slot.id());
  world_.outbox.tell(InstanceRemoved{slot.id()});
}

bool Slots::drop_surplus(App& app) {
  bool dropped = false;
  for (auto& slot : app.slots) {
    if (!slot || !app.is_surplus(*slot) || is_live(slot->phase()) || slot->has_others()) continue;
    forget(*slot);
    slot.reset();
    dropped = true;
  }
  while (!app.slots.empty() && !app.slots.back()) app.slots.pop_back();
  return dropped;
}

void Slots::drop_ended(App& app) {
  if (!app.removed && app.slots.size() <= app.instances()) return;
  if (drop_surplus(app)) {
    world_.agenda.may_have_ended = true;
    if (app.sockets.picks) static_cast<void>(sockets_.bind(app, app.version->spec, app.width()));
    world_.mark_changed(app);
    world_.unsaved();
  }
  if (!app.removed || !app.slots.empty()) return;
  const auto id = app.id;
  world_.journal.app(id, "removed");
  sockets_.close(id);
  world_.agenda.rollouts.set(id, {});
  world_.apps.erase(id);  // `app` is gone
  world_.outbox.tell(AppRemoved{id});
  world_.unsaved();
}

}  // namespace svd
