// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "keeper/spawn.h"

namespace svd::keeper {

// What the keeper and a child that is being born share.
struct Birth {
  const Launch* launch = nullptr;
  const Nursery* nursery = nullptr;
  bool shares_files = false;  // the table of descriptors is the keeper's until the child has made its own
  std::int32_t keeper = 0;    // its pid
  int procs_fd = -1;  // cgroup.procs to move into, where the child was not born in its cgroup; -1: none
  // Written by the child; volatile, since the compiler cannot see that another process writes it.
  volatile bool ran = false;  // false after the call returned: the kernel killed it at birth
  volatile Stage stage = Stage::none;
  volatile int err = 0;
  volatile int detail = 0;
};

// The child's side, from birth to execve(2). The argument is a Birth. Never returns.
int run_child(void* birth);

}  // namespace svd::keeper
