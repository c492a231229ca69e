// SPDX-License-Identifier: Apache-2.0
// Taking over after a former engine: the changes that were under way go on, under their numbers, so that who
// waits for one hears of its end.
#include <algorithm>
#include <set>

#include "engine/persist.h"
#include "engine/state.h"

namespace svd {
namespace {

void restore_failures(Engine::State& state, Change& change, const SavedChange& saved) {
  for (auto& [id, part] : change.parts)
    for (const auto& slot : state.apps.at(id).slots) {
      if (!slot) continue;
      const auto name = SlotId{id, slot->index}.str();
      const auto failed = std::ranges::find(saved.failed, name);
      const auto index = static_cast<std::size_t>(failed - saved.failed.begin());
      if (failed != saved.failed.end() && index < saved.why.size())
        state.fail_tracked(*slot, saved.why[index]);
    }
}

Change& make_change(Engine::State& state, const SavedChange& saved, const std::vector<AppId>& ids) {
  auto& change = state.changes[ChangeId{saved.id}];
  change.who = saved.who;
  change.ecosystem = saved.ecosystem;
  change.view.id = ChangeId{saved.id};
  change.view.kind = saved.kind;
  change.view.target = saved.target;
  change.view.state = "running";
  change.view.started = {saved.started};
  change.view.revision = saved.revision;
  state.mark_dirty(change);
  for (const auto& id : ids) {
    const auto app = state.apps.find(id);
    if (app == state.apps.end()) continue;
    state.begin_part(change, app->second);
    for (const auto& slot : app->second.slots)
      if (slot) state.track(*slot);
    app->second.part->reverting = app->second.reverting;
  }
  restore_failures(state, change, saved);
  return change;
}

// A revision that was still being applied goes on as a change of its own.
void resume_revision(Engine::State& state, const Eco& eco, bool covered) {
  const auto view = std::ranges::find(eco.history, eco.current, &RevisionView::number);
  if (view == eco.history.end() || view->outcome != "running" || covered) return;
  SavedChange change;
  change.id = state.next_change++;
  change.kind = "apply";
  change.target = eco.name.str();
  change.who = view->who;
  change.ecosystem = eco.name;
  change.revision = eco.current;
  change.started = view->when.micros;
  std::vector<AppId> ids;
  for (const auto& [id, app] : state.apps)
    if (id.ecosystem == eco.name) ids.push_back(id);
  make_change(state, change, ids);
}

}  // namespace

void Engine::State::restore_changes(const std::vector<SavedChange>& all) {
  std::set<std::pair<Name, std::uint64_t>> covered;
  for (const auto& saved : all) {
    if (saved.kind == "shutdown") continue;
    const bool overtaken = saved.revision != 0 && ecosystems[saved.ecosystem].current != saved.revision;
    auto& change = make_change(*this, saved, overtaken ? std::vector<AppId>{} : saved.apps);
    change.overtaken = overtaken;
    if (overtaken) continue;
    covered.emplace(saved.ecosystem, saved.revision);
    next_change = std::max(next_change, static_cast<std::uint64_t>(change.view.id) + 1);
  }
  for (auto& [name, eco] : ecosystems) resume_revision(*this, eco, covered.contains({name, eco.current}));
}

}  // namespace svd
