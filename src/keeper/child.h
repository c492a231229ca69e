// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "keeper/spawn.h"

namespace svd::keeper {

// What a child needs to know; in its launcher's memory, or in its copy of that.
struct Birth {
  const Launch* launch = nullptr;
  const Handover* handover = nullptr;
  const Nursery* nursery = nullptr;
  int procs_fd = -1;  // cgroup.procs to move into, where the child was not born in its cgroup; -1: none
};

// The child's side, from birth to execve(2). The argument is a Birth. Never returns.
int run_child(void* birth);

}  // namespace svd::keeper
