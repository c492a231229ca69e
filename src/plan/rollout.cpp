// SPDX-License-Identifier: Apache-2.0
#include "plan/rollout.h"

#include <algorithm>

namespace svd::plan {
namespace {

// It may become ready without anybody's help.
bool may_come_up(Phase phase) {
  switch (phase) {
    case Phase::waiting:
    case Phase::starting:
    case Phase::stopping:
    case Phase::backoff:
      return true;
    case Phase::ready:
    case Phase::completed:
    case Phase::stopped:
    case Phase::failed:
      return false;
  }
  return false;
}

std::uint32_t share(const Portion& portion, std::uint32_t of, bool up) {
  if (!portion.percent) return portion.value;
  const auto hundredths = std::uint64_t{portion.value} * of;
  return static_cast<std::uint32_t>((hundredths + (up ? 99 : 0)) / 100);
}

// One look at the slots of an app.
class Planner {
 public:
  Planner(std::span<const RolloutSlot> slots, const RolloutRules& rules, TimePoint now)
      : slots_{slots}, rules_{rules}, now_{now} {}

  Rollout take() && {
    if (std::ranges::any_of(slots_, [](const auto& slot) { return slot.stage == Stage::broken; })) {
      out_.broken = true;
      return std::move(out_);
    }
    for (const auto& slot : slots_) look(slot);
    for (const auto& slot : slots_)
      if (is_due(slot) && slot.phase != Phase::ready) replace_idle(slot);
    for (const auto& slot : slots_)
      if (is_due(slot) && slot.phase == Phase::ready) replace_ready(slot);
    const bool held_back = stale_ && in_flight_ == 0 && retiring_ == 0;  // until what is missing is there
    out_.busy = busy_ || held_back || !out_.add.empty();
    const bool settled = in_flight_ == 0 && !stale_ && out_.take_over.empty();
    out_.works = settled && works_;
    out_.finished = settled && retiring_ == 0;
    return std::move(out_);
  }

 private:
  static bool is_due(const RolloutSlot& slot) {
    return slot.stale && slot.stage == Stage::none && !slot.replacement;
  }

  // Whether something that is ready has been so for long enough; if not, when it will have been.
  bool has_proved(TimePoint since, bool at_once) {
    const auto due = since + (at_once ? Nanos{0} : rules_.min_ready);
    if (now_ >= due) return true;
    if (!out_.wake || due < *out_.wake) out_.wake = due;
    return false;
  }

  void look(const RolloutSlot& slot) {
    retiring_ += slot.retiring;
    up_ = up_ || slot.phase == Phase::ready || slot.phase == Phase::starting || slot.phase == Phase::waiting;
    stale_ = stale_ || is_due(slot);
    bool available = slot.phase == Phase::ready || slot.phase == Phase::completed;
    if (slot.replacement) {
      ++replacements_;
      if (*slot.replacement == Phase::completed ||
          (*slot.replacement == Phase::ready && has_proved(slot.replacement_since, slot.at_once)))
        out_.take_over.push_back(slot.slot);
      else
        fly(true);
    } else if (slot.stage == Stage::replaced) {
      available = !slot.stale && (slot.phase == Phase::completed ||
                                  (slot.phase == Phase::ready && has_proved(slot.since, slot.at_once)));
      if (available)
        out_.proven.push_back(slot.slot);
      else
        fly(slot.phase != Phase::stopping);  // a stop has deadlines of its own
    }
    proven_ = proven_ || !out_.take_over.empty() || (available && !slot.stale);
    works_ = works_ && (available || slot.stage == Stage::proven);
    if (!available && (slot.stage == Stage::replaced || may_come_up(slot.phase))) ++missing_;
  }

  void fly(bool busy) {
    ++in_flight_;
    busy_ = busy_ || busy;
  }

  void replace_idle(const RolloutSlot& slot) {
    const auto tries = std::max(1U, rules_.surge + rules_.unavailable);
    const bool can_wait = may_come_up(slot.phase) && !slot.at_once && !proven_ && up_;
    if (can_wait && in_flight_ >= tries) return;
    if (!may_come_up(slot.phase)) ++missing_;  // from now on it will
    ++in_flight_;
    out_.replace.push_back(slot.slot);
  }

  void replace_ready(const RolloutSlot& slot) {
    if (slot.at_once ? in_flight_ < std::max(1U, rules_.unavailable) : slot.in_place && has_place())
      return take_down(slot);
    if (slot.in_place || slot.at_once) return;
    if (replacements_ + retiring_ < rules_.surge) {
      ++replacements_;
      ++in_flight_;
      out_.add.push_back(slot.slot);
    } else if (has_place()) {
      take_down(slot);
    }
  }

  [[nodiscard]] bool has_place() const { return missing_ < rules_.unavailable; }
  void take_down(const RolloutSlot& slot) {
    ++missing_;
    ++in_flight_;
    out_.replace.push_back(slot.slot);
  }

  std::span<const RolloutSlot> slots_;
  RolloutRules rules_;
  TimePoint now_;
  Rollout out_;
  std::uint32_t in_flight_ = 0;     // replacements that have yet to prove themselves
  std::uint32_t replacements_ = 0;  // beside a slot's own
  std::uint32_t retiring_ = 0;
  std::uint32_t missing_ = 0;  // slots that are not available now, but will be
  bool busy_ = false;
  bool proven_ = false;  // the new generation works, on one slot at least
  bool stale_ = false;
  bool works_ = true;  // what fills the slots, on all of them
  bool up_ = false;
};

}  // namespace

RolloutRules rules_of(const UpdatePolicy& update, std::uint32_t instances) {
  RolloutRules rules{share(update.max_surge, instances, true),
                     share(update.max_unavailable, instances, false), update.min_ready};
  if (update.order == UpdatePolicy::Order::stop_first) rules.surge = 0;
  if (rules.surge == 0 && rules.unavailable == 0) rules.unavailable = 1;
  return rules;
}

Rollout plan_rollout(std::span<const RolloutSlot> slots, const RolloutRules& rules, TimePoint now) {
  return Planner{slots, rules, now}.take();
}

}  // namespace svd::plan
