// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/context.h"

namespace svd::cli {

// The real environment, clocks, files, terminal, daemon and signals of this process.
[[nodiscard]] Context real_context();

}  // namespace svd::cli
