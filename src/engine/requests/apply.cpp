// SPDX-License-Identifier: Apache-2.0
#include "engine/requests/apply.h"

#include <algorithm>
#include <set>

#include "engine/world/explain.h"
#include "engine/world/words.h"
#include "plan/diff.h"

namespace svd {
namespace {

bool is_failing(const Slot& slot) {
  const auto* stopping = std::get_if<lifecycle::Stopping>(&slot.main->life.state);
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

plan::AppNow observe(const App& app) {
  plan::AppNow out;
  out.spec = &app.version->spec;
  out.instances = app.instances();
  out.scaled = app.scale.has_value() && !app.unreadable;
  out.stopped = !app.wanted;
  out.removed = app.removed;
  out.unreadable = app.unreadable;
  app.each_slot([&](const Slot& slot) {
    if (app.is_surplus(slot)) return;
    if (!slot.wanted)
      out.stopped_slots.push_back(slot.index);
    else if (is_failing(slot))
      out.failed.push_back(slot.name() + " had failed: " + end_text(*slot.main));
    else if (app.is_halted() && slot.is_stale())
      ++out.stale;
  });
  return out;
}

}  // namespace

std::vector<PlanStep> Applying::diff(const Ecosystem& want) const {
  std::map<Name, plan::AppNow> have;
  for (const auto& [id, app] : std::as_const(world_.apps).of(want.name)) have[id.app] = observe(app);
  auto steps = plan::diff(have, want, compare_specs);
  note_limits(steps, want, ports_.limits);
  return steps;
}

Result<> Applying::check_limits(const Ecosystem& want, const std::string& verb) const {
  std::string text;
  for (const auto& [name, spec] : want.apps) {
    if (!spec.limits_required) continue;
    for (const auto& lacking : ports_.limits.unenforceable({want.name, name}, spec))
      text += (text.empty() ? "" : "; ") + name.str() + " requires its limits, and " + lacking;
  }
  if (text.empty()) return {};
  return fail(std::errc::operation_not_supported, "cannot " + verb + ": " + text);
}

// The same file again while it is being applied: that one is to be waited for.
Begun Applying::nothing_to_do(const Name& ecosystem) const {
  Begun begun{{}, revisions_.current(ecosystem)};
  for (const auto& [id, change] : changes_.all())
    if (change.is_running() && change.ecosystem == ecosystem && change.view.revision == begun.revision)
      begun.change = id;
  return begun;
}

Result<Begun> Applying::apply(Source source, const Actor& who, Kind kind, const std::string& note) {
  const std::string verb{to_text(kind)};
  if (world_.down.asked)
    return fail(std::errc::operation_canceled, "cannot " + verb + ": the daemon is stopping");
  SVD_TRY(auto want, ports_.decode(source));
  SVD_CHECK(check_limits(want, verb));
  auto steps = diff(want);
  if (steps.empty()) return nothing_to_do(want.name);
  SVD_CHECK(sockets_.bind_all(want));
  auto& change = changes_.begin(kind, want.name.str(), who);
  change.ecosystem = want.name;
  const auto summary = (note.empty() ? "" : note + "; ") + summary_of(steps);
  change.view.steps = std::move(steps);
  change.view.revision = revisions_.record(want.name, std::move(source), who, summary);
  const Begun begun{change.view.id, change.view.revision};
  accept(std::move(want), change, world_.journal.intern(who.name));
  sockets_.unbind_unknown(change.ecosystem);
  world_.unsaved_wish();
  return begun;
}

void Applying::accept(Ecosystem want, Change& change, const std::string* by) {
  std::set<Name> touched;
  for (const auto& step : change.view.steps) touched.insert(step.app.app);
  revisions_.all()[want.name].deleted.clear();
  for (auto& [id, app] : world_.apps.of(want.name)) {
    if (want.apps.contains(id.app)) continue;
    if (touched.contains(id.app)) changes_.begin_part(change, app);
    if (!app.removed) slots_.remove(app, by);
  }
  for (auto& [name, spec] : want.apps) {
    const AppId id{want.name, name};
    auto version = std::make_shared<const Version>(Version{std::move(spec), change.view.revision});
    auto* known = world_.apps.find(id);
    auto& app = known != nullptr ? *known : world_.apps.add(id, version);
    if (touched.contains(name))
      accept_app(app, std::move(version), change, by);
    else
      keep_app(app, std::move(version));
  }
}

// An app that the plan has no step for is where the file wants it, and only learns its new revision number.
void Applying::keep_app(App& app, VersionPtr version) {
  const bool halted = app.is_halted();
  slots_.set_version(app, std::move(version));
  if (halted) app.rollout = plan::Halted{};
}

// What the user changed since the last apply is resolved: the file says what runs.
void Applying::accept_app(App& app, VersionPtr version, Change& change, const std::string* by) {
  changes_.begin_part(change, app);
  std::vector<Slot*> resting;
  app.each_slot([&](Slot& slot) {
    if (!slot.wanted || app.is_surplus(slot) || is_failing(slot)) resting.push_back(&slot);
  });
  app.removed = false;
  app.wanted = true;
  app.scale.reset();
  world_.rollout(app, plan::Declared{});
  slots_.set_version(app, std::move(version));
  for (auto* slot : resting)
    if (!app.is_surplus(*slot)) slots_.resume(*slot, Cause::declared, by);
  app.each_slot([&](Slot& slot) {
    if (!app.is_surplus(slot) && (slot.is_stale() || slot.stage != plan::Stage::none)) changes_.track(slot);
  });
  slots_.fit(app, app.slots.empty() ? Cause::declared : Cause::scaled, by);
}

Result<std::vector<PlanStep>> Applying::plan(Source source) {
  SVD_TRY(const auto want, ports_.decode(source));
  SVD_CHECK(check_limits(want, "plan"));
  return diff(want);
}

Result<Begun> Applying::rollback(const std::string& ecosystem, std::uint64_t number, const Actor& who) {
  if (world_.down.asked)
    return fail(std::errc::operation_canceled, "cannot roll back: the daemon is stopping");
  SVD_TRY(const auto* eco, revisions_.find(ecosystem, "cannot roll back"));
  if (number == 0) {
    SVD_TRY(number, revisions_.former(*eco));
  }
  const auto& kept = eco->history;
  if (std::ranges::find(kept, number, &RevisionView::number) == kept.end())
    return fail(std::errc::no_such_process,
                "cannot roll back " + ecosystem + ": revision " + std::to_string(number) + " is not kept" +
                    (kept.empty() ? ""
                                  : "; " + std::to_string(kept.front().number) + " to " +
                                        std::to_string(eco->current) + " are"));
  SVD_TRY(auto stored, revisions_.stored(eco->name, number));
  return apply(std::move(stored.source), who, Kind::rollback, "rollback to " + std::to_string(number));
}

}  // namespace svd
