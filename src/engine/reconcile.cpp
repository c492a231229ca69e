// SPDX-License-Identifier: Apache-2.0
// The loop: plan what is dirty, record it, carry it out, say when to look again.
#include <algorithm>

#include "engine/environment.h"
#include "engine/state.h"

namespace svd {

namespace {

// What is on its way up or out is of no interest to the rollout, which looks at all slots of its app. But
// when what was taken down is out, the update's deadline counts: what takes its place may have to wait.
bool is_under_way(const Occupant& one) {
  if (one.goes()) return true;
  const auto phase = one.phase();
  if (one.role == Role::main && (one.slot->part != plan::Part::replaced || phase == Phase::waiting))
    return false;
  return phase == Phase::stopping || phase == Phase::waiting || phase == Phase::starting;
}

}  // namespace

void Engine::State::touch(Occupant& one) {
  if (!std::exchange(one.dirty, true)) dirty_occupants.push_back(&one);
  auto& app = *one.slot->app;
  if ((app.rolling && !is_under_way(one)) || app.is_surplus(*one.slot) || app.releasing) touch(app);
}

void Engine::State::touch(Slot& slot) {
  slot.each_occupant([&](Occupant& one) { touch(one); });
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
  // A large state is saved less often: a millisecond more for each KiB, so that a burst of starts costs a few
  // saves however many slots there are, not a share of its time.
  const Millis pause = save_delay + Millis{saved_bytes / 1024};
  const auto due = at_once ? now.mono : now.mono + pause;
  if (!save_at || due < *save_at) save_at = due;
}

bool Engine::State::is_finished() const {
  return shutting && starts.empty() && strays.empty() && (!save_at || save_failing);
}

void Engine::State::plan(Occupant& one) {
  const auto wanted = want(one);
  if (wanted == plan::Want::hold && is_ending(*one.slot)) held.insert(one.slot->app->id);
  const auto planned = plan::plan_slot(wanted, one.life.state, now.mono);
  if (one.armed != planned.wake) {
    if (one.armed) timers.erase({*one.armed, &one});
    if (planned.wake) timers.emplace(*planned.wake, &one);
    one.armed = planned.wake;
  }
  switch (planned.step) {
    case plan::SlotStep::none:
      break;
    case plan::SlotStep::begin:
      begin(one);
      break;
    case plan::SlotStep::leave:
      advance(one, lifecycle::Stop{.drain = true});
      break;
    case plan::SlotStep::stop:
      advance(one, lifecycle::Stop{.force = forced});
      break;
    case plan::SlotStep::due:
      run_out(one);
      break;
  }
}

void Engine::State::plan_occupants() {
  while (!dirty_occupants.empty()) {
    const auto round = std::exchange(dirty_occupants, {});
    for (auto* one : round) one->dirty = false;
    for (auto* one : round) {
      const auto wanted = want(*one);
      const bool wait = wanted == plan::Want::run || (wanted == plan::Want::hold && !is_ending(*one->slot));
      if (one->role == Role::replacement && !shutting && !wait) withdraw(*one->slot);
      plan(*one);
    }
  }
}

// What has left its slot is forgotten; not before nothing is dirty, so that nobody points to it.
void Engine::State::sweep() {
  for (auto* one : std::exchange(rested, {})) forget_occupant(*one);
}

void Engine::State::plan_apps() {
  const auto round = std::exchange(dirty_apps, {});
  for (auto* app : round) app->dirty = false;
  for (auto* app : round) {
    roll(*app);
    let_go(*app);
    if (dirty_occupants.empty() && rested.empty())
      drop_rested(*app);  // a slot that somebody points to must not vanish; it brings its app back here
    else
      touch(*app);
  }
}

// Clients are told once per reconcile, whatever happened in between; each single step is an event record.
static void tell(Engine::State& state) {
  for (auto* slot : std::exchange(state.changed_slots, {})) {
    slot->changed = false;
    state.evaluate(*slot);
    state.outbox.tell(InstanceChanged{{slot->app->id, slot->index}});
  }
  for (const auto& id : std::exchange(state.changed_apps, {})) {
    const auto app = state.apps.find(id);
    if (app == state.apps.end()) continue;
    app->second.changed = false;
    state.outbox.tell(AppChanged{id});
  }
}

void Engine::State::wake_up() {
  while (!timers.empty() && timers.begin()->first <= now.mono) {
    auto& one = *timers.begin()->second;
    timers.erase(timers.begin());
    one.armed.reset();
    touch(one);
  }
  while (!app_timers.empty() && app_timers.begin()->first <= now.mono) {
    auto& app = *app_timers.begin()->second;
    arm(app, {});
    touch(app);
  }
  retry_binding();
}

std::optional<TimePoint> Engine::State::next_wake() const {
  std::optional<TimePoint> wake = save_at;
  const auto at_last = [&](TimePoint at) {
    if (!wake || at < *wake) wake = at;
  };
  if (!timers.empty()) at_last(timers.begin()->first);
  if (!app_timers.empty()) at_last(app_timers.begin()->first);
  if (!shutting)
    for (const auto* app : unbound) at_last(app->bind_at);
  if (!refused.empty() || (may_have_ended && belongs_to_apps && !shutting)) wake = now.mono;
  return wake;
}

std::optional<TimePoint> Engine::State::reconcile() {
  for (const auto& [id, why] : std::exchange(refused, {})) dispatch(SpawnFailed{id, why});
  wake_up();
  touch_held();
  end_if_apps_have();
  while (!dirty_occupants.empty() || !dirty_apps.empty() || !rested.empty()) {
    plan_occupants();
    sweep();
    tell(*this);
    plan_apps();
  }
  tell(*this);
  adjust_limits();
  finish_changes();
  outbox.tell_all(ports.observer);
  save_if_due();
  tell_who_serves();
  carry_out();
  ports.processes.flush();
  outbox.tell_all(ports.observer);
  return next_wake();
}

void Engine::State::carry_out() {
  for (const auto& command : outbox.take()) perform(command);
}

namespace {

struct Performer {
  Engine::State& state;

