// SPDX-License-Identifier: Apache-2.0
// What this machine can tell about apps before they run, and about daemons that run already.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace svd::cli {

// User, group, working directory and program, looked for as the caller; names by NSS, as getpwnam(3) does.
[[nodiscard]] std::vector<spec::Inputs::Doubt> doubts_about(const AppSpec& app);

// From the listening sockets of /proc/net/unix; one whose lock file we may not read is not seen.
[[nodiscard]] std::vector<System::DaemonHere> daemons_here();

}  // namespace svd::cli
