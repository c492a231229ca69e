// SPDX-License-Identifier: Apache-2.0
// Sockets that a program asks for and its file does not declare: opened here, but only as the program itself
// could. Whoever runs as www-data gets no port below 1024 and no path that www-data may not write to,
// although svd is root.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "ipc/cluster.h"

namespace svd {

struct OpenedAs {
  UniqueFd fd;       // bound, not listening, not blocking
  std::string path;  // of a unix socket in the file system: to be removed with it, as this user
  std::uint32_t uid = 0, gid = 0;
};
// `pid`: the process that asks; what it may do is what its credentials, capabilities and namespaces are now.
// Error: its code is the errno that its own bind(2) would have had, or EPERM where this process lives in
// another namespace.
[[nodiscard]] Result<OpenedAs> open_as(const ipc::Query& query, std::int64_t pid);
void remove_as(const OpenedAs& opened);

}  // namespace svd
