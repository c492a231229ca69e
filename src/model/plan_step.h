// SPDX-License-Identifier: Apache-2.0
// A plan as people and clients read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/names.h"

namespace svd {

// What a change of a field does to the instances that run, from least to most disturbing.
enum class Effect : std::uint8_t { none, live, scale, replace };

// One field that differs between two specs of an app. Secret values read "(secret)".
struct FieldChange {
  std::string path;  // "env.NODE_ENV"
  std::string from;  // "production"; "(unset)" where it had none
  std::string to;
  Effect effect = Effect::none;
  bool operator==(const FieldChange&) const = default;
};
// "env.NODE_ENV changed production → staging"
[[nodiscard]] std::string to_text(const FieldChange& change);

struct PlanStep {
  enum class Action : std::uint8_t {
    start,
    stop,
    replace,
    scale,
    update
  };  // update: in place, no process is touched
  Action action = Action::start;
  AppId app;
  std::uint32_t instances = 0;   // how many instances the step touches
  std::string summary;           // "replace 4 instances, start-first, at most 1 more"
  std::vector<std::string> why;  // "env.NODE_ENV changed production → staging"
  std::vector<std::string>
      notes{};  // what will not be as the file says: "limits.memory cannot be enforced here: …"
  bool operator==(const PlanStep&) const = default;
};
[[nodiscard]] std::string_view to_text(PlanStep::Action action);
// "web: replace 4 instances, one at a time: env.NODE_ENV changed production → staging"
[[nodiscard]] std::string to_text(const PlanStep& step);

}  // namespace svd
