// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/handover.h"

#include <utility>

namespace svd {
namespace {

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

void Handover::add_replacement(Slot& slot) {
  slot.replacement = std::make_unique<Instance>();
  auto& one = *slot.replacement;
  one.slot = &slot;
  one.nth = slot.made++;
  one.role = Role::replacement;
  one.version = slot.app->version;
  one.cause = cause_of(slot.renewal);
  one.by = slot.main->by;
  one.since = world_.now.wall;
  slot.stage = plan::Stage::replaced;
  world_.touch(one);
  world_.mark_changed(slot);
  world_.unsaved();
}

// It is on record before anything is done to the one that has served so far: a new engine that does not know
// would take an instance that is being stopped for the one that serves.
void Handover::take_over(Slot& slot) {
  auto former = std::exchange(slot.main, std::move(slot.replacement));
  auto& one = *slot.main;
  one.role = Role::main;
  slot.stage = plan::Stage::proven;
  slot.renewal = Renewal::none;
  world_.rollout(*slot.app, plan::GotOn{});
  EventRecord event;
  event.subject = slot.id().str();
  event.text = "pid " + std::to_string(one.pid()) + " has taken over";
  event.start = static_cast<std::uint64_t>(one.start);
  event.revision = one.revision;
  world_.journal.instance(std::move(event));
  former->cause = one.cause;
  former->by = one.by;
  retire(slot, std::move(former), Role::superseded);
  world_.count_serving(one);
  world_.touch(slot);
  world_.unsaved_wish();
}

void Handover::replace(Slot& slot) {
  auto& one = *slot.main;
  const bool others_serve = slot.app->serving > (one.serves ? 1 : 0);
  slot.stage = plan::Stage::replaced;
  one.cause = cause_of(slot.renewal);
  if (one.is_up())
    world_.advance(one,
                   lifecycle::Stop{.again = true, .drain = others_serve && slot.renewal != Renewal::restart});
  else
    world_.advance(one, lifecycle::Renew{});
}

void Handover::withdraw(Slot& slot) {
  if (!slot.replacement) return;
  auto one = std::move(slot.replacement);
  if (one->is_up()) one->cause = Cause::withdrawn;
  slot.stage = plan::Stage::none;
  retire(slot, std::move(one), Role::withdrawn);
}

void Handover::retire(Slot& slot, std::unique_ptr<Instance> one, Role role) {
  one->role = role;
  world_.count_serving(*one);
  if (!is_live(one->phase())) world_.agenda.ended.push(one->id());
  world_.touch(*one);
  slot.retired.push_back(std::move(one));
  world_.mark_changed(slot);
  world_.unsaved();
}

void Handover::forget(Instance& one) {
  auto& slot = *one.slot;
  const auto& app = *slot.app;
  world_.agenda.deadlines.set(one.id(), {});
  std::erase_if(slot.retired, [&](const auto& each) { return each.get() == &one; });
  if (app.is_rolling() || app.sockets.releasing || app.is_surplus(slot)) world_.touch(app);
  world_.mark_changed(slot);
  world_.unsaved();
}

}  // namespace svd
