// SPDX-License-Identifier: Apache-2.0
// Taking over the processes of one slot from the keeper's table.
//
// Starts of one occupant have ascending numbers, and a successor is started only when nothing of the former
// is left. So of the children of an occupant only the last can have remains; an earlier one that is still
// kept is there because its exit was not on record: it is counted now, once. `handled` says up to which start
// that was done before the last save, `last` of the slot which starts were known then.
#include <algorithm>

#include "engine/state.h"

namespace svd {
namespace {

std::uint64_t number(StartId id) { return static_cast<std::uint64_t>(id); }

// A start that the saved state does not know had to be decided in the meantime: as a restart, when the
// occupant was in back-off.
void catch_up(Occupant& one, const KnownChild& child) {
  if (number(child.id) <= number(one.start)) return;
  if (one.phase() == Phase::backoff) ++one.slot->restarts;
  one.start = child.id;
  one.revision = child.revision;
  one.started = child.started;
  one.since = child.started;
  one.life.state = lifecycle::Starting{child.id};
}

// It was stopped to make place for what came after it, which is not on record: its end is no failure, least
// of all of what replaced it.
void put_down(Occupant& one, StartId id, Cause cause) {
  if (one.phase() != Phase::ready || one.start != id) return;
  one.cause = cause;
  one.life.state =
      lifecycle::Stopping{id, 0, lifecycle::Stopping::Step::asked, false, {}, {}, lifecycle::Waiting{}};
}

bool was_renewed(const std::vector<KnownChild>& children, const KnownChild& child) {
  const auto next = std::ranges::upper_bound(children, child.id, {}, &KnownChild::id);
  return next != children.end() && next->generation != child.generation;
}

// Which child is whose.
class Assignment {
 public:
  Assignment(Engine::State& state, Slot& slot, const VersionFor& version_for,
             std::vector<std::string>& problems)
      : state_{state}, slot_{slot}, version_for_{version_for}, problems_{problems} {
    slot.each_occupant([&](Occupant& one) { known_[number(one.start)] = &one; });
  }

  Adopted take(const std::vector<KnownChild>& children) && {
    for (const auto& child : children) place(child);
    return std::move(out_);
  }

 private:
  void place(const KnownChild& child) {
    if (const auto known = known_.find(number(child.id)); known != known_.end())
      out_[known->second].push_back(child);
    else if (number(child.id) <= number(slot_.last))
      let_go(child);  // an occupant that is no more, whose exit is on record
    else
      take_in(child);
  }

  // A start after the last save: the main one's next, or a replacement beside it.
  void take_in(const KnownChild& child) {
    auto& main = *slot_.occupant;
    auto& its = out_[&main];
    if (its.empty() || its.back().exited) {
      const auto former = std::exchange(main.version, version_for_(child));
      const bool first_of_rollout = former && former->spec.generation != child.generation;
      if (first_of_rollout) slot_.part = plan::Part::replaced;
      if (!its.empty() && slot_.renewal != Renewal::none)
        put_down(main, its.back().id, slot_.renewal == Renewal::reload ? Cause::reloaded : Cause::restarted);
      slot_.renewal = Renewal::none;
      its.push_back(child);
    } else if (is_stale(slot_)) {
      take_beside(child);
    } else {
      problems_.push_back(SlotId{slot_.app->id, slot_.index}.str() + " runs twice: start " +
                          std::to_string(number(its.back().id)) + " is killed, start " +
                          std::to_string(number(child.id)) + " is kept");
      let_go(its.back());
      main.version = version_for_(child);  // if that is another one, a rollout replaces it in order
      its.back() = child;
    }
  }

  // What the app does not want there goes in order. It lives: what a later child puts aside has yet to end.
  void take_beside(const KnownChild& child) {
    if (slot_.replacement) state_.withdraw(slot_);
    state_.add_replacement(slot_);
    auto& one = *slot_.replacement;
    one.version = version_for_(child);
    catch_up(one, child);
    out_[&one].push_back(child);
    if (one.version->spec.generation != slot_.app->version->spec.generation) state_.withdraw(slot_);
  }

  void let_go(const KnownChild& child) {
    state_.strays.insert(number(child.id));
    state_.outbox.push(lifecycle::Kill{child.id});
  }

