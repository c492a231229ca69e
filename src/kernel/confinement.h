// SPDX-License-Identifier: Apache-2.0
// What the engine gives up for good when it serves. It is not the parent of the apps (the keeper is), so
// nothing of this reaches one; the log writers that it starts inherit it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace svd {

// Whether this engine never has to start a keeper, who would inherit it all and hand it on to every app:
// where the keeper is a service's main process, or PID 1, the engine ends with it.
[[nodiscard]] bool may_be_confined(bool has_service_manager, long keeper_pid);

// No new privileges by execve(2); no capabilities but those that its work needs; no system calls but those
// that a service's programs use (engine_calls()). Any other call fails with ENOSYS, as on a kernel that lacks
// it, and the kernel logs it: an engine that was ended for a call that nobody foresaw would be started anew,
// and make it again.
Result<> confine();

// The list, as for syscall_filter().
[[nodiscard]] std::vector<std::string> engine_calls();

}  // namespace svd
