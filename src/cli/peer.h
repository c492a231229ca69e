// SPDX-License-Identifier: Apache-2.0
// Whose daemon svctl talks to. It is told what its caller may read (files, env_file, pass_env), and is
// believed (logs that it names are opened), so a stranger's must not be taken for ours.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace svd::cli {

// Of a connected socket: that whoever listens there is root or `own`, by the kernel's word (SO_PEERCRED,
// unix(7)). Error operation_not_permitted: somebody else, or it cannot be told; says what to write where that
// is meant.
Result<> check_peer(int socket, const std::string& address, uid_t own);

// The same of who listens at "unix:path=…", found out by a connection on which nothing is said: a D-Bus
// library greets first, and waits for an answer. Good where nobody listens, or the address is of another
// kind: for the caller to see.
Result<> check_listener(const std::string& address, uid_t own);

// That nobody but root and `own` can have put there what `path` names, or can exchange it: not the
// directories on the way, and no link among them. As far as it exists. Error operation_not_permitted: says
// which one.
Result<> check_place(const std::string& path, uid_t own);

}  // namespace svd::cli