  Engine::State& state_;
  Slot& slot_;
  const VersionFor& version_for_;
  std::vector<std::string>& problems_;
  std::map<std::uint64_t, Occupant*> known_;
  Adopted out_;
};

}  // namespace

Adopted Engine::State::assign(Slot& slot, const std::vector<KnownChild>& children,
                              const VersionFor& version_for, std::vector<std::string>& problems) {
  auto out = Assignment{*this, slot, version_for, problems}.take(children);
  std::erase_if(out, [](const auto& entry) { return entry.second.empty(); });
  return out;
}

void Engine::State::adopt(Occupant& one, const std::vector<KnownChild>& children) {
  auto& state = one.life.state;
  const auto ago = [&](WallTime since) {
    return now.mono - std::chrono::microseconds{std::max<std::int64_t>(0, now.wall.micros - since.micros)};
  };
  for (const auto& child : children) {
    const bool last = child.id == children.back().id;
    const bool counted = number(child.id) <= number(one.handled);
    const bool ending = counted && one.phase() == Phase::stopping && one.start == child.id;
    if (!counted) catch_up(one, child);
    if (!child.exited) {
      starts.emplace(number(child.id), &one);
      keep(one, child);
      continue;
    }
    if (!counted) {
      starts.emplace(number(child.id), &one);
      if (one.phase() == Phase::starting) state = lifecycle::Ready{child.id, 0, ago(child.started)};
      if (!last && was_renewed(children, child)) put_down(one, child.id, Cause::updated);
      if (auto* stopping = std::get_if<lifecycle::Stopping>(&state))
        stopping->step = lifecycle::Stopping::Step::asked;
      dispatch(Exited{child.id, child.status});
    } else if (ending) {
      starts.emplace(number(child.id), &one);  // its end was saved; that nothing is left of it was not
      outbox.push(lifecycle::Kill{child.id});  // it can be done twice
    } else if (last) {
      strays.insert(number(child.id));  // it was Gone before, and only its exit is still kept
      outbox.push(lifecycle::Kill{child.id});
    }
    if (!last) leave_behind(child.id);
  }
}

// There is a later start. As a rule nothing is left of this one; but it may have been a replacement that was
// given up, and of that nothing is on record. So it is made sure, which can be done twice.
void Engine::State::leave_behind(StartId id) {
  if (starts.contains(number(id))) {
    outbox.withdraw(lifecycle::Command{lifecycle::Kill{id}});
    dispatch(Gone{id});
    std::erase(gone, id);
  }
  strays.insert(number(id));
  outbox.push(lifecycle::Kill{id});
}

// It runs, and goes on. One that has yet to become ready keeps its deadline, but has a moment at least: what
// it said in the meantime is still to be heard.
void Engine::State::keep(Occupant& one, const KnownChild& child) {
  constexpr Millis moment{5000};
  const auto gate = lifecycle::rules_of(spec_of(one)).ready;
  const auto ago = [&](WallTime since) {
    return now.mono - std::chrono::microseconds{std::max<std::int64_t>(0, now.wall.micros - since.micros)};
  };
  if (auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state); stopping != nullptr && one.late) {
    stopping->pid = child.pid;  // its time was up, and still is
    outbox.push(lifecycle::Kill{child.id});
    return;
  }
  if (one.phase() != Phase::ready) one.since = child.started;
  if (one.phase() == Phase::starting && gate) {
    const auto deadline = std::max<TimePoint>(ago(child.started) + *gate, now.mono + moment);
    one.life.state = lifecycle::Starting{child.id, child.pid, deadline};
  } else {
    one.life.state = lifecycle::Ready{child.id, child.pid, ago(one.since)};
    count_serving(one);
  }
  mark_changed(*one.slot);
}

// The saved state says that there is a process, and the keeper knows of none.
void Engine::State::lose(Occupant& one, bool all_lost) {
  auto& state = one.life.state;
  const bool to_wait = one.phase() == Phase::starting || all_lost;
  if (one.phase() == Phase::stopping || (to_wait && one.role != Role::main)) {
    if (one.phase() != Phase::stopping) advance(one, lifecycle::Stop{.force = true});
    outbox.withdraw(lifecycle::Command{lifecycle::Kill{one.start}});
    starts.emplace(number(one.start), &one);
    dispatch(Gone{one.start});
    std::erase(gone, one.start);  // the keeper has nothing to forget
  } else if (to_wait) {
    state = lifecycle::Waiting{};  // the start was not carried out; or the whole machine, and the keeper with
                                   // it, ended
    one.since = now.wall;
    if (all_lost) one.cause = Cause::returned;
  } else {
    starts.emplace(number(one.start), &one);
    dispatch(Exited{one.start, {ExitStatus::Kind::unknown, 0, false}});
    outbox.withdraw(lifecycle::Command{lifecycle::Kill{one.start}});
    dispatch(Gone{one.start});
    std::erase(gone, one.start);
  }
  touch(one);
  mark_changed(*one.slot);
}

}  // namespace svd
