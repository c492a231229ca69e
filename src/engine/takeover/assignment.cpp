// SPDX-License-Identifier: Apache-2.0
#include "engine/takeover/assignment.h"

#include <utility>

namespace svd {

void catch_up(World& world, Instance& one, const KnownChild& child) {
  if (child.id <= one.start) return;
  if (one.phase() == Phase::backoff) ++one.slot->restarts;
  one.start = child.id;
  one.revision = child.revision;
  one.started = child.started;
  one.since = child.started;
  world.correct(one, lifecycle::Starting{child.id});
}

void stop_for_successor(World& world, Instance& one, StartId id, Cause cause) {
  if (one.phase() != Phase::ready || one.start != id) return;
  one.cause = cause;
  world.correct(
      one, lifecycle::Stopping{id, 0, lifecycle::Stopping::Step::asked, false, {}, {}, lifecycle::Waiting{}});
}

void give_up(World& world, StartId id) {
  world.starts.give_up(id);
  world.outbox.push(lifecycle::Kill{id});
}

Assignment::Assignment(World& world, Handover& handover, Slot& slot, const VersionFor& version_for,
                       std::vector<std::string>& problems)
    : world_{world}, handover_{handover}, slot_{slot}, version_for_{version_for}, problems_{problems} {
  slot.each([&](const Instance& one) { known_[one.start] = one.nth; });
}

Children Assignment::take(const std::vector<KnownChild>& children) && {
  for (const auto& child : children) place(child);
  std::erase_if(out_, [](const auto& entry) { return entry.second.empty(); });
  return std::move(out_);
}

void Assignment::place(const KnownChild& child) {
  if (const auto known = known_.find(child.id); known != known_.end())
    out_[known->second].push_back(child);
  else if (child.id <= slot_.last)
    give_up(world_, child.id);  // of an instance that is no more, and its exit is on record
  else
    take_in(child);
}

void Assignment::take_in(const KnownChild& child) {
  auto& its = out_[slot_.main->nth];
  if (its.empty() || its.back().exited)
    take_next(child, its);
  else if (slot_.is_stale())
    take_beside(child);
  else
    take_instead(child, its.back());
}

void Assignment::take_next(const KnownChild& child, std::vector<KnownChild>& its) {
  auto& main = *slot_.main;
  const auto former = std::exchange(main.version, version_for_(child));
  if (former && former->spec.generation != child.generation)
    slot_.stage = plan::Stage::replaced;  // the first of a rollout
  const auto cause = slot_.renewal == Renewal::reload ? Cause::reloaded : Cause::restarted;
  if (!its.empty() && slot_.renewal != Renewal::none) stop_for_successor(world_, main, its.back().id, cause);
  slot_.renewal = Renewal::none;
  its.push_back(child);
}

// What the app does not want there goes in order. It lives: what a later child puts aside has yet to end.
void Assignment::take_beside(const KnownChild& child) {
  if (slot_.replacement) handover_.withdraw(slot_);
  handover_.add_replacement(slot_);
  auto& one = *slot_.replacement;
  one.version = version_for_(child);
  catch_up(world_, one, child);
  out_[one.nth].push_back(child);
  if (!one.is_of(slot_.app->generation())) handover_.withdraw(slot_);
}

void Assignment::take_instead(const KnownChild& child, KnownChild& former) {
  const auto number = [](StartId id) { return std::to_string(static_cast<std::uint64_t>(id)); };
  problems_.push_back(slot_.id().str() + " runs twice: start " + number(former.id) + " is killed, start " +
                      number(child.id) + " is kept");
  give_up(world_, former.id);
  slot_.main->version = version_for_(child);  // if that is another one, a rollout replaces it in order
  former = child;
}

}  // namespace svd