  void operator()(const lifecycle::Spawn& spawn) const { state.spawn(spawn.id); }
  void operator()(const lifecycle::Drain& drain) const { state.ports.channels.drain(drain.id); }
  void operator()(const lifecycle::Disconnect& disconnect) const {
    const auto found = state.starts.find(static_cast<std::uint64_t>(disconnect.id));
    if (found == state.starts.end()) return;
    state.ports.channels.disconnect(disconnect.id, found->second->version->spec.stop.message);
  }
  void operator()(const lifecycle::Signal& signal) const {
    state.ports.processes.signal(signal.id, signal.number, signal.whom);
  }
  void operator()(const lifecycle::Kill& kill) const { state.ports.processes.kill(kill.id); }
  void operator()(const lifecycle::Cancel& cancel) const { state.ports.processes.cancel(cancel.id); }
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
  const auto& one = *found->second;
  auto& app = *one.slot->app;
  if (one.version != app.version)
    if (const auto bound = bind(app, *one.version); !bound) {
      refused.emplace_back(id, StartFailure{StartStage::sockets, 0, bound.error().text});
      return;
    }
  const Launch launch{
      id, {app.id, one.slot->index}, app.instances(), one.revision, app.version->spec.app_limits};
  auto made = compose(launch, one.version->spec, ports.logs);
  if (made)
    ports.processes.spawn(std::move(*made));
  else
    refused.emplace_back(id, std::move(made.error()));
}

// Before the state is saved: if the engine dies in between, its revision is newer than the saved state, and
// the next engine does it again (restore.cpp).
void Engine::State::adjust_limits() {
  for (const auto& id : std::exchange(limits_changed, {})) {
    const auto app = apps.find(id);
    if (app == apps.end()) continue;
    ports.limits.adjust(id, app->second.version->spec.app_limits);
    for (const auto& slot : app->second.slots) {
      if (!slot) continue;
      slot->each_occupant([&](const Occupant& one) {
        if (is_live(one.phase()) && one.version)
          ports.limits.adjust(one.start, {id, slot->index}, one.version->spec.limits);
      });
    }
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
