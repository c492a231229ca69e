// SPDX-License-Identifier: Apache-2.0
#include "plan/rollout_state.h"

namespace svd::plan {
namespace {

struct Stepper {
  const RolloutState& state;
  TimePoint now;

  [[nodiscard]] const Rolling* rolling() const { return std::get_if<Rolling>(&state); }
  // What rolls, with a change; anything else stays.
  template <class Change>
  [[nodiscard]] RolloutStep rolling_with(Change&& change) const {
    if (rolling() == nullptr) return {state};
    auto next = *rolling();
    change(next);
    return {next};
  }
  [[nodiscard]] RolloutStep got_on() const {
    return rolling_with([&](Rolling& next) { next.progress = now; });
  }

  RolloutStep operator()(const Accepted&) const {
    return std::holds_alternative<Halted>(state) ? RolloutStep{Idle{}} : got_on();
  }
  RolloutStep operator()(const Began&) const {
    return rolling() != nullptr ? RolloutStep{state} : RolloutStep{Rolling{false, false, now}};
  }
  RolloutStep operator()(const Renewed&) const {
    return {Rolling{rolling() != nullptr && rolling()->back, false, now}};
  }
  RolloutStep operator()(const Declared&) const {
    return rolling_with([](Rolling& next) { next.back = next.paused = false; });
  }
  RolloutStep operator()(const GotOn&) const { return got_on(); }
  RolloutStep operator()(const Paused&) const {
    return rolling_with([](Rolling& next) { next.paused = true; });
  }
  // While it was held it made no progress, and is not to blame for that.
  RolloutStep operator()(const Resumed&) const {
    return rolling_with([&](Rolling& next) { next = {next.back, false, now}; });
  }
  RolloutStep operator()(const Left&) const {
    return rolling() != nullptr ? RolloutStep{Idle{}} : RolloutStep{state};
  }
  RolloutStep operator()(const Finished&) const {
    if (rolling() == nullptr || !rolling()->back) return {Idle{}};
    return {Idle{}, RolloutCommand::tell_back};
  }
  // A way back that fails as well is not tried again.
  RolloutStep operator()(const Failed& failed) const {
    if (rolling() != nullptr && rolling()->back) return {Idle{}, RolloutCommand::fail_back};
    return {Idle{}, failed.may_go_back ? RolloutCommand::go_back : RolloutCommand::stop};
  }
  RolloutStep operator()(const WentBack&) const { return {Rolling{true, false, now}}; }
  RolloutStep operator()(const Stopped& stopped) const {
    return stopped.kept > 0 ? RolloutStep{Halted{}} : RolloutStep{Idle{}};
  }
};

}  // namespace

RolloutStep step(const RolloutState& state, const RolloutEvent& event, TimePoint now) {
  return std::visit(Stepper{state, now}, event);
}

}  // namespace svd::plan
