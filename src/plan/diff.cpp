// SPDX-License-Identifier: Apache-2.0
#include "plan/diff.h"

#include <algorithm>

#include "plan/rollout.h"

namespace svd::plan {
namespace {

using Action = PlanStep::Action;

// The steps of one app under construction.
class AppDiff {
 public:
  AppDiff(AppId id, const AppNow& have, const AppSpec& want, const Compare& compare)
      : id_{std::move(id)}, have_{have}, want_{want}, changes_{compare(*have.spec, want)} {}

  std::vector<PlanStep> take() {
    if (have_.removed)
      start_all("it was being removed");
    else if (have_.stopped)
      start_all("it was stopped by the user");
    else
      change();
    return std::move(steps_);
  }

 private:
  void add(Action action, std::uint32_t instances, std::string summary, std::vector<std::string> why) {
    steps_.push_back({action, id_, instances, std::move(summary), std::move(why)});
  }

  // The changed fields, those with one of these effects.
  [[nodiscard]] std::vector<std::string> why(std::initializer_list<Effect> effects) const {
    std::vector<std::string> out;
    if (have_.unreadable) return {"what it was started with cannot be read any more"};
    for (const auto& change : changes_)
      if (std::ranges::find(effects, change.effect) != effects.end()) out.push_back(to_text(change));
    return out;
  }

  void start_all(const std::string& because) {
    auto reasons = why({Effect::replace, Effect::live, Effect::none});
    reasons.insert(reasons.begin(), because);
    add(Action::start, want_.instances, "start " + count_instances(want_.instances), std::move(reasons));
  }

  void change() {
    const bool replaced = have_.spec->generation != want_.generation;
    if (replaced)
      replace();
    else if (have_.stale > 0)
      add(Action::replace, have_.stale, replace_summary(have_.stale, want_.update, want_.instances),
          {"an earlier update or restart did not reach them"});
    scale();
    if (!replaced && *have_.spec != want_) update();
    resume(replaced);
  }

  void replace() {
    const auto count = std::min(want_.instances, have_.instances);
    auto reasons = why({Effect::replace, Effect::live, Effect::none});
    if (reasons.empty()) reasons.emplace_back("its definition changed");
    if (count == 0)
      add(Action::update, 0, "update in place", std::move(reasons));
    else
      add(Action::replace, count, replace_summary(count, want_.update, want_.instances), std::move(reasons));
  }

  void scale() {
    const auto from = have_.instances, to = want_.instances;
    if (from == to && !have_.scaled) return;
    std::vector<std::string> reasons;
    if (have_.scaled) reasons.push_back("it was scaled to " + std::to_string(from) + " by the user");
    for (auto& more : why({Effect::scale})) reasons.push_back(std::move(more));
    if (from == to)
      add(Action::update, 0, "keep " + count_instances(to), std::move(reasons));
    else
      add(Action::scale, from > to ? from - to : to - from,
          "scale from " + std::to_string(from) + " to " + count_instances(to), std::move(reasons));
  }

  // Fields of no consequence for a process. (What differs only in `instances` is told by scale().)
  void update() {
    auto reasons = why({Effect::live, Effect::none});
    const bool only_scale = !changes_.empty() && reasons.empty();
    if (only_scale) return;
    add(Action::update, std::min(have_.instances, want_.instances), "update in place", std::move(reasons));
  }

  void resume(bool replaced) {
    std::vector<std::string> reasons;
    for (const auto slot : have_.stopped_slots)
      reasons.push_back(id_.app.str() + "/" + std::to_string(slot) + " was stopped by the user");
    if (!replaced) reasons.insert(reasons.end(), have_.failed.begin(), have_.failed.end());
    if (reasons.empty()) return;
    const auto count = static_cast<std::uint32_t>(reasons.size());
    add(Action::start, count, "start " + count_instances(count), std::move(reasons));
  }

  AppId id_;
  const AppNow& have_;
  const AppSpec& want_;
  std::vector<FieldChange> changes_;
  std::vector<PlanStep> steps_;
};

}  // namespace

std::string count_instances(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " instance" : " instances");
}

std::string restart_summary(std::uint32_t count, const UpdatePolicy& update, std::uint32_t instances) {
  const auto together = std::max(1U, rules_of(update, instances).unavailable);
  const auto text = "replace " + count_instances(count);
  if (count <= together) return text + (count > 1 ? ", all at once" : "");
  return text + (together == 1 ? ", one at a time" : ", " + std::to_string(together) + " at a time");
}

std::string replace_summary(std::uint32_t count, const UpdatePolicy& update, std::uint32_t instances) {
  const auto rules = rules_of(update, instances);
  if (rules.surge == 0) return restart_summary(count, update, instances);
  return "replace " + count_instances(count) + ", start-first, at most " + std::to_string(rules.surge) +
         " more" + (rules.unavailable > 0 ? " and " + std::to_string(rules.unavailable) + " fewer" : "");
}

std::vector<PlanStep> diff(const std::map<Name, AppNow>& have, const Ecosystem& want,
                           const Compare& compare) {
  std::vector<PlanStep> steps;
  for (const auto& [name, now] : have)
    if (!want.apps.contains(name) && !now.removed)
      steps.push_back({Action::stop,
                       {want.name, name},
                       now.instances,
                       "stop " + count_instances(now.instances) + " and remove",
                       {"it is not in the file"}});
  for (const auto& [name, spec] : want.apps) {
    const AppId id{want.name, name};
    const auto now = have.find(name);
    if (now == have.end()) {
      steps.push_back(
          {Action::start, id, spec.instances, "start " + count_instances(spec.instances), {"it is new"}});
      continue;
    }
    auto changed = AppDiff{id, now->second, spec, compare}.take();
    std::ranges::move(changed, std::back_inserter(steps));
  }
  return steps;
}

}  // namespace svd::plan
