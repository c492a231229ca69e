// SPDX-License-Identifier: Apache-2.0
#include "engine/world/dependencies.h"

#include "engine/world/words.h"

namespace svd {

bool Dependencies::is_ending(const Slot& slot) const {
  return down_.asked || !slot.wanted || slot.app->is_surplus(slot);
}

plan::Want Dependencies::want(const Instance& one) const {
  const auto& slot = *one.slot;
  const auto& app = *slot.app;
  const bool serves = one.is_up() && one.pid() != 0;  // not a start that is yet to be made
  const bool first = one.phase() == Phase::waiting || one.phase() == Phase::stopped;  // no restart
  plan::WantFacts facts;
  facts.needed = serves && !down_.by_force && is_ending(slot) && plan::is_needed(*this, app.id);
  facts.removed = app.removed;
  facts.wanted = slot.wanted;
  facts.surplus = app.is_surplus(slot);
  facts.last = app.instances() == 0;
  facts.shutting = down_.asked;
  facts.main = one.role == Role::main;
  facts.retired = one.is_retired();
  facts.blocked = app.unreadable || !app.sockets.unbound.empty();
  facts.awaits = first && waits(app);
  return plan::want(facts);
}

void Dependencies::note(const App& app) {
  for (const auto& [name, how] : app.version->spec.depends_on)
    dependents_[{app.id.ecosystem, name}].insert(app.id);
}

const std::map<Name, Dependency>* Dependencies::depends_on(const AppId& id) const {
  const auto* app = apps_.find(id);
  return app == nullptr ? nullptr : &app->version->spec.depends_on;
}

const std::set<AppId>* Dependencies::dependents(const AppId& id) const {
  const auto found = dependents_.find(id);
  return found == dependents_.end() ? nullptr : &found->second;
}

bool Dependencies::all_slots(const AppId& id,
                             const std::function<bool(const plan::DependencySlot&)>& holds) const {
  const auto* app = apps_.find(id);
  return app == nullptr || !app->any_slot([&](const Slot& slot) {
    bool live = false;
    slot.each([&](const Instance& one) { live = live || is_live(one.phase()); });
    return !holds({slot.index, slot.phase(), slot.wanted && !app->is_surplus(slot), slot.main->pid() != 0,
                   is_ending(slot), live});
  });
}

std::string Dependencies::unbound(const AppId& id) const { return apps_.find(id)->sockets.unbound; }

std::string Dependencies::why_ended(const AppId& id, std::uint32_t slot) const {
  const auto& found = *apps_.find(SlotId{id, slot});
  return found.name() + ": " + rest_text(*found.main);
}

}  // namespace svd
