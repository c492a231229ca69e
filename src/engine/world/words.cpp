// SPDX-License-Identifier: Apache-2.0
#include "engine/world/words.h"

#include "base/units.h"

namespace svd {
namespace {

std::string delay_text(Nanos delay) {
  const auto millis = std::chrono::ceil<Millis>(delay);
  return millis.count() == 0 ? "restart at once" : "restart in " + format_duration(millis);
}

}  // namespace

std::string end_text(const Instance& one) {
  if (one.end.failure) return "cannot start: " + to_text(*one.end.failure);
  if (one.end.late) return "not ready within " + format_duration(one.spec().ready.timeout);
  return to_text(one.end.exit);
}

std::string cause_text(const Instance& one) {
  const auto& slot = *one.slot;
  const auto by = [&](std::string verb) { return one.by == nullptr ? verb : verb + " by " + *one.by; };
  const auto revision = [&] { return "revision " + std::to_string(slot.app->version->revision); };
  switch (one.cause) {
    case Cause::none:
      return "";
    case Cause::declared:
      return "declared by " + revision();
    case Cause::updated:
      return "replaced by " + revision();
    case Cause::scaled:
      return by("scaled");
    case Cause::started:
      return by("started");
    case Cause::stopped:
      return by("stopped");
    case Cause::restarted:
      return by("restarted");
    case Cause::removed:
      return by("removed");
    case Cause::shutdown:
      return "svd stops";
    case Cause::returned:
      return "svd is back";
    case Cause::retried:
      return "restart " + std::to_string(slot.restarts) + " after " + end_text(one);
    case Cause::ended:
    case Cause::refused:
    case Cause::late:
      return end_text(one);
    case Cause::reloaded:
      return by("reloaded");
    case Cause::withdrawn:
      return "it does not take over";
  }
  return "";
}

std::string rest_text(const Instance& one) {
  if (const auto* backoff = std::get_if<lifecycle::Backoff>(&one.life.state))
    return end_text(one) + ", " + delay_text(backoff->delay);
  const auto* failed = std::get_if<lifecycle::Failed>(&one.life.state);
  if (failed == nullptr || failed->why == lifecycle::Failed::Why::policy) return end_text(one);
  const auto& policy = one.spec().restart;
  return end_text(one) + ", after " + std::to_string(policy.max_restarts) +
         (policy.max_restarts == 1 ? " restart" : " restarts") + " within " + format_duration(policy.window);
}

}  // namespace svd
