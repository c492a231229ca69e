// SPDX-License-Identifier: Apache-2.0
#include "engine/takeover/resume_changes.h"

#include <algorithm>
#include <set>

namespace svd {
namespace {

// One that a later version began is to be waited for as any other.
Kind kind_of(const std::string& text) {
  const auto found = std::ranges::find(kind_names, std::string_view{text});
  return found == kind_names.end() ? Kind::apply : static_cast<Kind>(found - kind_names.begin());
}

class Resumption {
 public:
  Resumption(World& world, Changes& changes) : world_{world}, changes_{changes} {}

  Change& resume(const SavedChange& saved, const std::vector<AppId>& ids) {
    auto& change = changes_.resume(ChangeId{saved.id}, kind_of(saved.kind));
    change.who = saved.who;
    change.ecosystem = saved.ecosystem;
    change.view.target = saved.target;
    change.view.started = {saved.started};
    change.view.revision = saved.revision;
    for (const auto& id : ids) {
      auto* app = world_.apps.find(id);
      if (app == nullptr) continue;
      changes_.begin_part(change, *app);
      app->each_slot([&](Slot& slot) { changes_.track(slot); });
      changes_.part_of(*app)->going_back = app->is_going_back();
    }
    fail_slots(change, saved);
    return change;
  }

  // A revision that was still being applied goes on as a change of its own.
  void resume(const EcosystemRecord& eco) {
    const auto view = std::ranges::find(eco.history, eco.current, &RevisionView::number);
    if (view == eco.history.end() || view->outcome != to_text(Outcome::running)) return;
    SavedChange change;
    change.id = changes_.next();
    changes_.continue_at(change.id + 1);
    change.kind = to_text(Kind::apply);
    change.target = eco.name.str();
    change.who = view->who;
    change.ecosystem = eco.name;
    change.revision = eco.current;
    change.started = view->when.micros;
    std::vector<AppId> ids;
    for (const auto& [id, app] : world_.apps.of(eco.name)) ids.push_back(id);
    resume(change, ids);
  }

 private:
  void fail_slots(const Change& change, const SavedChange& saved) {
    for (const auto& [id, part] : change.parts)
      world_.apps.find(id)->each_slot([&](Slot& slot) {
        const auto failed = std::ranges::find(saved.failed, slot.id().str());
        const auto index = static_cast<std::size_t>(failed - saved.failed.begin());
        if (failed != saved.failed.end() && index < saved.why.size()) changes_.fail(slot, saved.why[index]);
      });
  }

  World& world_;
  Changes& changes_;
};

}  // namespace

void resume_changes(World& world, Changes& changes, Revisions& revisions,
                    const std::vector<SavedChange>& all) {
  Resumption resumption{world, changes};
  std::set<std::pair<Name, std::uint64_t>> covered;
  for (const auto& saved : all) {
    if (saved.kind == to_text(Kind::shutdown)) continue;
    const bool overtaken = saved.revision != 0 && revisions.current(saved.ecosystem) != saved.revision;
    resumption.resume(saved, overtaken ? std::vector<AppId>{} : saved.apps).overtaken = overtaken;
    if (overtaken) continue;
    covered.emplace(saved.ecosystem, saved.revision);
    changes.continue_at(std::max(changes.next(), saved.id + 1));
  }
  for (const auto& [name, eco] : revisions.all())
    if (!covered.contains({name, eco.current})) resumption.resume(eco);
}

}  // namespace svd
