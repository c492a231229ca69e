// SPDX-License-Identifier: Apache-2.0
#include "model/restart_arithmetic.h"

#include <algorithm>
#include <cmath>

namespace svd {
namespace {

constexpr double forever = 1e15;  // ms: above every window

// All waits of `restarts` restarts, in milliseconds. The waits grow to max_delay within some hundred steps,
// or not at all: the rest is a product.
double waits(const RestartPolicy& policy, std::uint32_t restarts) {
  constexpr std::uint32_t most_steps = 10'000;
  double sum = 0;
  for (std::uint32_t i = 0; i < restarts; ++i) {
    const double wait = whole_wait(policy, i);
    const bool grows = policy.factor > 1 && wait < static_cast<double>(policy.max_delay.count()) && wait > 0;
    if (!grows || i == most_steps) return sum + wait * (restarts - i);
    sum += wait;
  }
  return sum;
}

Millis rounded_up(double millis) {
  return Millis{static_cast<std::int64_t>(std::ceil(std::min(millis, forever)))};
}

}  // namespace

double whole_wait(const RestartPolicy& policy, double streak) {
  if (policy.delay.count() == 0) return 0;  // 0 × infinity is not a number
  const double grown = static_cast<double>(policy.delay.count()) * std::pow(policy.factor, streak);
  return std::min(grown, static_cast<double>(policy.max_delay.count()));
}

std::optional<GivesUp> gives_up(const RestartPolicy& policy, Millis run) {
  if (policy.policy == RestartPolicy::When::never || policy.max_restarts == 0) return GivesUp{0, run, run};
  if (run >= policy.reset_after) return std::nullopt;
  const double all = waits(policy, policy.max_restarts);
  const double runs = static_cast<double>(run.count()) * policy.max_restarts;
  // Waits only get longer, so no window holds more ends than the one that begins with the first.
  const double least = all * (1 - policy.jitter) + runs;
  if (least >= static_cast<double>(policy.window.count())) return std::nullopt;
  return GivesUp{policy.max_restarts, run + rounded_up(least), run + rounded_up(all + runs)};
}

}  // namespace svd
