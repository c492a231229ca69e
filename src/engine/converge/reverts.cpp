// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/reverts.h"

#include "plan/diff.h"

namespace svd {

void Reverts::fail(App& app) {
  abandon(app, app.version->spec.update.on_failure == UpdatePolicy::OnFailure::rollback);
}

void Reverts::abandon(App& app, bool go_back) {
  world_.agenda.rollouts.set(app.id, {});
  const auto step = plan::step(app.rollout, plan::Failed{go_back}, world_.now.mono);
  app.rollout = step.state;
  app.each_slot([&](Slot& slot) {
    handover_.withdraw(slot);
    slot.stage = plan::Stage::none;
    slot.renewal = Renewal::none;
    world_.mark_changed(slot);
  });
  carry_out(app, *step.command);
  world_.mark_changed(app);
  world_.unsaved_wish();
}

void Reverts::finish(App& app) {
  const auto step = plan::step(app.rollout, plan::Finished{}, world_.now.mono);
  app.rollout = step.state;
  world_.agenda.rollouts.set(app.id, {});
  app.each_slot([&](Slot& slot) {
    slot.stage = plan::Stage::none;
    world_.mark_changed(slot);
  });
  if (step.command) carry_out(app, *step.command);
  world_.mark_changed(app);
  world_.unsaved();
}

void Reverts::carry_out(App& app, plan::RolloutCommand command) {
  const auto revision = "revision " + std::to_string(app.version->revision);
  switch (command) {
    case plan::RolloutCommand::go_back:
      if (go_back(app)) return;
      return halt(app);
    case plan::RolloutCommand::stop:
      return halt(app);
    case plan::RolloutCommand::tell_back:
      return tell_end(app, "rolled back to " + revision);
    case plan::RolloutCommand::fail_back: {
      halt(app);
      const auto* part = changes_.part_of(app);
      const bool known = part != nullptr && !part->failures.empty();
      const auto why = known ? part->failures.back().second : "a replacement failed";
      return tell_end(app, "cannot roll back to " + revision + ": " + why);
    }
  }
}

// The app is again what it was when it was last seen to work. False: there is no such version, or it is this
// one, or its sockets cannot be had.
bool Reverts::go_back(App& app) {
  const auto goal = app.stable;
  if (!goal || goal->spec.generation == app.generation()) return false;
  const auto revision = "revision " + std::to_string(goal->revision);
  if (!goal->spec.listen.empty())
    if (const auto bound = sockets_.bind(app, goal->spec, app.width()); !bound) {
      note(app, "cannot roll back to " + revision + ": " + bound.error().text);
      return false;
    }
  world_.journal.app(app.id, "the update failed: going back to " + revision);
  if (auto* part = changes_.part_of(app)) part->going_back = true;
  slots_.set_version(app, goal);
  world_.rollout(app, plan::WentBack{});  // also where no slot has to: what was withdrawn has yet to go
  slots_.fit(app, Cause::scaled, nullptr);
  return true;
}

// Of a way back.
void Reverts::tell_end(App& app, const std::string& text) {
  note(app, text);
  auto* part = changes_.part_of(app);
  if (part == nullptr) return;
  part->going_back = false;
  changes_.close_if_settled(app);
}

void Reverts::note(const App& app, const std::string& text) {
  world_.journal.app(app.id, text);
  if (auto* part = changes_.part_of(app); part != nullptr && part->open) part->note = text;
}

// It stays as it is: slots that the update did not reach keep what they have.
void Reverts::halt(App& app) {
  std::uint32_t kept = 0;
  app.each_slot([&](const Slot& slot) { kept += slot.is_stale() ? 1 : 0; });
  world_.rollout(app, plan::Stopped{kept});
  if (kept > 0)
    world_.journal.app(app.id, "the update stopped: " + plan::count_instances(kept) +
                                   (kept == 1 ? " keeps" : " keep") + " the former version");
  changes_.close_if_settled(app);
}

}  // namespace svd
