// SPDX-License-Identifier: Apache-2.0
// Where an instance was, from what was saved of it.
#pragma once

#include "engine/saving/saved.h"
#include "lifecycle/instance.h"

namespace svd {

// How long ago, or ahead, by the wall clock; a clock that was set must not overflow anything.
[[nodiscard]] TimePoint to_mono(std::int64_t wall, const Now& now);
// Live phases are provisional: the keeper's table confirms them, or corrects them.
[[nodiscard]] lifecycle::State saved_state(const SavedSlot& saved, const Now& now);
[[nodiscard]] lifecycle::RestartHistory saved_history(const SavedSlot& saved, const Now& now);

}  // namespace svd
