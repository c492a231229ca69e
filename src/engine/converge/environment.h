// SPDX-License-Identifier: Apache-2.0
// From a specification to everything one process needs to be born.
#pragma once

#include <cstdint>
#include <tl/expected.hpp>

#include "engine/ports.h"
#include "model/launch.h"
#include "model/phase.h"

namespace svd {

struct Launch {
  StartId id{};
  SlotId slot;
  std::uint32_t instances = 1;
  std::uint64_t revision = 0;
  const Limits& app_limits;  // as last accepted, whatever the specification of this start has
};

// The environment is built in this order, later ones win: PATH, env_file and pass_env (AppSpec::secret_env),
// env, increment_env (value + slot), SVD_… and NODE_APP_INSTANCE. HOME, USER, LOGNAME and SHELL are added by
// the port where they are absent. Error: a value that increment_env names is not a number, or overflows.
[[nodiscard]] tl::expected<LaunchPlan, StartFailure> compose(const Launch& launch, const AppSpec& spec,
                                                             const LogPort& logs);

}  // namespace svd
