// SPDX-License-Identifier: Apache-2.0
// The parts of comparing and hashing specs that the field table refers to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/app_spec.h"
#include "model/plan_step.h"

namespace svd::spec {

// The environment as processes get it, `env` and secrets together: moving a variable from one to the other
// changes no process.
[[nodiscard]] std::string environment_identity(const AppSpec& app);
// For a field whose meaning is in another field's identity already.
[[nodiscard]] std::string no_identity(const AppSpec& app);

// Variable by variable; secret values read "(secret)".
void compare_environment(const AppSpec& have, const AppSpec& want, std::vector<FieldChange>& out);
// The list of files alone touches nothing: what is in them was compared as variables.
void compare_env_files(const AppSpec& have, const AppSpec& want, std::vector<FieldChange>& out);

// AppSpec::generation: FNV-1a over every field with Effect::replace that is not at its default, so that a
// field which a later version adds changes no generation. The same on every build and machine; never 0.
[[nodiscard]] std::uint64_t generation_of(const AppSpec& app);

}  // namespace svd::spec
