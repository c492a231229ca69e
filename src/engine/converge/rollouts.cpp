// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/rollouts.h"

#include "base/units.h"

namespace svd {
namespace {

TimePoint ready_since(const Instance& one) {
  const auto* ready = std::get_if<lifecycle::Ready>(&one.life.state);
  return ready == nullptr ? TimePoint{} : ready->since;
}

plan::RolloutSlot observe(const Slot& slot, const UpdatePolicy& update) {
  plan::RolloutSlot out;
  out.slot = slot.index;
  out.phase = slot.phase();
  out.since = ready_since(*slot.main);
  out.at_once = slot.renewal == Renewal::restart;
  out.in_place = out.at_once || update.order == UpdatePolicy::Order::stop_first;
  out.stale = slot.is_stale();
  out.stage = slot.stage;
  if (slot.replacement) {
    out.replacement = slot.replacement->phase();
    out.replacement_since = ready_since(*slot.replacement);
  }
  out.retiring = static_cast<std::uint32_t>(slot.retired.size());
  return out;
}

std::vector<plan::RolloutSlot> observe(const App& app) {
  std::vector<plan::RolloutSlot> out;
  app.each_slot([&](const Slot& slot) {
    if (slot.wanted && !app.is_surplus(slot)) out.push_back(observe(slot, app.version->spec.update));
  });
  return out;
}

// What runs is not taken down for a successor that would have to wait.
void await_dependencies(const App& app, plan::Rollout& rollout) {
  const auto is_up = [&](std::uint32_t index) {
    const auto& slot = *app.slots[index];
    return slot.main->is_up() && slot.renewal != Renewal::restart;
  };
  const auto held_back = std::erase_if(rollout.replace, is_up);
  rollout.busy = rollout.busy || held_back > 0 || !rollout.add.empty();
  rollout.add.clear();
}

bool is_tried(const Slot& slot) { return slot.stage == plan::Stage::replaced; }

}  // namespace

void Rollouts::roll(App& app) {
  world_.agenda.rollouts.set(app.id, {});
  const bool held = app.removed || app.unreadable || !app.sockets.unbound.empty() || world_.down.asked;
  if (!app.is_rolling() || held || app.is_paused()) return;
  const auto& update = app.version->spec.update;
  const auto slots = observe(app);
  auto rollout = plan::plan_rollout(slots, plan::rules_of(update, app.instances()), world_.now.mono);
  if (world_.dependencies.waits(app)) await_dependencies(app, rollout);
  if (rollout.broken) return reverts_.fail(app);
  carry_out(app, rollout);
  if (rollout.works && !slots.empty()) app.stable = app.version;
  if (rollout.finished) return reverts_.finish(app);
  if (!rollout.proven.empty()) world_.touch(app);
  const auto deadline = app.rolling()->progress + update.deadline;
  if (rollout.busy && world_.now.mono >= deadline) return fail_late(app);
  const bool sooner = rollout.busy && (!rollout.wake || deadline < *rollout.wake);
  world_.agenda.rollouts.set(app.id, sooner ? deadline : rollout.wake);
}

void Rollouts::carry_out(App& app, const plan::Rollout& rollout) {
  if (!rollout.add.empty() || !rollout.replace.empty() || !rollout.proven.empty())
    world_.rollout(app, plan::GotOn{});
  for (const auto index : rollout.proven) {
    app.slots[index]->stage = plan::Stage::proven;
    world_.mark_changed(*app.slots[index]);
  }
  for (const auto index : rollout.take_over) handover_.take_over(*app.slots[index]);
  for (const auto index : rollout.replace) handover_.replace(*app.slots[index]);
  for (const auto index : rollout.add) handover_.add_replacement(*app.slots[index]);
}

// Without progress for too long: whatever has not proved itself has failed. Where nothing could be tried,
// that is what waits for it.
void Rollouts::fail_late(App& app) {
  const auto after = " after " + format_duration(app.version->spec.update.deadline) + " without progress";
  auto awaited = world_.dependencies.awaits(app).text;
  const bool held_back = !app.any_slot(is_tried) || !awaited.empty();
  if (awaited.empty()) awaited = "too many others are not ready (update.max_unavailable)";
  app.each_slot([&](Slot& slot) {
    const bool waits_for_it = held_back && slot.stage == plan::Stage::none && slot.is_stale();
    if (!is_tried(slot) && !waits_for_it) return;
    const auto& one = slot.replacement ? *slot.replacement : *slot.main;
    const auto why = waits_for_it ? awaited : world_.reason(one);
    changes_.fail(slot, "cannot replace " + slot.name() + ": " + std::string{to_text(one.phase())} + after +
                            (why.empty() ? "" : ": " + why));
  });
  reverts_.fail(app);
}

}  // namespace svd
