// SPDX-License-Identifier: Apache-2.0
// Who waits for whom, on the way up and on the way down.
//
// Up: a first start waits until each dependency is where the app wants it. Who waits for what has failed is
// not started either, but a change does not wait with it: that slot has failed, with the dependency's name.
//
// Down: what is to end ends after all that depends on it and is to end as well. Nobody waits for what stays,
// and a wait is bounded by the stops of those that are waited for. Dependencies have no cycle within a file;
// but apps can have gone back to different revisions of it, and so two may depend on each other. Then neither
// waits for the other.
#include <algorithm>
#include <utility>

#include "engine/state.h"

namespace svd {
namespace {

bool meets(const Slot& slot, Dependency how) {
  if (!slot.wanted || slot.app->is_surplus(slot) || slot.phase() == Phase::completed) return true;
  if (how == Dependency::completed) return false;
  if (slot.phase() == Phase::ready) return true;
  return how == Dependency::started && lifecycle::pid_of(slot.occupant->life.state) != 0;
}

bool is_met(const App& app, Dependency how) {
  return std::ranges::all_of(app.slots, [&](const auto& slot) { return !slot || meets(*slot, how); });
}

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

bool depends_on(const App& app, const App& other) {
  return app.id.ecosystem == other.id.ecosystem && app.version->spec.depends_on.contains(other.id.app);
}

}  // namespace

// Why it does not come up, as far as can be told now: one of its slots ended, or its sockets cannot be had,
// or it waits for such an app itself. "": it may.
std::string Engine::State::why_down(const App& app, Dependency how, std::set<AppId>& seen) const {
  if (!seen.insert(app.id).second) return "";
  if (!app.unbound.empty()) return ", which has failed: " + app.unbound;
  for (const auto& slot : app.slots) {
    if (!slot || meets(*slot, how)) continue;
    const auto phase = slot->phase();
    if (phase == Phase::failed || phase == Phase::backoff)
      return ", which has failed: " + slot_name(*slot) + ": " + reason(*slot->occupant);
    if (phase != Phase::waiting) continue;
    if (const auto awaited = awaits(app, seen); awaited.down) return ", which is " + awaited.text;
  }
  return "";
}

Awaited Engine::State::awaits(const App& app, std::set<AppId>& seen) const {
  Awaited first;
  for (const auto& [name, how] : app.version->spec.depends_on) {
    const auto found = apps.find({app.id.ecosystem, name});
    if (found == apps.end() || is_met(found->second, how)) continue;
    auto text = "waiting for " + name.str() + " to " + std::string{goal(how)};
    if (const auto why = why_down(found->second, how, seen); !why.empty()) return {text + why, true};
    if (first.text.empty()) first.text = std::move(text);
  }
  return first;
}

Awaited Engine::State::awaits(const App& app) const {
  std::set<AppId> seen;
  return awaits(app, seen);
}

bool Engine::State::waits(const App& app) const {
  return std::ranges::any_of(app.version->spec.depends_on, [&](const auto& entry) {
    const auto found = apps.find({app.id.ecosystem, entry.first});
    return found != apps.end() && !is_met(found->second, entry.second);
  });
}

bool Engine::State::is_ending(const Slot& slot) const {
  return shutting || !slot.wanted || slot.app->is_surplus(slot);
}

// Something that depends on it is to end, too, and has not yet.
bool Engine::State::is_needed(const App& app) const {
  const auto found = dependents.find(app.id);
  if (found == dependents.end() || forced) return false;
  return std::ranges::any_of(found->second, [&](const AppId& id) {
    const auto entry = apps.find(id);
    if (entry == apps.end() || !depends_on(entry->second, app)) return false;
    const auto& dependent = entry->second;
    return is_ending_now(dependent) && !reaches(app, dependent);
  });
}

bool Engine::State::is_ending_now(const App& app) const {
  return std::ranges::any_of(app.slots, [&](const auto& slot) {
    if (!slot || !is_ending(*slot)) return false;
    bool live = false;
    slot->each_occupant([&](const Occupant& one) { live = live || is_live(one.phase()); });
    return live;
  });
}

// Whether `from` depends on `to`, directly or not.
bool Engine::State::reaches(const App& from, const App& to) const {
  std::set<AppId> seen;
  std::vector<const App*> open{&from};
  while (!open.empty()) {
    const auto* app = open.back();
    open.pop_back();
    if (app == &to) return true;
    if (!seen.insert(app->id).second) continue;
    for (const auto& [name, how] : app->version->spec.depends_on)
      if (const auto next = apps.find({app->id.ecosystem, name}); next != apps.end())
        open.push_back(&next->second);
  }
  return false;
}

void Engine::State::note_dependencies(const App& app) {
  for (const auto& [name, how] : app.version->spec.depends_on)
    dependents[{app.id.ecosystem, name}].insert(app.id);
}

// Those that wait for it, and those that wait for them: what they wait for has changed, or why it does not
// come.
void Engine::State::touch_dependents(const App& app) {
  if (!dependents.contains(app.id)) return;
  std::set<AppId> seen;
  std::vector<AppId> open{app.id};
  while (!open.empty()) {
    const auto found = dependents.find(open.back());
    open.pop_back();
    if (found == dependents.end()) continue;
    for (const auto& id : found->second) {
      const auto entry = apps.find(id);
      if (entry == apps.end() || !seen.insert(id).second) continue;
      auto& dependent = entry->second;
      if (dependent.rolling) touch(dependent);
      bool waiting = false;
      for (const auto& slot : dependent.slots) {
        if (!slot || (slot->phase() != Phase::waiting && !slot->replacement)) continue;
        waiting = waiting || slot->phase() == Phase::waiting;
        touch(*slot);
        mark_changed(*slot);
      }
      if (waiting) open.push_back(id);
    }
  }
}

// Whatever has happened to those that they wait for.
void Engine::State::touch_held() {
  for (const auto& id : std::exchange(held, {})) {
    const auto app = apps.find(id);
    if (app == apps.end()) continue;
    for (const auto& slot : app->second.slots)
      if (slot && is_ending(*slot)) touch(*slot);
  }
}

}  // namespace svd
