// SPDX-License-Identifier: Apache-2.0
// What one slot needs next. Level-triggered: the answer depends on what is wanted, what is and what time it
// is, never on what happened before; asked again after the step was carried out, it says `none`.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "lifecycle/instance.h"

namespace svd::plan {

enum class Want : std::uint8_t {
  run,    // one process, kept alive by the restart policy
  drain,  // stopped, but others serve meanwhile: its clients are given time to leave
  rest,   // stopped: by a person, by a smaller number of instances, or because the app is no more
  pause,  // the daemon is going down: no process, but what has none stays in its phase, to be found again
  hold,   // its specification cannot be read: what runs is left alone, and nothing can be started
};

enum class SlotStep : std::uint8_t {
  none,
  begin,  // start a process
  drain,  // lifecycle::Stop{drain}
  stop,   // lifecycle::Stop{}
  due,    // lifecycle::Due{}: the patience of a start, or of a step of a stop, is over
};

struct SlotPlan {
  SlotStep step = SlotStep::none;
  std::optional<TimePoint> wake;  // look again then, although nothing may happen; only where step is none
  bool operator==(const SlotPlan&) const = default;
};

[[nodiscard]] SlotPlan plan_slot(Want want, const lifecycle::State& state, TimePoint now);

}  // namespace svd::plan
