// SPDX-License-Identifier: Apache-2.0
// How a new generation (or a restart that a person asked for) takes over the slots of one app: stop-first,
// one slot at a time, the lowest first, the next one only when the former is ready or completed; it ends
// where a replacement fails.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/phase.h"

namespace svd::plan {

// Where a slot is in the present rollout.
enum class Part : std::uint8_t {
  none,      // it was not replaced in this one
  replaced,  // it was, or is being
  broken,    // it was, and the replacement did not start, or ended
};

// A slot that is wanted, as the rollout sees it.
struct RolloutSlot {
  std::uint32_t slot = 0;
  Phase phase = Phase::waiting;
  bool stale = false;  // its process is not of the present generation, or is to be restarted
  Part part = Part::none;
};

struct Rollout {
  std::vector<std::uint32_t> replace;  // these slots now
  bool broken = false;                 // a replacement failed: the rest keeps what it has
  bool finished = false;               // nothing is stale any more, and all that was replaced has settled
};

// Slots without a live process cost nothing to replace, so all of those go at once; then live ones, one at a
// time.
[[nodiscard]] Rollout plan_rollout(std::span<const RolloutSlot> slots);

}  // namespace svd::plan
