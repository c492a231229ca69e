// SPDX-License-Identifier: Apache-2.0
// What one request has to do, app by app.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/changes/changes.h"
#include "engine/requests/select.h"

namespace svd {

struct Task {
  App* app = nullptr;
  bool whole = false;
  std::vector<Slot*> slots;

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(slots.size()); }
};

[[nodiscard]] std::string target_of(const std::vector<Task>& tasks);
[[nodiscard]] PlanStep step_of(const Task& task, PlanStep::Action action, std::string summary,
                               const Actor& who);

// The chosen slots that `needs` something, by app; apps without any are left out unless `keep_app` wants
// them.
template <class Needs, class KeepApp>
std::vector<Task> tasks_for(const std::vector<Chosen>& all, Needs&& needs, KeepApp&& keep_app) {
  std::vector<Task> tasks;
  for (const auto& chosen : all) {
    Task task{chosen.app, chosen.whole, {}};
    for (const auto index : chosen.slots)
      if (auto* slot = chosen.app->slots[index].get(); needs(*slot)) task.slots.push_back(slot);
    if (!task.slots.empty() || (chosen.whole && keep_app(*chosen.app))) tasks.push_back(std::move(task));
  }
  return tasks;
}

// What is asked of an app in which an update runs becomes part of that update, which goes on: it has one
// outcome, for whoever began it and for whoever asked. nullptr: none runs.
[[nodiscard]] Change* update_of(Changes& changes, const App& app);
// The update that all of them belong to. A held one nobody is made to wait for.
[[nodiscard]] Change* update_of(Changes& changes, const std::vector<Task>& tasks);
// The change under way that already stops all of these; nullptr: there is none, or something is left to be
// asked for.
[[nodiscard]] const Change* change_that_stops(Changes& changes, const std::vector<Task>& tasks);

}  // namespace svd
