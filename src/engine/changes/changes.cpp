// SPDX-License-Identifier: Apache-2.0
#include "engine/changes/changes.h"

#include <algorithm>

#include "plan/diff.h"

namespace svd {
namespace {

std::string subject(const Change& change) {
  return std::string{to_text(change.kind)} + " " + std::to_string(static_cast<std::uint64_t>(change.view.id));
}

// "cannot start web/0: …; cannot keep web/1 running: …; 3 instances keep the former version".
std::string error_text(const Change& change) {
  constexpr std::size_t shown = 5;
  std::string text;
  std::size_t count = 0;
  std::uint32_t kept = 0;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  for (const auto& [id, part] : change.parts) {
    if (part.note.empty()) kept += part.kept;
    for (const auto& failure : part.failures)
      if (++count <= shown) add(failure.second);
  }
  if (count > shown) add("and " + std::to_string(count - shown) + " more");
  if (kept > 0) add(plan::count_instances(kept) + (kept == 1 ? " keeps" : " keep") + " the former version");
  for (const auto& [id, part] : change.parts)
    if (!part.note.empty()) add(change.parts.size() == 1 ? part.note : id.app.str() + ": " + part.note);
  return text;
}

bool went_back(const Part& part) { return part.going_back || !part.note.empty(); }

}  // namespace

Change& Changes::begin(Kind kind, std::string target, const Actor& who) {
  auto& change = resume(ChangeId{next_++}, kind);
  change.who = who.name;
  change.view.target = std::move(target);
  change.view.started = world_.now.wall;
  world_.journal.change(subject(change), "begun by " + who.name + ": " + change.view.target);
  world_.outbox.tell(ChangeStarted{change.view.id});
  return change;
}

Change& Changes::resume(ChangeId id, Kind kind) {
  auto& change = all_[id];
  change.kind = kind;
  change.view.id = id;
  world_.agenda.changes.push(id);
  return change;
}

void Changes::begin_part(Change& change, App& app) {
  supersede(app);
  change.parts[app.id];
  app.change = change.view.id;
}

Change* Changes::change_of(const App& app) {
  const auto found = all_.find(app.change);
  return found == all_.end() ? nullptr : &found->second;
}

Part* Changes::part_of(const App& app) {
  auto* change = change_of(app);
  return change == nullptr ? nullptr : &change->parts.at(app.id);
}

// The app's former change has no say about it any more.
void Changes::supersede(App& app) {
  auto* part = part_of(app);
  const auto former = std::exchange(app.change, {});
  app.each_slot([](Slot& slot) { slot.track = Track::none; });
  if (part == nullptr || !part->open) return;
  part->open = false;
  part->superseded = !part->going_back;
  if (std::exchange(part->going_back, false)) part->note = "the way back was left";
  part->pending = 0;
  world_.agenda.changes.push(former);
}

// Also once more: what had come to where it was wanted is to move again.
void Changes::track(Slot& slot) {
  auto* part = part_of(*slot.app);
  if (part == nullptr || slot.track == Track::pending || slot.track == Track::failed) return;
  auto& view = change_of(*slot.app)->view;
  if (slot.track == Track::none) ++view.total;
  if (slot.track == Track::done) --view.done;
  if (slot.track == Track::kept) --part->kept;
  slot.track = Track::pending;
  ++part->pending;
  world_.mark_changed(slot);  // so that it is evaluated even if nothing happens to it
}

void Changes::settle(Slot& slot, Track how) {
  auto* part = part_of(*slot.app);
  if (part == nullptr || !part->open || slot.track == how || slot.track == Track::none ||
      slot.track == Track::failed)
    return;
  if (how == Track::kept) ++part->kept;
  auto& view = change_of(*slot.app)->view;
  if (slot.track == Track::pending) --part->pending;
  if (how == Track::done)
    ++view.done;
  else if (slot.track == Track::done)
    --view.done;
  slot.track = how;
  world_.outbox.tell(ChangeProgressed{view.id});
  close_if_settled(*slot.app);
}

void Changes::close_if_settled(const App& app) {
  const auto* part = part_of(app);
  if (part != nullptr && part->pending == 0) world_.agenda.changes.push(app.change);
}

void Changes::evaluate(Slot& slot) {
  if (slot.track != Track::pending || slot.has_others()) return;
  const auto phase = slot.phase();
  const auto& app = *slot.app;
  switch (world_.dependencies.want(*slot.main)) {
    case plan::Want::drain:
    case plan::Want::rest:
    case plan::Want::pause:
      if (!is_live(phase)) settle(slot, Track::done);
      return;
    case plan::Want::run:
      if (app.is_halted() && slot.is_stale())
        settle(slot, Track::kept);
      else if (phase == Phase::failed)
        fail(slot, "cannot keep " + slot.name() + " running: " + world_.reason(*slot.main));
      else if ((phase == Phase::ready || phase == Phase::completed) && !slot.is_stale() &&
               slot.stage != plan::Stage::replaced)
        settle(slot, went_back(*part_of(app)) ? Track::kept : Track::done);
      return;
    case plan::Want::hold:
      return evaluate_held(slot);
  }
}

// Something is in the way. What will not go by itself fails the slot.
void Changes::evaluate_held(Slot& slot) {
  const auto& app = *slot.app;
  if (world_.dependencies.is_ending(slot)) return;  // those that depend on it go first
  const auto cannot = "cannot start " + slot.name() + ": ";
  if (!app.sockets.unbound.empty()) return fail(slot, cannot + app.sockets.unbound);
  if (app.unreadable) return settle(slot, Track::done);
  if (const auto awaited = world_.dependencies.awaits(app); awaited.down) fail(slot, cannot + awaited.text);
}

void Changes::fail(Slot& slot, const std::string& why) {
  auto* part = part_of(*slot.app);
  if (part == nullptr || !part->open || (slot.track != Track::pending && slot.track != Track::done)) return;
  part->failures.emplace_back(slot.id(), why);
  settle(slot, Track::failed);
}

void Changes::finish_settled() {
  constexpr std::size_t kept = 256;
  const auto settled = [](const auto& entry) {
    const auto& part = entry.second;
    return !part.open || (part.pending == 0 && !part.going_back);
  };
  for (const auto id : world_.agenda.changes.take())
    if (auto& change = all_.at(id); change.is_running() && std::ranges::all_of(change.parts, settled))
      finish(change);
  for (; finished_.size() > kept; finished_.pop_front()) all_.erase(finished_.front());
}

// True: it has failed.
bool Changes::finish_part(const Change& change, const AppId& id, Part& part) {
  auto* app = world_.apps.find(id);
  const bool failed = !part.failures.empty();
  if (part.superseded) return failed;
  part.open = false;
  if (app == nullptr || app->change != change.view.id) return failed;
  app->change = {};
  if (change.view.revision != 0 && !failed && !app->is_halted() && !app->unreadable)
    app->stable = app->version;
  app->each_slot([](Slot& slot) { slot.track = Track::none; });
  return failed;
}

void Changes::finish(Change& change) {
  auto& view = change.view;
  bool failed = false, superseded = true;
  for (auto& [id, part] : change.parts) {
    superseded = superseded && part.superseded;
    for (const auto& failure : part.failures) view.failed.push_back(failure.first);
    failed = finish_part(change, id, part) || failed;
  }
  superseded = change.overtaken || (superseded && !change.parts.empty());
  change.outcome = superseded ? Outcome::superseded : failed ? Outcome::failed : Outcome::succeeded;
  view.finished = world_.now.wall;
  const std::string state{to_text(change.outcome)};
  if (change.outcome == Outcome::failed) view.error = error_text(change);
  const auto text = view.error.empty() ? state : state + ": " + view.error;
  if (view.revision != 0) revisions_.set_outcome(change.ecosystem, view.revision, text);
  const bool bad = change.outcome == Outcome::failed;
  world_.journal.change(subject(change), text, bad ? Journal::Level::warning : Journal::Level::info);
  finished_.push_back(view.id);
  world_.outbox.tell(ChangeFinished{view.id});
  world_.unsaved();
}

std::optional<ChangeView> Changes::view(ChangeId id) const {
  const auto found = all_.find(id);
  if (found == all_.end()) return std::nullopt;
  auto view = found->second.view;
  view.kind = to_text(found->second.kind);
  view.state = to_text(found->second.outcome);
  if (found->second.is_running())
    for (const auto& [app, part] : found->second.parts)
      for (const auto& failure : part.failures) view.failed.push_back(failure.first);
  return view;
}

}  // namespace svd
