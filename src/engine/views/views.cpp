// SPDX-License-Identifier: Apache-2.0
#include "engine/views/views.h"

#include <algorithm>

#include "engine/requests/select.h"
#include "engine/world/explain.h"
#include "engine/world/words.h"
#include "plan/diff.h"

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

std::string slot_reason(const World& world, const Slot& slot) {
  return slot.name() + ": " + world.reason(*slot.main);
}

std::uint32_t live(const Tally& counted) {
  return counted.of(Phase::starting) + counted.of(Phase::ready) + counted.of(Phase::stopping);
}

// The worst that is true of an app comes first.
std::pair<std::string, std::string> judge(const World& world, const App& app, const Tally& counted) {
  if (app.removed) return {"stopping", "it is being removed"};
  if (!app.sockets.unbound.empty()) return {"degraded", app.sockets.unbound};
  if (app.unreadable)
    return {"degraded", "its revision cannot be read: what runs is kept, nothing is started"};
  if (!app.wanted) {
    const auto* example = counted.unwanted;
    return {live(counted) > 0 ? "stopping" : "stopped", example != nullptr ? cause_text(*example->main) : ""};
  }
  if (const auto failed = counted.of(Phase::failed); failed > 0)
    return {failed == counted.wanted ? "failed" : "degraded",
            slot_reason(world, *counted.example(Phase::failed))};
  if (const auto* slot = counted.example(Phase::backoff)) return {"degraded", slot_reason(world, *slot)};
  if (app.is_halted()) {
    std::uint32_t stale = 0;
    app.each_slot([&](const Slot& slot) { stale += slot.is_stale() ? 1 : 0; });
    if (stale > 0)
      return {"degraded", "the update stopped: " + plan::count_instances(stale) +
                              (stale == 1 ? " keeps" : " keep") + " the former version"};
  }
  if (app.is_rolling()) return {"updating", ""};
  if (counted.of(Phase::starting) + counted.of(Phase::waiting) > 0)
    return {"starting", counted.of(Phase::waiting) > 0 ? world.dependencies.awaits(app).text : ""};
  if (const auto* slot = counted.example(Phase::stopping))
    return {app.instances() > 0 ? "starting" : "stopping", slot_reason(world, *slot)};
  if (counted.unwanted != nullptr) return {"degraded", slot_reason(world, *counted.unwanted)};
  if (app.instances() == 0) return {"stopped", "it has no instances"};
  if (const auto* slot = counted.example(Phase::stopped)) return {"stopped", slot_reason(world, *slot)};
  if (counted.of(Phase::completed) == counted.wanted) return {"completed", ""};
  return {"ready", ""};
}

// "2 of 4 replaced, paused".
std::string update_text(const App& app) {
  if (!app.is_rolling() && !app.is_halted()) return "";
  std::uint32_t all = 0, there = 0;
  for (const auto& slot : app.slots) {
    if (!slot || !slot->wanted || app.is_surplus(*slot)) continue;
    ++all;
    if (!slot->is_stale() && slot->stage != plan::Stage::replaced && slot->stage != plan::Stage::broken)
      ++there;
  }
  const auto count = std::to_string(there) + " of " + std::to_string(all);
  if (app.is_going_back()) return count + " back on revision " + std::to_string(app.version->revision);
  return count + " replaced" + (app.is_halted() ? ", stopped" : app.is_paused() ? ", paused" : "");
}

}  // namespace

