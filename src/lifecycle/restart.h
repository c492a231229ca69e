// SPDX-License-Identifier: Apache-2.0
// The restart policy as arithmetic: is an end a clean one, how long to wait, and when has it been too often.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "model/app_spec.h"
#include "model/phase.h"

namespace svd::lifecycle {

// The end matches `success_exit`. An unknown status never does: nobody can say that it was clean.
[[nodiscard]] bool is_clean(const ExitStatus& status, const RestartPolicy& policy);

// How long to wait before restart number `streak` + 1 of a series: delay × factor^streak, at most max_delay,
// of which the share `jitter` is drawn by `random` (0 ≤ random < 1). So the result lies in [(1 − jitter) × d,
// d].
[[nodiscard]] Nanos backoff_delay(const RestartPolicy& policy, std::uint32_t streak, double random);

// The restarts of one instance that still count: how many in a row, and when the recent ones were.
//
// `max_restarts` within `window` is a sliding window. Up to max_exact restarts it is exact: the time of each
// is kept. Above that only every k-th time is (k = max_restarts / max_exact), so that a limit of a billion
// costs no more memory than one of a thousand: the limit is then never reached too early, and at most 2 k
// restarts (0.2 %) too late. A slot that never restarted owns no memory here.
class RestartHistory {
 public:
  static constexpr std::uint32_t max_exact = 1000;

  // One more restart at `now` is within the limit, and is counted. False: it is one too many, and nothing is
  // counted.
  [[nodiscard]] bool admit(const RestartPolicy& policy, TimePoint now);
  // The past is forgotten: a long stay in ready, or a person who says "again".
  void forget();

  [[nodiscard]] std::uint32_t streak() const noexcept {
    return streak_;
  }  // restarts in a row, for the back-off
  [[nodiscard]] std::span<const TimePoint> times() const noexcept { return times_; }
  // What a former life of the daemon remembered; `times` in ascending order. (A limit above max_exact starts
  // to count anew.)
  void restore(std::uint32_t streak, std::vector<TimePoint> times);

  bool operator==(const RestartHistory&) const = default;

 private:
  std::uint32_t streak_ = 0;
  std::uint32_t unsampled_ = 0;  // restarts since the newest kept time
  std::uint32_t stride_ = 1;     // the k that times_ was kept with
  std::vector<TimePoint> times_;
};

}  // namespace svd::lifecycle
