// SPDX-License-Identifier: Apache-2.0
#include "plan/dependencies.h"

#include <algorithm>
#include <vector>

namespace svd::plan {
namespace {

std::string_view goal(Dependency how) {
  switch (how) {
    case Dependency::started:
      return "be started";
    case Dependency::ready:
      return "be ready";
    case Dependency::completed:
      return "complete";
  }
  return "";
}

bool is_met(const Graph& graph, const AppId& id, Dependency how) {
  return graph.depends_on(id) == nullptr ||
         graph.all_slots(id, [&](const DependencySlot& slot) { return meets(slot, how); });
}

// One look at what an app waits for; it goes by each app once.
class Search {
 public:
  explicit Search(const Graph& graph) : graph_{graph} {}

  Awaited awaits(const AppId& id) {
    Awaited first;
    for (const auto& [name, how] : *graph_.depends_on(id)) {
      const AppId other{id.ecosystem, name};
      if (is_met(graph_, other, how)) continue;
      auto text = "waiting for " + name.str() + " to " + std::string{goal(how)};
      if (const auto why = why_down(other, how); !why.empty()) return {text + why, true};
      if (first.text.empty()) first.text = std::move(text);
    }
    return first;
  }

 private:
  // Why it does not come up, as far as can be told now: one of its slots ended, or its sockets cannot be had,
  // or it waits for such an app itself. "": it may.
  std::string why_down(const AppId& id, Dependency how) {
    if (!seen_.insert(id).second) return "";
    if (const auto unbound = graph_.unbound(id); !unbound.empty()) return ", which has failed: " + unbound;
    std::string why;
    static_cast<void>(graph_.all_slots(id, [&](const DependencySlot& slot) {
      if (!meets(slot, how)) why = why_down(id, slot);
      return why.empty();
    }));
    return why;
  }
  std::string why_down(const AppId& id, const DependencySlot& slot) {
    if (slot.phase == Phase::failed || slot.phase == Phase::backoff)
      return ", which has failed: " + graph_.why_ended(id, slot.index);
    if (slot.phase != Phase::waiting) return "";
    const auto awaited = awaits(id);
    return awaited.down ? ", which is " + awaited.text : "";
  }

  const Graph& graph_;
  std::set<AppId> seen_;
};

// Whether `from` depends on `to`, directly or not.
bool reaches(const Graph& graph, const AppId& from, const AppId& to) {
  std::set<AppId> seen;
  std::vector<AppId> open{from};
  while (!open.empty()) {
    const auto id = open.back();
    open.pop_back();
    if (id == to) return true;
    const auto* others = graph.depends_on(id);
    if (others == nullptr || !seen.insert(id).second) continue;
    for (const auto& [name, how] : *others) open.push_back({id.ecosystem, name});
  }
  return false;
}

bool is_ending_now(const Graph& graph, const AppId& id) {
  return !graph.all_slots(id, [](const DependencySlot& slot) { return !slot.ending || !slot.live; });
}

}  // namespace

bool meets(const DependencySlot& slot, Dependency how) {
  if (!slot.counts || slot.phase == Phase::completed) return true;
  if (how == Dependency::completed) return false;
  return slot.phase == Phase::ready || (how == Dependency::started && slot.has_process);
}

bool waits(const Graph& graph, const AppId& id) {
  return std::ranges::any_of(*graph.depends_on(id), [&](const auto& entry) {
    return !is_met(graph, {id.ecosystem, entry.first}, entry.second);
  });
}

Awaited awaits(const Graph& graph, const AppId& id) { return Search{graph}.awaits(id); }

bool is_needed(const Graph& graph, const AppId& id) {
  const auto* dependents = graph.dependents(id);
  if (dependents == nullptr) return false;
  return std::ranges::any_of(*dependents, [&](const AppId& dependent) {
    const auto* others = graph.depends_on(dependent);
    return others != nullptr && dependent.ecosystem == id.ecosystem && others->contains(id.app) &&
           is_ending_now(graph, dependent) && !reaches(graph, id, dependent);
  });
}

}  // namespace svd::plan
