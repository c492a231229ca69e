// SPDX-License-Identifier: Apache-2.0
// Birth of a process, in a launcher (launcher.h): a child of the keeper's own (CLONE_PARENT) that is put
// straight into its cgroup (CLONE_INTO_CGROUP), while the launcher is suspended (CLONE_VFORK) until the child
// has executed its program or has ended. What such a child waits for, its launcher waits for; the keeper does
// not. The child makes system calls only; what it is doing, and what went wrong, it tells in a page that it
// shares with the keeper (Crib).
#pragma once

#include <sys/resource.h>

#include <cstdint>

#include "keeper/wire.h"

namespace svd::keeper {

// What a launcher's children tell while nobody can be sent a message. One for each launcher, shared by it and
// the keeper; a child that has memory of its own has the second page only, so that it cannot say which pid it
// has.
struct Crib {
  alignas(4096) volatile std::int32_t pid;  // written by the kernel before the child runs; 0: none was born
  // Written by the child; volatile, since the compiler cannot see that another process does.
  alignas(4096) volatile Stage stage;  // what it does at present, or failed at
  volatile bool ran;                   // false after the call returned: the kernel killed it at birth
  volatile int err;                    // not 0: it failed, and ends
  volatile int detail;                 // see Report
};
static_assert(sizeof(Crib) == 8192);

// What every child needs from the keeper besides its record.
struct Nursery {
  int base = -1;    // the cgroup base directory, O_PATH; -1: none
  rlimit nofile{};  // the limit that the keeper was born with, since it raised its own
  bool restore_nofile = false;
  std::uint32_t missing = 0;   // Missing; spawn() adds what it finds out
  bool closes_others = false;  // fs.suid_dumpable: who becomes another user is closed to that user
  std::int32_t keeper = 0;     // its pid
  Crib* crib = nullptr;        // of this launcher
};

// A start that came to an end of its own: it has executed its program, or it failed.
struct Born {
  std::int32_t pid = 0;  // 0: it failed
  Stage stage = Stage::none;
  int err = 0;
  int detail = 0;  // see Report
};

// The descriptors that a record asks for, borrowed.
struct Handover {
  int leaf = -1;           // the child's cgroup, O_PATH; -1: none
  int stdio = -1;          // for Stdio::fd, else -1
  int passed[max_passed];  // spawn->passed_count of them
};

// Returns when the child has executed its program, or is gone again.
Born spawn(const Launch& launch, const Handover& handover, Nursery& nursery);

// Whether clone3(2) exists here and may be called.
bool probe_clone3();

}  // namespace svd::keeper
