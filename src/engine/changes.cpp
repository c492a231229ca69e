// SPDX-License-Identifier: Apache-2.0
// Changes: what was begun, how far it is, how it ended.
//
// A change owns the apps it touches, one Part each, and of them the slots it has something to do with. A slot
// is pending until it is where it is wanted (running its present generation, or without a process), or
// failed: its start was refused, or its process ended before the change did. A failed slot stays failed, even
// if the restart policy brings it up later. A part is settled when no slot of it is pending; a change ends
// when all its parts are settled, so that its error names every slot. A newer change of the same app takes
// the part away: that part is superseded, and a change all of whose parts are, is too. Each pending slot
// ends: a start is answered, a stop is forced after its timeout, and a broken rollout lets go of the slots it
// has not reached. While an app goes back to its former version, its part goes on.
#include <algorithm>

#include "engine/state.h"
#include "plan/diff.h"

namespace svd {
namespace {

std::string subject(const Change& change) {
  return change.view.kind + " " + std::to_string(static_cast<std::uint64_t>(change.view.id));
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

}  // namespace

Change& Engine::State::begin_change(std::string kind, std::string target, const Actor& who) {
  const ChangeId id{next_change++};
  auto& change = changes[id];
  change.who = who.name;
  change.view.id = id;
  change.view.kind = std::move(kind);
  change.view.target = std::move(target);
  change.view.state = "running";
  change.view.started = now.wall;
  mark_dirty(change);
  record("change", subject(change), "begun by " + who.name + ": " + change.view.target);
  outbox.tell(ChangeStarted{id});
  return change;
}

void Engine::State::begin_part(Change& change, App& app) {
  supersede(app);
  auto& part = change.parts[app.id];
  part.change = &change;
  app.part = &part;
}

// The app's former change has no say about it any more.
void Engine::State::supersede(App& app) {
  auto* part = std::exchange(app.part, nullptr);
  for (const auto& slot : app.slots)
    if (slot) slot->track = Track::none;
  if (part == nullptr || !part->open) return;
  part->open = false;
  part->superseded = !part->reverting;
  if (std::exchange(part->reverting, false)) part->note = "the way back was left";
  part->pending = 0;
  mark_dirty(*part->change);
}

// Also once more: what had come to where it was wanted is to move again.
void Engine::State::track(Slot& slot) {
  auto* part = slot.app->part;
  if (part == nullptr || slot.track == Track::pending || slot.track == Track::failed) return;
  auto& view = part->change->view;
  if (slot.track == Track::none) ++view.total;
  if (slot.track == Track::done) --view.done;
  if (slot.track == Track::kept) --part->kept;
  slot.track = Track::pending;
  ++part->pending;
  mark_changed(slot);  // so that it is evaluated even if nothing happens to it
}

void Engine::State::settle(Slot& slot, Track how) {
  auto* part = slot.app->part;
  if (part == nullptr || !part->open || slot.track == how || slot.track == Track::none ||
      slot.track == Track::failed)
    return;
  if (how == Track::kept) ++part->kept;
  auto& view = part->change->view;
  if (slot.track == Track::pending) --part->pending;
  if (how == Track::done)
    ++view.done;
  else if (slot.track == Track::done)
    --view.done;
  slot.track = how;
  outbox.tell(ChangeProgressed{view.id});
  close_if_settled(*part);
}

void Engine::State::close_if_settled(Part& part) {
  if (part.pending > 0) return;
  mark_dirty(*part.change);
}

namespace {

bool went_back(const Part& part) { return part.reverting || !part.note.empty(); }

}  // namespace

// Whether a slot is where it is wanted, and has proved itself where it has to.
void Engine::State::evaluate(Slot& slot) {
  if (slot.track != Track::pending || slot.has_others()) return;
  const auto phase = slot.phase();
  const auto& app = *slot.app;
  switch (want(*slot.occupant)) {
    case plan::Want::leave:
    case plan::Want::rest:
    case plan::Want::pause:
      if (!is_live(phase)) settle(slot, Track::done);
      return;
    case plan::Want::run:
      if (app.halted && is_stale(slot))
        settle(slot, Track::kept);
      else if (phase == Phase::failed)
        fail_tracked(slot, "cannot keep " + slot_name(slot) + " running: " + reason(*slot.occupant));
      else if ((phase == Phase::ready || phase == Phase::completed) && !is_stale(slot) &&
               slot.part != plan::Part::replaced)
        settle(slot, went_back(*app.part) ? Track::kept : Track::done);
      return;
    case plan::Want::hold:
      return evaluate_held(slot);
  }
}

// Something is in the way. What will not go by itself fails the slot.
void Engine::State::evaluate_held(Slot& slot) {
  const auto& app = *slot.app;
  if (is_ending(slot)) return;  // those that depend on it go first
  const auto cannot = "cannot start " + slot_name(slot) + ": ";
  if (!app.unbound.empty()) return fail_tracked(slot, cannot + app.unbound);
  if (app.unreadable) return settle(slot, Track::done);
  if (const auto awaited = awaits(app); awaited.down) fail_tracked(slot, cannot + awaited.text);
}

void Engine::State::fail_tracked(Slot& slot, const std::string& why) {
  auto* part = slot.app->part;
  if (part == nullptr || !part->open || (slot.track != Track::pending && slot.track != Track::done)) return;
  part->failures.emplace_back(SlotId{slot.app->id, slot.index}, why);
  settle(slot, Track::failed);
}

void Engine::State::finish_changes() {
  for (auto* change : std::exchange(dirty_changes, {})) {
    change->dirty = false;
    const auto settled = [](const auto& entry) {
      const auto& part = entry.second;
      return !part.open || (part.pending == 0 && !part.reverting);
    };
    if (change->running && std::ranges::all_of(change->parts, settled)) finish(*change);
  }
  while (finished.size() > max_finished) {
    changes.erase(finished.front());
    finished.pop_front();
  }
}

void Engine::State::finish(Change& change) {
  auto& view = change.view;
  bool failed = false, superseded = true;
  for (auto& [id, part] : change.parts) {
    failed = failed || !part.failures.empty();
    superseded = superseded && part.superseded;
    for (const auto& failure : part.failures) view.failed.push_back(failure.first);
    if (part.superseded) continue;
    part.open = false;
    const auto app = apps.find(id);
    if (app == apps.end() || app->second.part != &part) continue;
    app->second.part = nullptr;
    if (view.revision != 0 && part.failures.empty() && !app->second.halted && !app->second.unreadable)
      app->second.stable = app->second.version;
    for (const auto& slot : app->second.slots)
      if (slot) slot->track = Track::none;
  }
  superseded = change.overtaken || (superseded && !change.parts.empty());
  change.running = false;
  view.finished = now.wall;
  view.state = superseded ? "superseded" : failed ? "failed" : std::string{succeeded};
  if (failed && !superseded) view.error = error_text(change);
  if (view.revision != 0)
    set_outcome(change.ecosystem, view.revision, view.error.empty() ? view.state : "failed: " + view.error);
  record("change", subject(change), view.error.empty() ? view.state : view.state + ": " + view.error);
  finished.push_back(view.id);
  outbox.tell(ChangeFinished{view.id});
  unsaved();
}

}  // namespace svd
