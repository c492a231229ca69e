// SPDX-License-Identifier: Apache-2.0
// A way through directories in which others do as they like: a symbolic link is followed only if root or our
// own user made it. The keeper has the same rule for the logs that its children open (keeper/log_file.h).
#pragma once

#include <string>

namespace svd {

// A descriptor for reading the directory, or -1 with errno: ELOOP for a link of somebody else.
[[nodiscard]] int open_trusted_directory(const std::string& path);

}  // namespace svd
