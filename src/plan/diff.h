// SPDX-License-Identifier: Apache-2.0
// What an apply would do, and why: the plan that people read. Pure; the words are those of `svctl plan`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/app_spec.h"
#include "model/plan_step.h"

namespace svd::plan {

// An app as it is now, as far as an apply cares.
struct AppNow {
  const AppSpec* spec = nullptr;             // as last accepted
  std::uint32_t instances = 0;               // after scale
  bool scaled = false;                       // by a person, away from what the file said
  bool stopped = false;                      // as a whole, by a person
  bool removed = false;                      // it is to go
  bool unreadable = false;                   // what it ran with cannot be decoded any more
  std::vector<std::uint32_t> stopped_slots;  // by a person, one by one
  std::vector<std::string> failed;           // "web/0 had failed: exit code 1"
  std::uint32_t stale = 0;  // instances that an interrupted update or restart has not reached
};

// spec::compare, bound by the engine.
using Compare = std::function<std::vector<FieldChange>(const AppSpec& have, const AppSpec& want)>;

// Empty exactly when applying `want` would change nothing. Apps of `have` that `want` lacks are stopped.
[[nodiscard]] std::vector<PlanStep> diff(const std::map<Name, AppNow>& have, const Ecosystem& want,
                                         const Compare& compare);

// "1 instance", "4 instances".
[[nodiscard]] std::string count_instances(std::uint32_t count);
// "replace 4 instances, start-first, at most 1 more"; "replace 4 instances, one at a time".
[[nodiscard]] std::string replace_summary(std::uint32_t count, const UpdatePolicy& update,
                                          std::uint32_t instances);
// "replace 4 instances, one at a time": each is stopped first.
[[nodiscard]] std::string restart_summary(std::uint32_t count, const UpdatePolicy& update,
                                          std::uint32_t instances);

}  // namespace svd::plan
