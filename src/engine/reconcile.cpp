// SPDX-License-Identifier: Apache-2.0
#include "engine/reconcile.h"

namespace svd {

std::optional<TimePoint> Reconciler::run() {
  wake_up();
  converge();
  owners_.launcher.adjust_limits();
  owners_.changes.finish_settled();
  world_.outbox.tell_all(ports_.observer);
  owners_.saver.save_if_due();  // nothing is done that is not on record
  owners_.sockets.tell_who_serves();
  owners_.launcher.carry_out();
  ports_.processes.flush();
  world_.outbox.tell_all(ports_.observer);
  return next_wake();
}

void Reconciler::wake_up() {
  for (const auto& refused : owners_.launcher.take_refused()) owners_.supervisor.observe(refused);
  auto& agenda = world_.agenda;
  for (const auto& id : agenda.deadlines.take_due(world_.now.mono))
    if (auto* one = world_.apps.find(id)) world_.touch(*one);
  for (const auto& id : agenda.rollouts.take_due(world_.now.mono)) agenda.apps.push(id);
  owners_.sockets.retry_binding();
  world_.touch_held();
  owners_.shutdown.begin_if_apps_have_ended();
}

// Until nothing follows from anything any more.
void Reconciler::converge() {
  const auto& agenda = world_.agenda;
  while (!agenda.instances.empty() || !agenda.apps.empty() || !agenda.ended.empty()) {
    owners_.supervisor.plan();
    owners_.supervisor.forget_ended();
    show_changed();
    plan_apps();
  }
  show_changed();
}

void Reconciler::plan_apps() {
  auto& agenda = world_.agenda;
  for (const auto& id : agenda.apps.take()) {
    auto* app = world_.apps.find(id);
    if (app == nullptr) continue;
    owners_.rollouts.roll(*app);
    owners_.sockets.release_unused(*app);
    if (agenda.instances.empty() && agenda.ended.empty())
      owners_.slots.drop_ended(*app);
    else
      world_.touch(*app);  // first what is on its way
  }
}

// Clients are told once per reconcile, whatever happened in between; each single step is an event record.
void Reconciler::show_changed() {
  for (const auto& id : world_.agenda.changed_slots.take())
    if (auto* slot = world_.apps.find(id)) {
      owners_.changes.evaluate(*slot);
      world_.outbox.tell(InstanceChanged{id});
    }
  for (const auto& id : world_.agenda.changed_apps.take())
    if (world_.apps.find(id) != nullptr) world_.outbox.tell(AppChanged{id});
}

std::optional<TimePoint> Reconciler::next_wake() const {
  const auto& agenda = world_.agenda;
  if (owners_.launcher.has_refused() || owners_.shutdown.is_to_look()) return world_.now.mono;
  auto wake = agenda.save.at();
  for (const auto& next : {agenda.deadlines.next(), agenda.rollouts.next(),
                           world_.down.asked ? std::nullopt : agenda.bindings.next()})
    if (next && (!wake || *next < *wake)) wake = next;
  return wake;
}

}  // namespace svd
