// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/restart.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace svd::lifecycle {

bool is_clean(const ExitStatus& status, const RestartPolicy& policy) {
  if (status.oom != Oom::no) return false;  // also where SIGKILL from a person is
  const auto matches = [&](const ExitMatch& match) {
    switch (status.kind) {
      case ExitStatus::Kind::code:
        return !match.is_signal && match.number == status.number;
      case ExitStatus::Kind::signal:
        return match.is_signal && match.number == status.number;
      case ExitStatus::Kind::none:
      case ExitStatus::Kind::unknown:
        return false;
    }
    return false;
  };
  return std::ranges::any_of(policy.success_exit, matches);
}

Nanos backoff_delay(const RestartPolicy& policy, std::uint32_t streak, double random) {
  const auto cap = static_cast<double>(policy.max_delay.count());
  const auto grown = static_cast<double>(policy.delay.count()) * std::pow(policy.factor, streak);
  const auto whole = std::min(grown, cap);  // pow() may be infinite; 0 × infinity is not a number
  const auto millis =
      policy.delay.count() == 0 ? 0.0 : whole * (1.0 - policy.jitter + policy.jitter * random);
  return Nanos{static_cast<std::int64_t>(millis * 1e6)};
}

bool RestartHistory::admit(const RestartPolicy& policy, TimePoint now) {
  if (policy.max_restarts == 0) return false;
  const auto stride = (policy.max_restarts - 1) / max_exact + 1;
  if (stride !=
      stride_) {  // the policy was changed: what was kept at another pace says nothing exact about this one
    times_.clear();
    unsampled_ = 0;
    stride_ = stride;
  }
  const auto expired = std::ranges::find_if(times_, [&](TimePoint at) { return now - at < policy.window; });
  times_.erase(times_.begin(), expired);
  // The oldest kept time and all after it are at least (size − 1) × stride + 1 restarts.
  const auto full = (policy.max_restarts - 1 + stride - 1) / stride + 1;
  if (times_.size() >= full) return false;
  if (++unsampled_ >= stride) {
    times_.push_back(now);
    unsampled_ = 0;
  }
  if (streak_ < std::numeric_limits<std::uint32_t>::max()) ++streak_;
  return true;
}

void RestartHistory::forget() { *this = {}; }

void RestartHistory::restore(std::uint32_t streak, std::vector<TimePoint> times) {
  streak_ = streak;
  times_ = std::move(times);
}

}  // namespace svd::lifecycle
