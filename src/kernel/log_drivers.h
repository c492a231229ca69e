// SPDX-License-Identifier: Apache-2.0
// The parts of the log drivers that know nothing of slots.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace svd {

// A stream to journald whose lines carry SYSLOG_IDENTIFIER=`identifier` and priority info, unless they begin
// with "<3>" or the like (sd-daemon(3)). The protocol is that of sd_journal_stream_fd(3); this one never
// waits: a queue of connections that is full is resource_unavailable_try_again.
Result<UniqueFd> open_journal_stream(const std::string& socket, std::string_view identifier);

// Whether journald can be connected to at this socket.
[[nodiscard]] bool journal_runs(const std::string& socket);

// Whether the front of a file in this directory can be removed under the one who appends to it, and the hole
// be found again (FALLOC_FL_PUNCH_HOLE, SEEK_DATA). Tried with a nameless file.
[[nodiscard]] bool can_cut_files(const std::string& directory);

// A helper process with null for stdin (or `input`) and stdout, and `errors` (or null) for stderr, in a
// session of its own, all signals at their defaults. The result is its pid.
struct Helper {
  std::span<const std::string> argv;
  int input = -1, errors = -1;  // borrowed; -1: /dev/null
};
Result<int> spawn_helper(const Helper& helper);

}  // namespace svd
