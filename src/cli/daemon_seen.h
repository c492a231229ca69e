// SPDX-License-Identifier: Apache-2.0
// A daemon as it can be seen without talking to it: from the lock file beside its socket, and /proc.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace svd::cli {

struct DaemonSeen {
  pid_t keeper = 0;
  pid_t engine = 0;  // 0: none runs just now
  bool engine_is_stopped = false;
};

// By "unix:path=…/bus"; nullopt: none runs there.
[[nodiscard]] std::optional<DaemonSeen> daemon_at(const std::string& address);
// By a lock file; a pid that by now is another program's is none.
[[nodiscard]] std::optional<DaemonSeen> daemon_by_lock(const std::string& path);

}  // namespace svd::cli
