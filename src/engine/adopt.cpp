// SPDX-License-Identifier: Apache-2.0
// Taking over the processes of one slot from the keeper's table.
//
// Starts of one slot have ascending numbers, and a successor is started only when nothing of the former is
// left. So of the children of a slot only the last can have remains; an earlier one that is still kept is
// there because its exit was not on record: it is counted now, once. `handled` of the slot says up to which
// start that was done before the last save.
#include "engine/state.h"

namespace svd {
namespace {

std::uint64_t number(StartId id) { return static_cast<std::uint64_t>(id); }

// A start that the saved state does not know had to be decided in the meantime: as a restart, when the slot
// was in back-off.
void catch_up(Slot& slot, const KnownChild& child) {
  auto& occupant = slot.occupant;
  if (number(child.id) <= number(occupant.start)) return;
  if (slot.phase() == Phase::backoff) ++slot.restarts;
  occupant.start = child.id;
  occupant.revision = child.revision;
  occupant.started = child.started;
  slot.since = child.started;
  occupant.life.state = lifecycle::Starting{child.id};
}

}  // namespace

void Engine::State::take_over(Slot& slot, const std::vector<KnownChild>& children,
                              std::vector<std::string>& problems) {
  auto& occupant = slot.occupant;
  auto& state = occupant.life.state;
  const auto age = [&](WallTime since) {
    return std::chrono::microseconds{std::max<std::int64_t>(0, now.wall.micros - since.micros)};
  };
  for (const auto& child : children) {
    const bool last = child.id == children.back().id;
    const bool counted = number(child.id) <= number(slot.handled);
    if (!child.exited && !last) {
      problems.push_back(SlotId{slot.app->id, slot.index}.str() + " runs twice: start " +
                         std::to_string(number(child.id)) + " is killed, start " +
                         std::to_string(number(children.back().id)) + " is kept");
      strays.insert(number(child.id));
      outbox.emplace_back(lifecycle::Kill{child.id});
      continue;
    }
    if (!counted) catch_up(slot, child);
    if (!child.exited) {
      starts.emplace(number(child.id), &slot);
      keep(slot, child);
      continue;
    }
    if (!counted) {
      starts.emplace(number(child.id), &slot);
      if (slot.phase() == Phase::starting)
        state = lifecycle::Ready{child.id, 0, now.mono - age(child.started)};
      if (auto* stopping = std::get_if<lifecycle::Stopping>(&state))
        stopping->step = lifecycle::Stopping::Step::asked;
      dispatch(Exited{child.id, child.status});
    } else if (last && slot.phase() == Phase::stopping && occupant.start == child.id) {
      starts.emplace(number(child.id), &slot);
      outbox.emplace_back(
          lifecycle::Kill{child.id});  // whether that was done before is not known; it can be done twice
    } else if (last) {
      strays.insert(number(child.id));  // it was Gone before, and only its exit is still kept
      outbox.emplace_back(lifecycle::Kill{child.id});
    }
    if (last) continue;
    if (counted && slot.phase() == Phase::stopping && occupant.start == child.id)
      starts.emplace(number(child.id), &slot);  // its end was saved; that nothing is left of it was not
    if (starts.contains(number(child.id))) {    // a successor was started: nothing is left of this one
      std::erase(outbox, lifecycle::Command{lifecycle::Kill{child.id}});
      dispatch(Gone{child.id});
    } else {
      gone.push_back(child.id);
    }
  }
}

// It runs, and goes on. One that has yet to become ready keeps its deadline, but has a moment at least: what
// it said in the meantime is still to be heard.
void Engine::State::keep(Slot& slot, const KnownChild& child) {
  constexpr Millis moment{5000};
  auto& occupant = slot.occupant;
  const auto& version = occupant.version ? occupant.version : slot.app->version;
  const auto gate = lifecycle::rules_of(version->spec).ready;
  const auto ago = [&](WallTime since) {
    return now.mono - std::chrono::microseconds{std::max<std::int64_t>(0, now.wall.micros - since.micros)};
  };
  if (slot.phase() != Phase::ready) slot.since = child.started;
  if (slot.phase() == Phase::starting && gate) {
    const auto deadline = std::max<TimePoint>(ago(child.started) + *gate, now.mono + moment);
    occupant.life.state = lifecycle::Starting{child.id, child.pid, deadline};
  } else {
    occupant.life.state = lifecycle::Ready{child.id, child.pid, ago(slot.since)};
    count_serving(slot);
  }
  mark_changed(slot);
}

// The saved state says that there is a process, and the keeper knows of none.
void Engine::State::lose(Slot& slot, bool all_lost) {
  auto& occupant = slot.occupant;
  auto& state = occupant.life.state;
  if (slot.phase() == Phase::stopping) {
    starts.emplace(number(occupant.start), &slot);
    dispatch(Gone{occupant.start});
    std::erase(gone, occupant.start);  // the keeper has nothing to forget
  } else if (slot.phase() == Phase::starting || all_lost) {
    state = lifecycle::Waiting{};  // the start was not carried out; or the whole machine, and the keeper with
                                   // it, ended
    slot.since = now.wall;
    if (all_lost) slot.cause = Cause::returned;
  } else {
    starts.emplace(number(occupant.start), &slot);
    dispatch(Exited{occupant.start, {ExitStatus::Kind::unknown, 0, false}});
    std::erase(outbox, lifecycle::Command{lifecycle::Kill{occupant.start}});
    dispatch(Gone{occupant.start});
    std::erase(gone, occupant.start);
  }
  touch(slot);
  mark_changed(slot);
}

}  // namespace svd
