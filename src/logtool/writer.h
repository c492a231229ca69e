// SPDX-License-Identifier: Apache-2.0
// Where no front of a file can be removed: a process that stands between the app and the file.
#pragma once

#include <string>

#include "base/result.h"
#include "logtool/cut.h"

namespace svd {

// Appends what comes from `input` (a pipe, borrowed) to the live file until its end, and renames that one
// when it has grown to `rotate` bytes (0: never) or is older than `max_age` (0: never), after a whole line
// where lines are shorter than 1 MiB. Several writers of one log take turns (lock_log), so that a daemon that
// comes back can start one of its own while the former one still has readers. Compression runs in a child, so
// that the app never waits for it.
struct WriterOptions {
  CutOptions cut;
  Millis max_age{0};
  mode_t mode = 0640;
};
Result<> write_log(int input, const std::string& path, const WriterOptions& options);

}  // namespace svd
