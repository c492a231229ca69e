// SPDX-License-Identifier: Apache-2.0
#include "plan/slot.h"

namespace svd::plan {
namespace {

// A stop under way needs only patience, then force; and to know what comes next, when that is no longer what
// it was.
SlotPlan plan_stopping(Want want, const lifecycle::Stopping& stopping, TimePoint now) {
  const bool to_rest = want == Want::rest || want == Want::pause;
  if (to_rest && phase(stopping.next) != Phase::stopped && !(want == Want::pause && stopping.pid == 0))
    return {SlotStep::stop, {}};
  if (stopping.step != lifecycle::Stopping::Step::asked) return {};
  if (now >= stopping.deadline) return {SlotStep::kill, {}};
  return {SlotStep::none, stopping.deadline};
}

SlotPlan plan_backoff(Want want, const lifecycle::Backoff& backoff, TimePoint now) {
  switch (want) {
    case Want::rest:
      return {SlotStep::stop, {}};
    case Want::pause:
    case Want::hold:
      return {};
    case Want::run:
      break;
  }
  if (now >= backoff.until) return {SlotStep::begin, {}};
  return {SlotStep::none, backoff.until};
}

}  // namespace

SlotPlan plan_slot(Want want, const lifecycle::State& state, TimePoint now) {
  switch (phase(state)) {
    case Phase::waiting:
      if (want == Want::run) return {SlotStep::begin, {}};
      return {want == Want::rest ? SlotStep::stop : SlotStep::none, {}};
    case Phase::stopped:
      return {want == Want::run ? SlotStep::begin : SlotStep::none, {}};
    case Phase::starting:
    case Phase::ready:
      return {want == Want::rest || want == Want::pause ? SlotStep::stop : SlotStep::none, {}};
    case Phase::stopping:
      return plan_stopping(want, std::get<lifecycle::Stopping>(state), now);
    case Phase::backoff:
      return plan_backoff(want, std::get<lifecycle::Backoff>(state), now);
    case Phase::completed:
    case Phase::failed:
      return {want == Want::rest ? SlotStep::stop : SlotStep::none, {}};
  }
  return {};
}

}  // namespace svd::plan
