// SPDX-License-Identifier: Apache-2.0
#include "engine/takeover/adoption.h"

#include <algorithm>

#include "engine/takeover/assignment.h"

namespace svd {
namespace {

bool was_renewed(const std::vector<KnownChild>& children, const KnownChild& child) {
  const auto next = std::ranges::upper_bound(children, child.id, {}, &KnownChild::id);
  return next != children.end() && next->generation != child.generation;
}

}  // namespace

TimePoint Adoption::ago(WallTime since) const {
  const auto passed = std::max<std::int64_t>(0, world_.now.wall.micros - since.micros);
  return world_.now.mono - std::chrono::microseconds{passed};
}

void Adoption::adopt(Instance& one, const std::vector<KnownChild>& children) {
  for (const auto& child : children) adopt(one, child, children);
}

void Adoption::adopt(Instance& one, const KnownChild& child, const std::vector<KnownChild>& all) {
  const bool last = child.id == all.back().id;
  const bool counted = child.id <= one.handled;
  const bool ending = counted && one.phase() == Phase::stopping && one.start == child.id;
  if (!counted) catch_up(world_, one, child);
  if (!child.exited) {
    world_.starts.add(child.id, one);
    return keep(one, child);
  }
  if (!counted) {
    count_exit(one, child, all);
  } else if (ending) {  // its end was saved; that nothing is left of it was not
    world_.starts.add(child.id, one);
    world_.outbox.push(lifecycle::Kill{child.id});  // it can be done twice
  } else if (last) {
    give_up(world_, child.id);  // it was Gone before, and only its exit is still kept
  }
  if (!last) kill_remains(child.id);
}

void Adoption::count_exit(Instance& one, const KnownChild& child, const std::vector<KnownChild>& all) {
  world_.starts.add(child.id, one);
  if (one.phase() == Phase::starting) world_.correct(one, lifecycle::Ready{child.id, 0, ago(child.started)});
  if (child.id != all.back().id && was_renewed(all, child))
    stop_for_successor(world_, one, child.id, Cause::updated);
  if (const auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state)) {
    auto asked = *stopping;
    asked.step = lifecycle::Stopping::Step::asked;
    world_.correct(one, std::move(asked));
  }
  supervisor_.observe(Exited{child.id, child.status});
}

// There is a later start. As a rule nothing is left of this one; but it may have been a replacement that was
// given up, and of that nothing is on record. So it is made sure, which can be done twice.
void Adoption::kill_remains(StartId id) {
  if (world_.starts.contains(id)) {
    world_.outbox.withdraw(lifecycle::Kill{id});
    supervisor_.observe(Gone{id});
    std::erase(world_.starts.gone, id);
  }
  give_up(world_, id);
}

// It runs, and goes on. One that has yet to become ready keeps its deadline, but has a moment at least: what
// it said in the meantime is still to be heard.
void Adoption::keep(Instance& one, const KnownChild& child) {
  constexpr Millis moment{5000};
  const auto gate = lifecycle::rules_of(one.spec()).ready;
  if (const auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state);
      stopping != nullptr && one.end.late) {
    auto still = *stopping;
    still.pid = child.pid;  // its time was up, and still is
    world_.correct(one, std::move(still));
    world_.outbox.push(lifecycle::Kill{child.id});
    return;
  }
  if (one.phase() != Phase::ready) one.since = child.started;
  if (one.phase() == Phase::starting && gate) {
    const auto deadline = std::max<TimePoint>(ago(child.started) + *gate, world_.now.mono + moment);
    world_.correct(one, lifecycle::Starting{child.id, child.pid, deadline});
  } else {
    world_.correct(one, lifecycle::Ready{child.id, child.pid, ago(one.since)});
    world_.count_serving(one);
  }
  world_.mark_changed(*one.slot);
}

void Adoption::lose(Instance& one, bool all_lost) {
  const bool to_wait = one.phase() == Phase::starting || all_lost;
  if (one.phase() == Phase::stopping || (to_wait && one.role != Role::main)) {
    if (one.phase() != Phase::stopping) world_.advance(one, lifecycle::Stop{.force = true});
    world_.outbox.withdraw(lifecycle::Kill{one.start});
    world_.starts.add(one.start, one);
    lose_gone(one);
  } else if (to_wait) {  // the start was not carried out; or the machine ended, and the keeper with it
    world_.correct(one, lifecycle::Waiting{});
    one.since = world_.now.wall;
    if (all_lost) one.cause = Cause::returned;
  } else {
    world_.starts.add(one.start, one);
    supervisor_.observe(Exited{one.start, {ExitStatus::Kind::unknown, 0, false}});
    world_.outbox.withdraw(lifecycle::Kill{one.start});
    lose_gone(one);
  }
  world_.touch(one);
  world_.mark_changed(*one.slot);
}

void Adoption::lose_gone(Instance& one) {
  supervisor_.observe(Gone{one.start});
  std::erase(world_.starts.gone, one.start);  // the keeper has nothing to forget
}

}  // namespace svd
