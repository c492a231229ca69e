// SPDX-License-Identifier: Apache-2.0
#include "engine/takeover/saved_life.h"

#include <algorithm>

namespace svd {
namespace {

lifecycle::Rest rest_of(const SavedSlot& saved, Phase phase, const Now& now) {
  switch (phase) {
    case Phase::backoff: {
      const Nanos delay{std::max<std::int64_t>(saved.delay, 0)};
      return lifecycle::Backoff{std::min<TimePoint>(to_mono(saved.until, now), now.mono + delay), delay};
    }
    case Phase::completed:
      return lifecycle::Completed{};
    case Phase::stopped:
      return lifecycle::Stopped{};
    case Phase::failed:
      return lifecycle::Failed{saved.limit ? lifecycle::Failed::Why::limit : lifecycle::Failed::Why::policy};
    case Phase::waiting:
    case Phase::starting:
    case Phase::ready:
    case Phase::stopping:
      break;
  }
  return lifecycle::Waiting{};
}

}  // namespace

TimePoint to_mono(std::int64_t wall, const Now& now) {
  constexpr std::int64_t limit = 3650LL * 86400 * 1'000'000;
  const auto distance = std::clamp(wall - now.wall.micros, -limit, limit);
  return now.mono + std::chrono::microseconds{distance};
}

lifecycle::State saved_state(const SavedSlot& saved, const Now& now) {
  const StartId id{saved.start};
  switch (saved.phase) {
    case Phase::starting:
      return lifecycle::Starting{id};
    case Phase::ready:
      return lifecycle::Ready{id, 0, to_mono(std::min(saved.since, now.wall.micros), now)};
    case Phase::stopping:
      return lifecycle::Stopping{id, 0,  lifecycle::Stopping::Step::killed, false,
                                 {}, {}, rest_of(saved, saved.next, now)};
    case Phase::waiting:
    case Phase::backoff:
    case Phase::completed:
    case Phase::stopped:
    case Phase::failed:
      break;
  }
  return std::visit([](const auto& rest) { return lifecycle::State{rest}; },
                    rest_of(saved, saved.phase, now));
}

lifecycle::RestartHistory saved_history(const SavedSlot& saved, const Now& now) {
  std::vector<TimePoint> recent;
  for (const auto at : saved.recent) recent.push_back(std::min(to_mono(at, now), now.mono));
  std::ranges::sort(recent);
  lifecycle::RestartHistory history;
  history.restore(saved.streak, std::move(recent));
  return history;
}

}  // namespace svd
