// SPDX-License-Identifier: Apache-2.0
// Directories that nobody else can have prepared for us. The daemon and svctl have the same rules.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace svd {

// Error: it is not there, it is no directory, or others own it or may write to it.
Result<> check_own_directory(const std::string& path, std::uint32_t uid);

// The number of the mount namespace that this process is in (namespaces(7)); 0: it cannot be told.
[[nodiscard]] std::uint64_t mount_namespace();

}  // namespace svd
