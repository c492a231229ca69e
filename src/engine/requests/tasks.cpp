// SPDX-License-Identifier: Apache-2.0
#include "engine/requests/tasks.h"

namespace svd {

std::string target_of(const std::vector<Task>& tasks) {
  if (tasks.size() != 1) return std::to_string(tasks.size()) + " apps";
  const auto& task = tasks.front();
  return (!task.whole && task.slots.size() == 1) ? task.slots.front()->id().str() : task.app->id.str();
}

PlanStep step_of(const Task& task, PlanStep::Action action, std::string summary, const Actor& who) {
  return {action, task.app->id, task.count(), std::move(summary), {"asked for by " + who.name}};
}

Change* update_of(Changes& changes, const App& app) {
  const auto* part = changes.part_of(app);
  return app.is_rolling() && part != nullptr && part->open ? changes.change_of(app) : nullptr;
}

Change* update_of(Changes& changes, const std::vector<Task>& tasks) {
  Change* found = nullptr;
  for (const auto& task : tasks) {
    auto* const one = update_of(changes, *task.app);
    if (one == nullptr || task.app->is_paused() || (found != nullptr && one != found)) return nullptr;
    found = one;
  }
  return found;
}

const Change* change_that_stops(Changes& changes, const std::vector<Task>& tasks) {
  const Change* found = nullptr;
  for (const auto& task : tasks) {
    const auto* part = changes.part_of(*task.app);
    const auto* change = changes.change_of(*task.app);
    if (part == nullptr || !part->open || (task.whole && task.app->wanted)) return nullptr;
    if (found != nullptr && change != found) return nullptr;
    found = change;
    for (const auto* slot : task.slots)
      if (slot->wanted || slot->track != Track::pending) return nullptr;
  }
  return found;
}

}  // namespace svd
