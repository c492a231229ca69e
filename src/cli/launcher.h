// SPDX-License-Identifier: Apache-2.0
// Starts the daemon: in the background for `apply`, as its own child for `run`. The `svd` beside svctl is
// used.
#pragma once

#include <memory>

#include "base/result.h"
#include "cli/context.h"
#include "model/directories.h"

namespace svd::cli {

// See System::await_daemon.
[[nodiscard]] std::optional<std::int64_t> await_daemon(const Directories& directories);

// Returns when a daemon serves there: the one started here, or the one that another svctl started at the same
// moment (a lock on RUNTIME/start.lock makes them take turns). Errors: svd is not there, or its own words
// about why it did not start.
[[nodiscard]] Result<> start_daemon(const Directories& directories);

// A daemon that lives in a new directory under $TMPDIR, whatever SVD_HOME says: what it is given is all that
// it runs, and the directory is removed at the end, however that comes. It has its own session, so that
// Ctrl-C reaches svctl alone, and ends in order when svctl dies (PR_SET_PDEATHSIG).
[[nodiscard]] Result<std::unique_ptr<OwnDaemon>> run_daemon();

}  // namespace svd::cli
