// SPDX-License-Identifier: Apache-2.0
// Birth of a process: clone3 with the keeper's memory shared and the keeper suspended (CLONE_VM |
// CLONE_VFORK), so that its cost does not grow with anything, straight into its cgroup (CLONE_INTO_CGROUP).
// The child runs on a stack of its own and makes system calls only; a step that fails is reported through the
// shared memory.
#pragma once

#include <sys/resource.h>

#include <cstdint>

#include "keeper/wire.h"

namespace svd::keeper {

// Descriptors in the keeper: 0 is /dev/null, 1 and 2 are as they were given, 3 is a child's output while it
// is being born, and from 4 on there is room for the sockets that it gets, which move down by one in the
// child. All others are above: a child copies none of them, however many there are.
inline constexpr int stdio_slot = 3;
inline constexpr int passed_slot = 4;
inline constexpr int first_other = passed_slot + static_cast<int>(max_passed);

// What every child needs from the keeper besides its record.
struct Nursery {
  int base = -1;    // the cgroup base directory, O_PATH; -1: none
  rlimit nofile{};  // the limit that the keeper was born with, since it raised its own
  bool restore_nofile = false;
  bool share_files = false;   // close_range(2) can unshare: a birth need not copy thousands of descriptors
  std::uint32_t missing = 0;  // Missing; spawn() adds what it finds out
};

struct Born {
  std::int32_t pid = 0;  // 0: it failed
  Stage stage = Stage::none;
  int err = 0;
  int detail = 0;  // see Report
};

// The descriptors that a record asks for, borrowed.
struct Handover {
  int stdio = -1;          // for Stdio::fd, else -1
  int passed[max_passed];  // spawn->passed_count of them
};

// Returns when the child has executed its program, or is gone again.
Born spawn(const Launch& launch, const Handover& handover, Nursery& nursery);

// Whether clone3(2), and close_range(2) with CLOSE_RANGE_UNSHARE, exist here and may be called.
bool probe_clone3();
bool probe_unshare();

}  // namespace svd::keeper
