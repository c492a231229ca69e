// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/shutdown.h"

#include "plan/diff.h"
#include "plan/ending.h"

namespace svd {
namespace {

bool has_ended(const Slot& slot) {
  return slot.wanted && !slot.has_others() &&
         (slot.phase() == Phase::completed || slot.phase() == Phase::failed);
}

// The instance that failed first; nullptr: none.
const Instance* first_failed(const App& app) {
  const Instance* first = nullptr;
  app.each_slot([&](const Slot& slot) {
    const bool failed = !app.is_surplus(slot) && slot.phase() == Phase::failed;
    if (failed && (first == nullptr || slot.main->since < first->since)) first = slot.main.get();
  });
  return first;
}

plan::AppEnd end_of(const App& app) {
  plan::AppEnd end;
  end.essential = app.version->spec.essential;
  end.empty = app.instances() == 0;
  end.ended = !end.empty && !app.is_rolling() && !app.unreadable &&
              !app.any_slot([&](const Slot& slot) { return !app.is_surplus(slot) && !has_ended(slot); });
  if (const auto* failed = first_failed(app); end.ended && failed != nullptr) end.failed = failed->since;
  return end;
}

int exit_code(const Instance& one) {
  return one.end.failure ? plan::exit_code(*one.end.failure) : plan::exit_code(one.end.exit);
}

}  // namespace

void Shutdown::end_with_apps() {
  belongs_to_apps_ = true;
  world_.agenda.may_have_ended = true;  // a former engine may have died before it came to this
}

void Shutdown::begin_if_apps_have_ended() {
  if (!is_to_look()) return;
  world_.agenda.may_have_ended = false;
  std::vector<plan::AppEnd> ends;
  std::vector<const App*> apps;
  for (const auto& [id, app] : world_.apps.all()) {
    if (app.removed) continue;
    ends.push_back(end_of(app));
    apps.push_back(&app);
  }
  const auto ending = plan::ending(ends);
  if (!ending) return;
  const auto* failed = ending->failed ? first_failed(*apps[*ending->failed]) : nullptr;
  exit_code_ = failed != nullptr ? ::svd::exit_code(*failed) : 0;
  const auto what = failed != nullptr ? failed->slot->name() + " has failed: " + world_.reason(*failed)
                    : ending->chosen  ? std::string{"all that is essential has ended"}
                                      : std::string{"all apps have ended"};
  world_.journal.daemon("apps", what + "; svd ends with " + std::to_string(exit_code_), Journal::Level::info);
  begin({0, "svd"}, false);
}

void Shutdown::begin(const Actor& who, bool force) {
  const bool again = std::exchange(world_.down.asked, true);
  if (again && (!force || world_.down.by_force)) return;
  world_.down.by_force = force;
  const auto starts = world_.starts.all();  // one whose start is cancelled leaves them
  if (!again) {
    auto& change =
        changes_.begin(Kind::shutdown, plan::count_instances(static_cast<std::uint32_t>(starts.size())), who);
    for (auto& [id, app] : world_.apps.all()) changes_.begin_part(change, app);
  }
  for (const auto& [id, one] : starts) {
    if (one->is_up()) {
      one->cause = Cause::shutdown;
      one->by = nullptr;
    } else if (force) {
      world_.advance(*one, lifecycle::Stop{.force = true});
    }
    changes_.track(*one->slot);
    world_.touch(*one);
  }
  for (const auto& id : world_.agenda.deadlines.keys())  // nothing is retried any more
    if (auto* one = world_.apps.find(id)) world_.touch(*one);
  world_.unsaved_wish();
}

}  // namespace svd
