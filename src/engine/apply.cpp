// SPDX-License-Identifier: Apache-2.0
// Converging onto a file.
#include "engine/explain.h"
#include "engine/state.h"

namespace svd {
namespace {

bool is_failing(const Slot& slot) {
  const auto* stopping = std::get_if<lifecycle::Stopping>(&slot.occupant->life.state);
  return slot.phase() == Phase::failed ||
         (stopping != nullptr && lifecycle::phase(stopping->next) == Phase::failed);
}

std::string summary_of(const std::vector<PlanStep>& steps) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (std::size_t i = 0; i < steps.size() && i < shown; ++i)
    text += (i == 0 ? "" : "; ") + steps[i].app.app.str() + ": " + steps[i].summary;
  if (steps.size() > shown) text += "; and " + std::to_string(steps.size() - shown) + " more";
  return text;
}

// Named once for each app, with its first step.
void note_limits(std::vector<PlanStep>& steps, const Ecosystem& want, const LimitPort& limits) {
  std::set<Name> noted;
  for (auto& step : steps)
    if (const auto app = want.apps.find(step.app.app);
        app != want.apps.end() && noted.insert(app->first).second)
      step.notes = limits.unenforceable(step.app, app->second);
}

}  // namespace

std::vector<PlanStep> Engine::State::diff_against(const Ecosystem& want) const {
  std::map<Name, plan::AppNow> have;
  for (auto entry = apps.lower_bound({want.name, {}});
       entry != apps.end() && entry->first.ecosystem == want.name; ++entry) {
    const auto& app = entry->second;
    auto& out = have[app.id.app];
    out.spec = &app.version->spec;
    out.instances = app.instances();
    out.scaled = app.scale.has_value() && !app.unreadable;
    out.stopped = !app.wanted;
    out.leaving = app.leaving;
    out.unreadable = app.unreadable;
    for (const auto& slot : app.slots) {
      if (!slot || app.is_surplus(*slot)) continue;
      if (!slot->wanted)
        out.stopped_slots.push_back(slot->index);
      else if (is_failing(*slot))
        out.failed.push_back(slot_name(*slot) + " had failed: " + end_text(*slot->occupant));
      else if (app.halted && is_stale(*slot))
        ++out.stale;
    }
  }
  auto steps = plan::diff(have, want, compare_specs);
  note_limits(steps, want, ports.limits);
  return steps;
}

Result<> Engine::State::check_limits(const Ecosystem& want, const std::string& kind) const {
  std::string text;
  for (const auto& [name, spec] : want.apps) {
    if (!spec.limits_required) continue;
    for (const auto& lacking : ports.limits.unenforceable({want.name, name}, spec))
      text += (text.empty() ? "" : "; ") + name.str() + " requires its limits, and " + lacking;
  }
  if (text.empty()) return {};
  return fail(std::errc::operation_not_supported, "cannot " + kind + ": " + text);
}

Result<Begun> Engine::State::apply(Source source, const Actor& who, const std::string& kind,
                                   const std::string& note) {
  if (shutting) return fail(std::errc::operation_canceled, "cannot " + kind + ": the daemon is stopping");
  SVD_TRY(auto want, ports.decode(source));
  SVD_CHECK(check_limits(want, kind));
  auto steps = diff_against(want);
  if (steps.empty()) {
    const auto eco = ecosystems.find(want.name);
    Begun begun{{}, eco == ecosystems.end() ? 0 : eco->second.current};
    for (const auto& [id, change] :
         changes)  // the same file again while it is being applied: that one is to be waited for
      if (change.running && change.ecosystem == want.name && change.view.revision == begun.revision)
        begun.change = id;
    return begun;
  }
  SVD_CHECK(bind_all(want));
  auto& change = begin_change(kind, want.name.str(), who);
  change.view.steps = std::move(steps);
  change.ecosystem = want.name;
  const auto summary = summary_of(change.view.steps);
  change.view.revision =
      record_revision(want.name, std::move(source), who, note.empty() ? summary : note + "; " + summary);
  const Begun begun{change.view.id, change.view.revision};
  accept(std::move(want), change, intern(who.name));
  unbind_unknown(change.ecosystem);
  unsaved(true);
  return begun;
}

void Engine::State::accept(Ecosystem want, Change& change, const std::string* by) {
  std::set<Name> touched;
  for (const auto& step : change.view.steps) touched.insert(step.app.app);
  ecosystems[want.name].deleted.clear();
  for (auto& [id, app] : apps) {
    if (id.ecosystem != want.name || want.apps.contains(id.app)) continue;
    if (touched.contains(id.app)) begin_part(change, app);
    if (!app.leaving) leave(app, by);
  }
  for (auto& [name, spec] : want.apps) {
    const AppId id{want.name, name};
    auto version = std::make_shared<const Version>(Version{std::move(spec), change.view.revision});
    const auto [entry, fresh] = apps.try_emplace(id);
    auto& app = entry->second;
    if (fresh) {
      app.id = id;
      app.version = version;
    }
    accept_app(app, std::move(version), touched.contains(name), change, by);
  }
}

// What the user changed since the last apply is resolved: the file says what runs. An app that the plan has
// no step for is where the file wants it, and only learns its new revision number.
void Engine::State::accept_app(App& app, VersionPtr version, bool touched, Change& change,
                               const std::string* by) {
  if (!touched) {
    const bool halted = app.halted;
    set_version(app, std::move(version));
    app.halted = halted;
    return;
  }
  begin_part(change, app);
  std::vector<Slot*> resting;
  for (const auto& slot : app.slots)
    if (slot && (!slot->wanted || app.is_surplus(*slot) || is_failing(*slot))) resting.push_back(slot.get());
  app.leaving = app.reverting = app.paused = false;
  app.wanted = true;
  app.scale.reset();
  set_version(app, std::move(version));
  for (auto* slot : resting)
    if (!app.is_surplus(*slot)) resume(*slot, Cause::declared, by);
  for (const auto& slot : app.slots)
    if (slot && !app.is_surplus(*slot) && (is_stale(*slot) || slot->part != plan::Part::none)) track(*slot);
  fit_slots(app, app.slots.empty() ? Cause::declared : Cause::scaled, by);
}

Result<Begun> Engine::apply(Source source, const Actor& who) {
  return state_->apply(std::move(source), who, "apply", "");
}

Result<std::vector<PlanStep>> Engine::plan(Source source) {
  SVD_TRY(const auto want, state_->ports.decode(source));
  SVD_CHECK(state_->check_limits(want, "plan"));
  return state_->diff_against(want);
}

}  // namespace svd
