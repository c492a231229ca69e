// SPDX-License-Identifier: Apache-2.0
// Snapshots for clients. No secret value gets into one.
#include <algorithm>

#include "engine/explain.h"
#include "engine/select.h"
#include "engine/state.h"

namespace svd {
namespace {

std::string_view to_text(LogPolicy::To to) {
  switch (to) {
    case LogPolicy::To::automatic:
      return "automatic";
    case LogPolicy::To::journal:
      return "journal";
    case LogPolicy::To::file:
      return "file";
    case LogPolicy::To::console:
      return "console";
    case LogPolicy::To::none:
      return "none";
  }
  return "";
}

// How many slots of an app are in each phase, and the first one that explains a bad one.
struct Tally {
  std::array<std::uint32_t, phase_names.size()> phases{};
  std::array<const Slot*, phase_names.size()> first{};
  std::uint32_t wanted = 0;
  const Slot* unwanted = nullptr;

  [[nodiscard]] std::uint32_t of(Phase phase) const { return phases[static_cast<std::size_t>(phase)]; }
  [[nodiscard]] const Slot* example(Phase phase) const { return first[static_cast<std::size_t>(phase)]; }
};

Tally tally(const App& app) {
  Tally out;
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    const auto index = static_cast<std::size_t>(slot->phase());
    ++out.phases[index];
    if (out.first[index] == nullptr) out.first[index] = slot.get();
    if (app.is_surplus(*slot)) continue;
    if (slot->wanted)
      ++out.wanted;
    else if (out.unwanted == nullptr)
      out.unwanted = slot.get();
  }
  return out;
}

std::string slot_reason(const Engine::State& state, const Slot& slot) {
  return slot_name(slot) + ": " + state.reason(*slot.occupant);
}

std::uint32_t live(const Tally& counted) {
  return counted.of(Phase::starting) + counted.of(Phase::ready) + counted.of(Phase::stopping);
}

// The worst that is true of an app comes first.
std::pair<std::string, std::string> judge(const Engine::State& state, const App& app, const Tally& counted) {
  if (app.leaving) return {"stopping", "it is being removed"};
  if (!app.unbound.empty()) return {"degraded", app.unbound};
  if (app.unreadable)
    return {"degraded", "its revision cannot be read: what runs is kept, nothing is started"};
  if (!app.wanted) {
    const auto* rested = counted.unwanted;
    return {live(counted) > 0 ? "stopping" : "stopped",
            rested != nullptr ? state.cause_text(*rested->occupant) : ""};
  }
  if (const auto failed = counted.of(Phase::failed); failed > 0)
    return {failed == counted.wanted ? "failed" : "degraded",
            slot_reason(state, *counted.example(Phase::failed))};
  if (const auto* slot = counted.example(Phase::backoff)) return {"degraded", slot_reason(state, *slot)};
  if (app.halted) {
    const auto stale =
        std::ranges::count_if(app.slots, [](const auto& slot) { return slot && is_stale(*slot); });
    if (stale > 0)
      return {"degraded", "the update stopped: " + plan::count_instances(static_cast<std::uint32_t>(stale)) +
                              (stale == 1 ? " keeps" : " keep") + " the former version"};
  }
  if (app.rolling) return {"updating", ""};
  if (counted.of(Phase::starting) + counted.of(Phase::waiting) > 0)
    return {"starting", counted.of(Phase::waiting) > 0 ? state.awaits(app).text : ""};
  if (const auto* slot = counted.example(Phase::stopping))
    return {app.instances() > 0 ? "starting" : "stopping", slot_reason(state, *slot)};
  if (counted.unwanted != nullptr) return {"degraded", slot_reason(state, *counted.unwanted)};
  if (app.instances() == 0) return {"stopped", "it has no instances"};
  if (const auto* slot = counted.example(Phase::stopped)) return {"stopped", slot_reason(state, *slot)};
  if (counted.of(Phase::completed) == counted.wanted) return {"completed", ""};
  return {"ready", ""};
}

// "2 of 4 replaced, paused".
std::string update_text(const App& app) {
  if (!app.rolling && !app.halted) return "";
  std::uint32_t all = 0, there = 0;
  for (const auto& slot : app.slots) {
    if (!slot || !slot->wanted || app.is_surplus(*slot)) continue;
    ++all;
    if (!is_stale(*slot) && slot->part != plan::Part::replaced && slot->part != plan::Part::broken) ++there;
  }
  const auto count = std::to_string(there) + " of " + std::to_string(all);
  if (app.reverting) return count + " back on revision " + std::to_string(app.version->revision);
  return count + " replaced" + (app.halted ? ", stopped" : app.paused ? ", paused" : "");
}

}  // namespace

