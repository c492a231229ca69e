// SPDX-License-Identifier: Apache-2.0
#include "plan/rollout.h"

#include <algorithm>

namespace svd::plan {
namespace {

bool is_settled(Phase phase) {
  switch (phase) {
    case Phase::ready:
    case Phase::completed:
      return true;
    case Phase::waiting:
    case Phase::starting:
    case Phase::stopping:
    case Phase::backoff:
    case Phase::stopped:
    case Phase::failed:
      return false;
  }
  return false;
}

// It serves, or is about to: replacing it takes something away.
bool is_serving(Phase phase) { return phase == Phase::starting || phase == Phase::ready; }

}  // namespace

Rollout plan_rollout(std::span<const RolloutSlot> slots) {
  Rollout out;
  const auto is_broken = [](const RolloutSlot& slot) { return slot.part == Part::broken; };
  if (std::ranges::any_of(slots, is_broken)) {
    out.broken = true;
    return out;
  }
  bool busy = false;  // a replacement is under way
  const RolloutSlot* next = nullptr;
  for (const auto& slot : slots) {
    if (slot.part == Part::replaced) {
      busy = busy || !is_settled(slot.phase);
    } else if (slot.stale && !is_serving(slot.phase)) {
      out.replace.push_back(slot.slot);
    } else if (slot.stale && next == nullptr) {
      next = &slot;
    }
  }
  if (!busy && out.replace.empty() && next != nullptr) out.replace.push_back(next->slot);
  out.finished = !busy && out.replace.empty();
  return out;
}

}  // namespace svd::plan
