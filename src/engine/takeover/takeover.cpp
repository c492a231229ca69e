// SPDX-License-Identifier: Apache-2.0
#include "engine/takeover/takeover.h"

#include <algorithm>

#include "engine/takeover/adoption.h"
#include "engine/takeover/assignment.h"
#include "engine/takeover/restoration.h"
#include "engine/takeover/resume_changes.h"
#include "plan/diff.h"

namespace svd {
namespace {

SavedState read(const Restored& from, std::vector<std::string>& problems) {
  if (from.runtime.empty()) {
    if (!from.children.empty())
      problems.emplace_back(
          "there is no runtime state: what was stopped, scaled or deleted by hand is forgotten; going on "
          "with "
          "the revisions and with what runs");
    return {};
  }
  auto read = read_state(from.runtime);
  if (read) return std::move(*read);
  problems.push_back(read.error().text + "; going on with the revisions and with what runs");
  return {};
}

}  // namespace

std::vector<std::string> Takeover::restore(Restored from) {
  auto problems = std::move(from.problems);
  const auto saved = read(from, problems);
  Restoration restoration{world_, revisions_, slots_, decode_, problems};
  changes_.continue_at(saved.next_change);
  restoration.run(from, saved);
  adopt(restoration, from.children, problems);
  for (auto& [id, app] : world_.apps.all()) wake(app, restoration.is_newer(id.ecosystem));
  // Where something cannot be read, sockets that nobody seems to have may be of what is there.
  if (problems.empty() && !from.runtime.empty()) sockets_.close_unaccepted();
  resume_changes(world_, changes_, revisions_, saved.changes);
  report(from, !saved.apps.empty() || !from.children.empty(), problems);
  return problems;
}

void Takeover::adopt(Restoration& restoration, const std::vector<KnownChild>& children,
                     std::vector<std::string>& problems) {
  Adoption adoption{world_, supervisor_};
  std::map<SlotId, std::vector<KnownChild>> found;
  for (const auto& child : children) found[child.slot].push_back(child);
  for (auto& [id, its] : found) {
    std::ranges::sort(its, {}, &KnownChild::id);
    auto* slot = restoration.slot_of(id, its.back());
    if (slot == nullptr) continue;
    const auto version_for = [&](const KnownChild& child) {
      return restoration.versions().started_with(*slot->app, child.revision, child.generation);
    };
    for (const auto& [nth, of_one] : Assignment{world_, handover_, *slot, version_for, problems}.take(its))
      adoption.adopt(*world_.apps.find(InstanceId{id, nth}), of_one);
    slot->last = std::max(slot->last, its.back().id);
  }
  for (auto& [id, app] : world_.apps.all())
    app.each_slot([&](Slot& slot) { lose_missing(slot, children.empty()); });
}

void Takeover::lose_missing(Slot& slot, bool all_lost) {
  slot.each([&](Instance& one) {
    if (is_live(one.phase()) && !world_.starts.contains(one.start))
      Adoption{world_, supervisor_}.lose(one, all_lost);
    if (one.is_retired() && !is_live(one.phase())) world_.agenda.ended.push(one.id());
  });
  if (slot.replacement && !is_live(slot.replacement->phase())) handover_.withdraw(slot);
}

// From here on it is an app like any other: what is missing is made, what is too much is stopped.
void Takeover::wake(App& app, bool newer) {
  sockets_.rebind(app);
  world_.dependencies.note(app);
  const auto& spec = app.version->spec;
  if (spec.limits != Limits{} || spec.app_limits != Limits{} || newer)
    world_.agenda.limits.insert(
        app.id);  // it may not have come to it; and what is refused is found out again
  world_.rollout(app, plan::GotOn{});
  app.each_slot([&](Slot& slot) { wake(slot); });
  if (!app.removed && !app.unreadable)
    for (std::uint32_t i = 0; i < app.instances(); ++i)
      if (world_.apps.find(SlotId{app.id, i}) == nullptr) slots_.make(app, i, Cause::returned, nullptr);
  world_.touch(app);
}

void Takeover::wake(Slot& slot) {
  auto& app = *slot.app;
  if (slot.wanted && !app.is_surplus(slot)) start_again(*slot.main);
  pair_up(slot);
  const bool was_to_stop = slot.stage == plan::Stage::replaced && !slot.replacement && slot.is_stale();
  if (was_to_stop && slot.main->is_up()) slot.stage = plan::Stage::none;  // it is to be asked again
  if (app.is_halted() || app.removed) slot.stage = plan::Stage::none;
  if ((!app.is_halted() && slot.is_stale()) || slot.stage == plan::Stage::replaced)
    world_.rollout(app, plan::Began{});
  world_.touch(slot);
}

// A replacement that nothing leads to its end, or that a newer revision does not want, goes. Where the one
// that it was for is no more, it is all that is left.
void Takeover::pair_up(Slot& slot) {
  if (!slot.replacement) return;
  const auto& app = *slot.app;
  const bool goes_on =
      !app.unreadable && !app.is_halted() && slot.is_stale() && slot.replacement->is_of(app.generation());
  if (goes_on) return;
  if (app.unreadable && !slot.main->is_up() && slot.replacement->is_up())
    handover_.take_over(slot);
  else
    handover_.withdraw(slot);
}

// The daemon had stopped it, or what a newer revision takes back.
void Takeover::start_again(Instance& one) {
  const auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state);
  if (one.phase() == Phase::stopped) {
    world_.correct(one, lifecycle::Waiting{});
  } else if (stopping != nullptr && lifecycle::phase(stopping->next) == Phase::stopped) {
    auto again = *stopping;
    again.next = lifecycle::Waiting{};
    world_.correct(one, std::move(again));
  } else {
    return;
  }
  one.cause = Cause::returned;
}

void Takeover::report(const Restored& from, bool anything, const std::vector<std::string>& problems) {
  const auto running = std::ranges::count_if(
      world_.starts.all(), [](const auto& start) { return start.second->phase() == Phase::ready; });
  const auto former = from.former ? "the engine before this one ended: " + to_text(*from.former) + "; " : "";
  if (anything)
    world_.journal.daemon(
        "engine",
        former + "took over " + plan::count_instances(static_cast<std::uint32_t>(running)) + " that run",
        from.former ? Journal::Level::warning : Journal::Level::info);
  for (const auto& problem : problems) world_.journal.daemon("engine", problem);
  world_.unsaved_wish();
}

}  // namespace svd
