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

std::string Engine::State::end_text(const Slot& slot) {
  if (slot.failure) return "cannot start: " + to_text(*slot.failure);
  if (slot.late) {
    const auto& version = slot.occupant.version ? slot.occupant.version : slot.app->version;
    return "not ready within " + format_duration(version->spec.ready.timeout);
  }
  return to_text(slot.last_exit);
}

std::string Engine::State::cause_text(const Slot& slot) const {
  const auto by = [&](std::string verb) { return slot.by == nullptr ? verb : verb + " by " + *slot.by; };
  const auto revision = [&] { return "revision " + std::to_string(slot.app->version->revision); };
  switch (slot.cause) {
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
      return "restart " + std::to_string(slot.restarts) + " after " + end_text(slot);
    case Cause::ended:
    case Cause::refused:
    case Cause::late:
      return end_text(slot);
  }
  return "";
}

std::string Engine::State::reason(const Slot& slot) const {
  const auto& state = slot.occupant.life.state;
  switch (slot.phase()) {
    case Phase::ready:
      return "";
    case Phase::waiting:
      if (!slot.app->unbound.empty()) return slot.app->unbound;
      return cause_text(slot);
    case Phase::starting:
    case Phase::stopping:
    case Phase::stopped:
      return cause_text(slot);
    case Phase::completed:
      return end_text(slot);
    case Phase::backoff:
      return end_text(slot) + ", " + delay_text(std::get<lifecycle::Backoff>(state).delay);
    case Phase::failed:
      break;
  }
  const auto why = std::get<lifecycle::Failed>(state).why;
  if (why == lifecycle::Failed::Why::policy) return end_text(slot);
  const auto& version = slot.occupant.version ? slot.occupant.version : slot.app->version;
  const auto& policy = version->spec.restart;
  return end_text(slot) + ", after " + std::to_string(policy.max_restarts) +
         (policy.max_restarts == 1 ? " restart" : " restarts") + " within " + format_duration(policy.window);
}

}  // namespace svd
