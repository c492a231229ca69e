// SPDX-License-Identifier: Apache-2.0
// What a restart policy amounts to, in numbers: when does a program that cannot run give up?
#pragma once

#include <cstdint>
#include <optional>

#include "model/app_spec.h"

namespace svd {

struct GivesUp {
  std::uint32_t restarts = 0;  // before it is failed
  Millis soonest{0};           // from the first start; jitter shortens the waits
  Millis latest{0};
  bool operator==(const GivesUp&) const = default;
};

// The wait before restart number `streak` + 1, when nothing is drawn off it: delay × factor^streak, at most
// max_delay.
[[nodiscard]] double whole_wait(const RestartPolicy& policy, double streak);  // milliseconds

// For a program that ends with a failure `run` after each start, and counts as ready at once. nullopt: it is
// started again for ever, since `max_restarts` of them take longer than `window`, or since a run of this
// length, of `reset_after` or more, starts with a clean record.
[[nodiscard]] std::optional<GivesUp> gives_up(const RestartPolicy& policy, Millis run = Millis{0});

}  // namespace svd
