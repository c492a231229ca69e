// SPDX-License-Identifier: Apache-2.0
// From a specification to everything one process needs to be born.
#pragma once

#include <cstdint>

#include "engine/ports.h"
#include "model/launch.h"

namespace svd {

struct Launch {
  StartId id{};
  SlotId slot;
  std::uint32_t instances = 1;
  std::uint64_t revision = 0;
  const Limits& app_limits;  // as last accepted, whatever the specification of this start has
};

// The environment is left in its layers: HOME and the like are known to the port alone, which writes it out
// (write_out(), model/launch.h).
[[nodiscard]] LaunchPlan compose(const Launch& launch, const AppSpec& spec, const LogPort& logs);

}  // namespace svd
