// SPDX-License-Identifier: Apache-2.0
#include "plan/slot.h"

namespace svd::plan {
namespace {

SlotPlan due_at(TimePoint deadline, TimePoint now) {
  return now >= deadline ? SlotPlan{SlotStep::due, {}} : SlotPlan{SlotStep::none, deadline};
}

SlotStep stop_for(Want want) {
  switch (want) {
    case Want::leave:
      return SlotStep::leave;
    case Want::rest:
    case Want::pause:
      return SlotStep::stop;
    case Want::run:
    case Want::hold:
      return SlotStep::none;
  }
  return SlotStep::none;
}

// A stop under way needs only patience, then force; and to know what comes next, when that is no longer what
// it was.
SlotPlan plan_stopping(Want want, const lifecycle::Stopping& stopping, TimePoint now) {
  using Step = lifecycle::Stopping::Step;
  const auto stop = stop_for(want);
  if (stop != SlotStep::none && phase(stopping.next) != Phase::stopped &&
      !(want == Want::pause && stopping.pid == 0))
    return {stop, {}};
  if (stop == SlotStep::stop && stopping.step == Step::draining) return {stop, {}};
  if (stopping.step == Step::killed) return {};
  return due_at(stopping.deadline, now);
}

SlotPlan plan_starting(Want want, const lifecycle::Starting& starting, TimePoint now) {
  if (const auto stop = stop_for(want); stop != SlotStep::none) return {stop, {}};
  return due_at(starting.deadline, now);
}

SlotPlan plan_backoff(Want want, const lifecycle::Backoff& backoff, TimePoint now) {
  switch (want) {
    case Want::leave:
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
  const bool to_rest = want == Want::leave || want == Want::rest;
  switch (phase(state)) {
    case Phase::waiting:
      if (want == Want::run) return {SlotStep::begin, {}};
      return {to_rest ? SlotStep::stop : SlotStep::none, {}};
    case Phase::stopped:
      return {want == Want::run ? SlotStep::begin : SlotStep::none, {}};
    case Phase::starting:
      return plan_starting(want, std::get<lifecycle::Starting>(state), now);
    case Phase::ready:
      return {stop_for(want), {}};
    case Phase::stopping:
      return plan_stopping(want, std::get<lifecycle::Stopping>(state), now);
    case Phase::backoff:
      return plan_backoff(want, std::get<lifecycle::Backoff>(state), now);
    case Phase::completed:
    case Phase::failed:
      return {to_rest ? SlotStep::stop : SlotStep::none, {}};
  }
  return {};
}

}  // namespace svd::plan
