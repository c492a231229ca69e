// SPDX-License-Identifier: Apache-2.0
// The loop: plan what is dirty, record it, carry it out, say when to look again.
#include <algorithm>

#include "engine/environment.h"
#include "engine/state.h"

namespace svd {

namespace {

// A replacement on its way to ready is of no interest to the rollout, which looks at all slots of its app.
bool is_under_way(const Slot& slot) {
  const auto phase = slot.phase();
  return slot.part == plan::Part::replaced &&
         (phase == Phase::stopping || phase == Phase::waiting || phase == Phase::starting);
}

}  // namespace

void Engine::State::touch(Slot& slot) {
  if (!std::exchange(slot.dirty, true)) dirty_slots.push_back(&slot);
  const auto& app = *slot.app;
  if ((app.rolling && !is_under_way(slot)) || app.is_surplus(slot) || app.releasing) touch(*slot.app);
}

void Engine::State::touch(App& app) {
  if (!std::exchange(app.dirty, true)) dirty_apps.push_back(&app);
}

void Engine::State::mark_changed(Slot& slot) {
  if (!std::exchange(slot.changed, true)) changed_slots.push_back(&slot);
  mark_changed(*slot.app);
}

void Engine::State::mark_changed(App& app) {
  if (!std::exchange(app.changed, true)) changed_apps.push_back(app.id);
}

void Engine::State::mark_dirty(Change& change) {
  if (!std::exchange(change.dirty, true)) dirty_changes.push_back(&change);
}

// A person's wish is saved with the next reconcile, before anything is done about it; the rest may wait to be
// saved together.
void Engine::State::unsaved(bool at_once) {
  if (save_failing && save_at) return;  // it is tried again at its time
  // A large state is saved less often: a millisecond more for each KiB, so that a burst of starts costs a few
  // saves however many slots there are, not a share of its time.
  const Millis pause = save_delay + Millis{saved_bytes / 1024};
  const auto due = at_once ? now.mono : now.mono + pause;
  if (!save_at || due < *save_at) save_at = due;
}

bool Engine::State::is_finished() const {
  return shutting && starts.empty() && strays.empty() && (!save_at || save_failing);
}

void Engine::State::plan_slots() {
  while (!dirty_slots.empty()) {
    const auto round = std::exchange(dirty_slots, {});
    for (auto* slot : round) slot->dirty = false;
    for (auto* slot : round) {
      const auto planned = plan::plan_slot(want(*slot), slot->occupant.life.state, now.mono);
      if (slot->armed != planned.wake) {
        if (slot->armed) timers.erase({*slot->armed, slot});
        if (planned.wake) timers.emplace(*planned.wake, slot);
        slot->armed = planned.wake;
      }
      switch (planned.step) {
        case plan::SlotStep::none:
          break;
        case plan::SlotStep::begin:
          begin(*slot);
          break;
        case plan::SlotStep::leave:
          advance(*slot, lifecycle::Stop{.drain = true});
          break;
        case plan::SlotStep::stop:
          advance(*slot, lifecycle::Stop{.force = forced});
          break;
        case plan::SlotStep::due:
          run_out(*slot);
          break;
      }
    }
  }
}

void Engine::State::plan_apps() {
  const auto round = std::exchange(dirty_apps, {});
  for (auto* app : round) app->dirty = false;
  for (auto* app : round) {
    roll(*app);
    let_go(*app);
    if (dirty_slots.empty())
      drop_rested(*app);  // a slot on the dirty list must not vanish; it brings its app back here
    else
      touch(*app);
  }
}

// Clients are told once per reconcile, whatever happened in between; each single step is an event record.
static void tell(Engine::State& state) {
  for (auto* slot : std::exchange(state.changed_slots, {})) {
    slot->changed = false;
    state.evaluate(*slot);
    state.ports.observer.instance_changed({slot->app->id, slot->index});
  }
  for (const auto& id : std::exchange(state.changed_apps, {})) {
    const auto app = state.apps.find(id);
    if (app == state.apps.end()) continue;
    app->second.changed = false;
    state.ports.observer.app_changed(id);
  }
}

std::optional<TimePoint> Engine::State::reconcile() {
  for (const auto& [id, why] : std::exchange(refused, {})) dispatch(SpawnFailed{id, why});
  while (!timers.empty() && timers.begin()->first <= now.mono) {
    auto& slot = *timers.begin()->second;
    timers.erase(timers.begin());
    slot.armed.reset();
    touch(slot);
  }
  retry_binding();
  while (!dirty_slots.empty() || !dirty_apps.empty()) {
    plan_slots();
    tell(*this);
    plan_apps();
  }
  tell(*this);
  adjust_limits();
  finish_changes();
  save_if_due();
  tell_who_serves();
  carry_out();
  ports.processes.flush();
  std::optional<TimePoint> wake = save_at;
  if (!timers.empty() && (!wake || timers.begin()->first < *wake)) wake = timers.begin()->first;
  for (const auto* app : unbound)
    if (!shutting && (!wake || app->bind_at < *wake)) wake = app->bind_at;
  if (!refused.empty()) wake = now.mono;
  return wake;
}

void Engine::State::carry_out() {
  for (const auto& command : std::exchange(outbox, {})) perform(command);
}

namespace {

struct Performer {
  Engine::State& state;

