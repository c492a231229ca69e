// SPDX-License-Identifier: Apache-2.0
// What the field table (spec) knows about specifications that are decoded already. The engine's only use of
// spec.
#pragma once

#include <string>
#include <vector>

#include "model/app_spec.h"
#include "model/plan_step.h"

namespace svd {

[[nodiscard]] std::vector<FieldChange> compare_specs(const AppSpec& have, const AppSpec& want);
[[nodiscard]] std::vector<std::string> settings_of(const AppSpec& spec);

}  // namespace svd