AppView ViewBuilder::view(const App& app) const {
  const auto& spec = app.version->spec;
  const auto counted = tally(app);
  AppView out;
  out.id = app.id;
  out.instances = app.removed ? 0 : app.instances();
  out.ready = counted.of(Phase::ready);
  std::tie(out.state, out.reason) = judge(world_, app, counted);
  out.wanted = app.wanted && !app.removed;
  out.revision = app.version->revision;
  out.generation = spec.generation;
  out.exec = spec.exec;
  out.cwd = spec.cwd;
  out.user = spec.user;
  for (const auto& [name, value] : spec.env) out.env.push_back(name + "=" + value);
  for (const auto& [name, value] : spec.secret_env)
    if (!spec.env.contains(name)) out.env.push_back(name + "=(secret)");
  std::ranges::sort(out.env);
  const auto to = spec.logs.to == LogPolicy::To::automatic ? ports_.logs.automatic() : spec.logs.to;
  out.log = std::string{to_text(to)};
  out.settings = settings_of(spec);
  out.listeners = ports_.listeners.describe(app.id);
  out.update = update_text(app);
  out.degraded = ports_.limits.unenforceable(app.id, spec);
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
    case Role::superseded:
      return "leaving";
  }
  return "";
}

}  // namespace

InstanceView ViewBuilder::view(const Instance& one) const {
  const auto& slot = *one.slot;
  const auto& spec = one.spec();
  InstanceView out;
  out.id = {slot.app->id, slot.index};
  out.phase = one.phase();
  out.reason = world_.reason(one);
  out.pid = one.pid();
  out.start = static_cast<std::uint64_t>(one.start);
  out.revision = one.revision;
  out.generation = spec.generation;
  out.restarts = slot.restarts;
  out.since = one.since;
  if (is_live(out.phase)) {
    out.started = one.started;
    out.cgroup = ports_.processes.cgroup(one.start, out.id);
    out.directory = ports_.processes.directory(one.start);
  }
  if (const auto* backoff = std::get_if<lifecycle::Backoff>(&one.life.state))
    out.next_start = {
        world_.now.wall.micros +
        std::chrono::duration_cast<std::chrono::microseconds>(backoff->until - world_.now.mono).count()};
  out.last_exit = one.end.exit;
  out.role = std::string{role_text(one.role)};
  out.log = ports_.logs.where(out.id, spec.logs);
  return out;
}

Result<std::vector<AppView>> ViewBuilder::apps(const Names& names) const {
  SVD_TRY(const auto chosen, select(world_.apps.all(), names, Use::view));
  std::vector<AppView> out;
  out.reserve(chosen.size());
  for (const auto& each : chosen) out.push_back(view(*each.app));
  return out;
}

Result<std::vector<InstanceView>> ViewBuilder::instances(const Names& names) const {
  SVD_TRY(const auto chosen, select(world_.apps.all(), names, Use::view));
  std::vector<InstanceView> out;
  for (const auto& each : chosen)
    for (const auto index : each.slots)
      each.app->slots[index]->each([&](const Instance& one) { out.push_back(view(one)); });
  return out;
}

std::optional<AppView> ViewBuilder::app(const AppId& id) const {
  const auto* app = world_.apps.find(id);
  return app == nullptr ? std::nullopt : std::optional{view(*app)};
}

std::optional<InstanceView> ViewBuilder::instance(const SlotId& id) const {
  const auto* slot = world_.apps.find(id);
  return slot == nullptr ? std::nullopt : std::optional{view(*slot->main)};
}

Usage ViewBuilder::usage(const AppId& id, Figures figures) const {
  return world_.apps.find(id) != nullptr ? ports_.limits.usage(id, figures) : Usage{};
}

Usage ViewBuilder::usage(const SlotId& id, StartId start, Figures figures) const {
  return world_.starts.contains(start) ? ports_.limits.usage(start, id, figures) : Usage{};
}

Result<std::vector<RevisionView>> ViewBuilder::history(const std::string& ecosystem) const {
  std::vector<RevisionView> out;
  if (ecosystem.empty()) {
    for (const auto& [name, eco] : revisions_.all())
      out.insert(out.end(), eco.history.begin(), eco.history.end());
    return out;
  }
  SVD_TRY(const auto* eco, revisions_.find(ecosystem, "cannot show the history of"));
  return eco->history;
}

}  // namespace svd