  void operator()(const lifecycle::Spawn& spawn) const { state.spawn(spawn.id); }
  void operator()(const lifecycle::Drain& drain) const { state.ports.channels.drain(drain.id); }
  void operator()(const lifecycle::Disconnect& disconnect) const {
    const auto found = state.starts.find(static_cast<std::uint64_t>(disconnect.id));
    if (found == state.starts.end()) return;
    state.ports.channels.disconnect(disconnect.id, found->second->occupant.version->spec.stop.message);
  }
  void operator()(const lifecycle::Signal& signal) const {
    state.ports.processes.signal(signal.id, signal.number, signal.whom);
  }
  void operator()(const lifecycle::Kill& kill) const { state.ports.processes.kill(kill.id); }
  void operator()(const lifecycle::Await& await) const { state.ports.processes.await(await.id); }
};

}  // namespace

// A command waits from its decision to the end of the reconcile; what it is for may be gone by then.
void Engine::State::perform(const lifecycle::Command& command) {
  const auto id = static_cast<std::uint64_t>(std::visit([](const auto& what) { return what.id; }, command));
  if (starts.contains(id) || strays.contains(id)) std::visit(Performer{*this}, command);
}

void Engine::State::spawn(StartId id) {
  const auto found = starts.find(static_cast<std::uint64_t>(id));
  if (found == starts.end()) return;
  const auto& slot = *found->second;
  const Launch launch{id,
                      {slot.app->id, slot.index},
                      slot.app->instances(),
                      slot.occupant.revision,
                      slot.app->version->spec.app_limits};
  auto plan = compose(launch, slot.occupant.version->spec, ports.logs);
  if (plan)
    ports.processes.spawn(std::move(*plan));
  else
    refused.emplace_back(id, std::move(plan.error()));
}

// Before the state is saved: if the engine dies in between, its revision is newer than the saved state, and
// the next engine does it again (restore.cpp).
void Engine::State::adjust_limits() {
  for (const auto& id : std::exchange(limits_changed, {})) {
    const auto app = apps.find(id);
    if (app == apps.end()) continue;
    ports.limits.adjust(id, app->second.version->spec.app_limits);
    for (const auto& slot : app->second.slots)
      if (slot && is_live(slot->phase()) && slot->occupant.version)
        ports.limits.adjust(slot->occupant.start, {id, slot->index}, slot->occupant.version->spec.limits);
  }
}

void Engine::State::save_if_due() {
  const bool last = shutting && starts.empty() && strays.empty();
  const bool many = gone.size() > max_unsaved_exits / 2 && !save_failing;  // the keeper's table is bounded
  if (!save_at || (now.mono < *save_at && !last && !many)) return;
  save_at.reset();
  std::erase_if(unsaved_revisions,
                [&](const auto& revision) { return ports.state.save_revision(revision.second); });
  const auto text = snapshot();
  saved_bytes = text.size();
  const bool saved = ports.state.save(text) && unsaved_revisions.empty();
  if (saved != !save_failing) {
    save_failing = !saved;
    record(
        "daemon", "state",
        saved ? "the state is saved again" : "cannot save the state: it is kept in memory and tried again");
  }
  if (!saved) save_at = now.mono + save_retry;
  if (saved || gone.size() > max_unsaved_exits) forget_saved();
}

// The keeper's table is bounded. When nothing can be saved for long, keeping it able to start processes is
// worth more than the exact count of restarts after a crash of the engine.
void Engine::State::forget_saved() {
  if (gone.empty()) return;
  ports.processes.forget(gone);
  gone.clear();
}

}  // namespace svd
