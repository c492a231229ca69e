// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/supervisor.h"

#include <cerrno>

#include "engine/world/words.h"

namespace svd {

// While a rollout has not reached it, or has stopped, a slot is restarted as it was.
void Supervisor::choose_version(Instance& one) {
  auto& slot = *one.slot;
  auto& app = *slot.app;
  const bool stale = one.version && !one.is_of(app.generation());
  const bool as_it_was = stale && !one.version->lost && slot.stage != plan::Stage::replaced &&
                         (app.is_rolling() || app.is_halted());
  if (as_it_was || slot.replacement) return;
  if (slot.is_stale() && app.is_rolling()) {
    slot.stage = plan::Stage::replaced;  // it had no process to lose, so it need not wait for its turn
    world_.touch(app);
  }
  one.version = app.version;
  slot.renewal = Renewal::none;
}

void Supervisor::begin(Instance& one) {
  if (one.role == Role::main) choose_version(one);
  if (!one.version) one.version = one.slot->app->version;
  world_.begin(one);
}

void Supervisor::on_end(Instance& one, const std::string& why) {
  auto& slot = *one.slot;
  if (one.is_retired() || world_.dependencies.is_ending(slot)) return;
  if (one.role == Role::main) {
    if (slot.is_stale() && !slot.app->is_halted()) return;  // what it ran with is on its way out
    if (slot.stage == plan::Stage::proven) return;          // that it works has been seen: it is restarted
  }
  if (one.role == Role::replacement || slot.stage == plan::Stage::replaced) {
    slot.stage = plan::Stage::broken;
    world_.touch(*slot.app);
  }
  changes_.fail(slot, why);
}

void Supervisor::run_out(Instance& one) {
  if (goes_on_accepting(one)) return;
  const bool starting = one.phase() == Phase::starting;
  one.end.late = one.end.late || (starting && one.pid() != 0);
  if (starting) one.cause = one.pid() != 0 ? Cause::late : Cause::refused;
  if (starting && one.pid() == 0)
    one.end.failure = std::make_unique<StartFailure>(StartFailure{StartStage::keeper, ETIMEDOUT, ""});
  world_.advance(one, lifecycle::Due{});
  if (starting) on_end(one, "cannot start " + one.slot->name() + ": " + end_text(one));
}

// Then its deadline has moved.
bool Supervisor::goes_on_accepting(Instance& one) {
  const auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state);
  const auto& slot = *one.slot;
  const auto& now = world_.now;
  if (stopping == nullptr || stopping->step != lifecycle::Stopping::Step::draining ||
      !slot.app->sockets.picks || !slot.app->is_surplus(slot) || now.mono < stopping->deadline)
    return false;
  const auto rules = world_.rules_for(one);
  const auto taken = std::chrono::microseconds{now.wall.micros - one.since.micros};
  if (taken >= rules.drain + rules.stop.timeout ||
      !listeners_.has_waiting(slot.app->id, slot.index, one.start))
    return false;
  auto until = *stopping;
  until.deadline = now.mono + while_accepting;
  world_.postpone(one, std::move(until));
  return true;
}

void Supervisor::plan(Instance& one, plan::Want want) {
  if (want == plan::Want::hold && world_.dependencies.is_ending(*one.slot))
    world_.agenda.held.insert(one.slot->app->id);
  const auto planned = plan::plan_slot(want, one.life.state, world_.now.mono);
  world_.agenda.deadlines.set(one.id(), planned.wake);
  switch (planned.step) {
    case plan::SlotStep::none:
      return;
    case plan::SlotStep::begin:
      return begin(one);
    case plan::SlotStep::drain:
      return world_.advance(one, lifecycle::Stop{.drain = true});
    case plan::SlotStep::stop:
      return world_.advance(one, lifecycle::Stop{.force = world_.down.by_force});
    case plan::SlotStep::due:
      return run_out(one);
  }
}

void Supervisor::plan() {
  while (!world_.agenda.instances.empty())
    for (const auto& id : world_.agenda.instances.take()) {
      auto* one = world_.apps.find(id);
      if (one == nullptr) continue;
      const auto want = world_.dependencies.want(*one);
      const bool ending = world_.dependencies.is_ending(*one->slot);
      const bool waits = want == plan::Want::run || (want == plan::Want::hold && !ending);
      const bool withdraws = one->role == Role::replacement && !world_.down.asked && !waits;
      if (withdraws) handover_.withdraw(*one->slot);
      plan(*one, withdraws ? world_.dependencies.want(*one) : want);
    }
}

void Supervisor::forget_ended() {
  for (const auto& id : world_.agenda.ended.take())
    if (auto* one = world_.apps.find(id)) handover_.forget(*one);
}

namespace {

// The end of this process is not a failure: it did its work.
bool completes(const Instance& one) {
  const auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state);
  return one.phase() == Phase::completed ||
         (stopping != nullptr && lifecycle::phase(stopping->next) == Phase::completed);
}

}  // namespace

// What each fact does to the instance whose start it names.
struct Supervisor::Observer {
  Supervisor& by;
  World& world;
  Instance& one;

  void operator()(const Spawned& spawned) const {
    one.end.failure.reset();
    one.end.late = false;
    world.advance(one, lifecycle::Spawned{spawned.pid});
    world.mark_changed(*one.slot);
  }

  void operator()(const SpawnFailed& failed) const {
    world.starts.erase(failed.id);
    const bool unasked = one.is_up();
    one.end.failure = std::make_unique<StartFailure>(failed.why);
    one.end.late = false;
    if (unasked) one.cause = Cause::refused;
    world.advance(one, lifecycle::SpawnFailed{});
    if (unasked) by.on_end(one, "cannot start " + one.slot->name() + ": " + to_text(failed.why));
  }

  void operator()(const Exited& exited) const { end(exited.status); }
  // It is told once. A new engine that does not know it would wait for it in vain, and then kill a program
  // that runs well: so it is saved at once, unless that costs much.
  void operator()(const ToldReady&) const {
    world.advance(one, lifecycle::ToldReady{});
    if (world.agenda.save.is_costly())
      world.unsaved();
    else
      world.unsaved_wish();
  }
  void operator()(const Drained&) const { world.advance(one, lifecycle::Drained{}); }

  void operator()(const Gone& gone) const {
    if (one.is_up()) end({ExitStatus::Kind::unknown, 0, false});
    world.starts.erase(gone.id);
    world.starts.gone.push_back(gone.id);
    world.advance(one, lifecycle::Gone{});
  }

 private:
  void end(const ExitStatus& status) const {
    if (!is_live(one.phase()) || one.handled == one.start) return;  // told twice
    one.handled = one.start;
    one.end.exit = status;
    one.end.failure.reset();
    const bool unasked = one.is_up();
    if (unasked) {
      one.cause = Cause::ended;
      one.end.late = false;
    }
    world.advance(one, lifecycle::Exited{status});
    world.mark_changed(*one.slot);
    if (unasked && !completes(one))
      by.on_end(one, "cannot keep " + one.slot->name() + " running: " + to_text(status));
  }
};

void Supervisor::observe(const Event& event) {
  const auto id = std::visit([](const auto& what) { return what.id; }, event);
  if (auto* one = world_.starts.find(id)) return std::visit(Observer{*this, world_, *one}, event);
  // Told twice, or of a start that was given up.
  if (!std::holds_alternative<Gone>(event) || !world_.starts.forget_stray(id)) return;
  world_.starts.gone.push_back(id);
  world_.unsaved();
}

}  // namespace svd
