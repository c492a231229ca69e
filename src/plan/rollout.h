// SPDX-License-Identifier: Apache-2.0
// How a new generation, a reload or a restart takes over the slots of one app. Level-triggered like all of
// plan/: from what is now follows what is to be done now.
//
//   start-first  a replacement is started beside the old one; when it has been ready for `min_ready` without
//                a break it takes over, and the old one leaves. Replacements, and old ones that still leave,
//                are together at most `surge`: so live ≤ instances + surge.
//   in place     the old one is stopped, then the new one started in its stead. Of the slots at most
//                `unavailable` are not ready at a time.
//
// Slots without a process that will come back have nothing to lose and are replaced in place at once. Those
// that may come back by themselves (they are starting, or wait for a restart) wait until the new generation
// has proved itself on one slot, unless nothing of the app is up: so a new generation that does not work
// takes nothing along but what it was tried on. It fails where one of its processes does before it has been
// ready for `min_ready`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "model/app_spec.h"
#include "model/phase.h"

namespace svd::plan {

// Where a slot is in the present rollout.
enum class Stage : std::uint8_t {
  none,      // its turn has not come
  replaced,  // it has, or has a replacement under way
  proven,    // the replacement has been ready for min_ready, or has completed
  broken,    // the replacement did not start, was not ready in time, or ended
};

// A slot that is wanted, as the rollout sees it.
struct RolloutSlot {
  std::uint32_t slot = 0;
  Phase phase = Phase::waiting;
  TimePoint since{};      // phase ready: since when
  bool stale = false;     // what fills it is not of the present generation, or is to be replaced anyway
  bool in_place = false;  // two at a time are not possible, or not wanted
  bool at_once = false;   // ready is enough, min_ready is not waited for; who else is missing does not matter
  Stage stage = Stage::none;
  std::optional<Phase> replacement{};  // beside it
  TimePoint replacement_since{};
  std::uint32_t retiring = 0;  // live processes that it has been taken from
};

struct RolloutRules {
  std::uint32_t surge = 1, unavailable = 0;
  Nanos min_ready{0};
};
// Shares of `max_surge` are rounded up, of `max_unavailable` down; where both come to 0, one may be missing.
[[nodiscard]] RolloutRules rules_of(const UpdatePolicy& update, std::uint32_t instances);

struct Rollout {
  std::vector<std::uint32_t> add;        // a replacement beside these
  std::vector<std::uint32_t> take_over;  // the replacement has proved itself
  std::vector<std::uint32_t> replace;    // these in place
  std::vector<std::uint32_t> proven;     // these have proved themselves
  bool broken = false;                   // a replacement failed
  bool busy = false;                     // a replacement could get on
  bool works = false;                    // the new generation, on every slot
  bool finished = false;                 // nothing is stale, has to prove itself, or is on its way out
  std::optional<TimePoint> wake;         // something proves itself then
};

[[nodiscard]] Rollout plan_rollout(std::span<const RolloutSlot> slots, const RolloutRules& rules,
                                   TimePoint now);

}  // namespace svd::plan
