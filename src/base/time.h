// SPDX-License-Identifier: Apache-2.0
// The two clocks. Decisions use TimePoint only, handed in by the caller; WallTime is for people.
#pragma once

#include <chrono>
#include <cstdint>

namespace svd {

using Millis = std::chrono::milliseconds;
using Nanos = std::chrono::nanoseconds;

// CLOCK_MONOTONIC. It has no now(): pure code is told the time.
struct MonotonicClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Nanos;
  using time_point = std::chrono::time_point<MonotonicClock, Nanos>;
  static constexpr bool is_steady = true;
};
using TimePoint = MonotonicClock::time_point;

// Microseconds since 1970-01-01 UTC, as D-Bus and journald count.
struct WallTime {
  std::int64_t micros = 0;
  auto operator<=>(const WallTime&) const = default;
};

// One reading of both clocks.
struct Now {
  TimePoint mono{};
  WallTime wall{};
};

}  // namespace svd