AppView Engine::State::view(const App& app) const {
  const auto& spec = app.version->spec;
  const auto counted = tally(app);
  AppView out;
  out.id = app.id;
  out.instances = app.leaving ? 0 : app.instances();
  out.ready = counted.of(Phase::ready);
  std::tie(out.state, out.reason) = judge(*this, app, counted);
  out.wanted = app.wanted && !app.leaving;
  out.revision = app.version->revision;
  out.generation = spec.generation;
  out.exec = spec.exec;
  out.cwd = spec.cwd;
  out.user = spec.user;
  for (const auto& [name, value] : spec.env) out.env.push_back(name + "=" + value);
  for (const auto& [name, value] : spec.secret_env)
    if (!spec.env.contains(name)) out.env.push_back(name + "=(secret)");
  std::ranges::sort(out.env);
  const auto to = spec.logs.to == LogPolicy::To::automatic ? ports.logs.automatic() : spec.logs.to;
  out.log = std::string{to_text(to)};
  out.settings = settings_of(spec);
  out.listeners = ports.listeners.describe(app.id);
  out.update = update_text(app);
  out.degraded = ports.limits.unenforceable(app.id, spec);
  if (app.unreadable)
    out.degraded.emplace_back("its revision cannot be read: what runs is kept, nothing is started");
  return out;
}

namespace {

std::string_view role_text(Role role) {
  switch (role) {
    case Role::main:
      return "";
    case Role::replacement:
    case Role::withdrawn:
      return "replacement";
    case Role::leaving:
      return "leaving";
  }
  return "";
}

}  // namespace

InstanceView Engine::State::view(const Occupant& one) const {
  const auto& slot = *one.slot;
  const auto& spec = spec_of(one);
  InstanceView out;
  out.id = {slot.app->id, slot.index};
  out.phase = one.phase();
  out.reason = reason(one);
  out.pid = lifecycle::pid_of(one.life.state);
  out.start = static_cast<std::uint64_t>(one.start);
  out.revision = one.revision;
  out.generation = spec.generation;
  out.restarts = slot.restarts;
  out.since = one.since;
  if (is_live(out.phase)) {
    out.started = one.started;
    out.cgroup = ports.processes.cgroup(one.start, out.id);
    out.directory = ports.processes.directory(one.start);
  }
  if (const auto* backoff = std::get_if<lifecycle::Backoff>(&one.life.state))
    out.next_start = {
        now.wall.micros +
        std::chrono::duration_cast<std::chrono::microseconds>(backoff->until - now.mono).count()};
  out.last_exit = one.last_exit;
  out.role = std::string{role_text(one.role)};
  out.log = ports.logs.where(out.id, spec.logs);
  return out;
}

Result<std::vector<AppView>> Engine::apps(const Names& names) const {
  SVD_TRY(const auto chosen, select(state_->apps, names, Use::view));
  std::vector<AppView> out;
  out.reserve(chosen.size());
  for (const auto& each : chosen) out.push_back(state_->view(*each.app));
  return out;
}

Result<std::vector<InstanceView>> Engine::instances(const Names& names) const {
  SVD_TRY(const auto chosen, select(state_->apps, names, Use::view));
  std::vector<InstanceView> out;
  for (const auto& each : chosen)
    for (const auto index : each.slots)
      each.app->slots[index]->each_occupant([&](const Occupant& one) { out.push_back(state_->view(one)); });
  return out;
}

std::optional<AppView> Engine::app(const AppId& id) const {
  const auto found = state_->apps.find(id);
  return found == state_->apps.end() ? std::nullopt : std::optional{state_->view(found->second)};
}

std::optional<InstanceView> Engine::instance(const SlotId& id) const {
  const auto found = state_->apps.find(id.app);
  if (found == state_->apps.end()) return std::nullopt;
  const auto& slots = found->second.slots;
  if (id.slot >= slots.size() || !slots[id.slot]) return std::nullopt;
  return state_->view(*slots[id.slot]->occupant);
}

Usage Engine::usage(const AppId& id, Figures figures) const {
  return state_->apps.contains(id) ? state_->ports.limits.usage(id, figures) : Usage{};
}

Usage Engine::usage(const SlotId& id, StartId start, Figures figures) const {
  const bool exists = state_->starts.contains(static_cast<std::uint64_t>(start));
  return exists ? state_->ports.limits.usage(start, id, figures) : Usage{};
}

std::optional<ChangeView> Engine::change(ChangeId id) const {
  const auto found = state_->changes.find(id);
  if (found == state_->changes.end()) return std::nullopt;
  auto view = found->second.view;
  if (found->second.running)
    for (const auto& [app, part] : found->second.parts)
      for (const auto& failure : part.failures) view.failed.push_back(failure.first);
  return view;
}

std::vector<ChangeId> Engine::changes() const {
  std::vector<ChangeId> out;
  for (const auto& [id, change] : state_->changes) out.push_back(id);
  return out;
}

}  // namespace svd
