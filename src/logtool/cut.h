// SPDX-License-Identifier: Apache-2.0
// Cutting the front off a live log: the steps of files/log_layout.h, carried out and taken up again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "files/log_layout.h"

namespace svd {

struct CutOptions {
  std::uint64_t rotate = 0;  // bytes of a piece, cut while there is so much; 0: all whole blocks, once
  std::uint32_t keep = 4;    // rotated files that are kept; 0: what is cut is thrown away
  bool compress = true;
  bool may_collapse = true;  // false: only punch, as on a file system that cannot collapse; for tests
  WallTime now;              // becomes the time of the cut
  // Called after each step, by name. Tests end the process in it.
  std::function<void(std::string_view step)> at = [](std::string_view) {};
};

// Takes up what a killed process left undone, then cuts. `path`: the live file. Nothing to cut is no error.
// Errors: resource_unavailable_try_again: another process is at it; not_supported: this file system can
// remove no front of a file; invalid_argument: not a regular file of one name; else what the system said. The
// log is whole after each of them.
Result<> rotate_log(const std::string& path, const CutOptions& options);

// For `logtool write`, which owns what is appended. The caller holds the lock.
// Renames the live file to the next rotated one; nothing is compressed. No live file is there afterwards.
Result<> rename_log(const LogPlace& place, const CutOptions& options);
// Takes up a rename that was recorded. Done by rename_log() and rotate_log() anyway.
Result<> settle_log(const LogPlace& place, const CutOptions& options);

// Compresses rotated files that are not yet, and removes those beyond `keep`.
Result<> tidy_log(const LogPlace& place, const CutOptions& options);

}  // namespace svd
