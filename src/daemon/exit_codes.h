// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace svd {

// What `svd` ends with, besides 0. svctl and scripts tell them apart.
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_already_running = 3;

}  // namespace svd
