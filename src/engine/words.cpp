// SPDX-License-Identifier: Apache-2.0
// Why a slot is where it is, in the words that the log, D-Bus and svctl share.
#include <cerrno>

#include "base/units.h"
#include "engine/state.h"

namespace svd {
namespace {

std::string delay_text(Nanos delay) {
  const auto millis = std::chrono::ceil<Millis>(delay);
  return millis.count() == 0 ? "restart at once" : "restart in " + format_duration(millis);
}

}  // namespace

std::string Engine::State::end_text(const Occupant& one) {
  if (one.failure) return "cannot start: " + to_text(*one.failure);
  if (one.late) return "not ready within " + format_duration(spec_of(one).ready.timeout);
  return to_text(one.last_exit);
}

std::string Engine::State::cause_text(const Occupant& one) const {
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

std::string Engine::State::reason(const Occupant& one) const {
  switch (one.phase()) {
    case Phase::ready:
      return "";
    case Phase::waiting:
      if (!one.slot->app->unbound.empty()) return one.slot->app->unbound;
      if (auto what = awaits(*one.slot->app).text; !what.empty()) return what;
      return cause_text(one);
    case Phase::starting:
    case Phase::stopping:
    case Phase::stopped:
      return cause_text(one);
    case Phase::completed:
      return end_text(one);
    case Phase::backoff:
      return end_text(one) + ", " + delay_text(std::get<lifecycle::Backoff>(one.life.state).delay);
    case Phase::failed:
      break;
  }
  if (std::get<lifecycle::Failed>(one.life.state).why == lifecycle::Failed::Why::policy) return end_text(one);
  const auto& policy = spec_of(one).restart;
  return end_text(one) + ", after " + std::to_string(policy.max_restarts) +
         (policy.max_restarts == 1 ? " restart" : " restarts") + " within " + format_duration(policy.window);
}

}  // namespace svd
