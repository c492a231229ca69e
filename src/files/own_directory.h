// SPDX-License-Identifier: Apache-2.0
// Directories that nobody else can have prepared for us. The daemon and svctl have the same rules.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace svd {

// Error: it is not there, it is no directory, or others own it or may write to it.
Result<> check_own_directory(const std::string& path, std::uint32_t uid);

// The same where anybody may have made something of that name before us, as in /tmp: it has to be the
// directory itself, not a link to one, and nobody else may be able to put another one into its place.
Result<> check_own_directory_among_others(const std::string& path, std::uint32_t uid);

// The number of the mount namespace that this process is in (namespaces(7)); 0: it cannot be told.
[[nodiscard]] std::uint64_t mount_namespace();

}  // namespace svd
