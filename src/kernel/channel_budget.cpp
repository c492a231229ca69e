// SPDX-License-Identifier: Apache-2.0
#include "kernel/channel_budget.h"

#include <sys/resource.h>

namespace svd::budget {

std::size_t fds_in_all() {
  constexpr rlim_t most = 1024;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return fds_of_channel;
  return static_cast<std::size_t>(std::min(limit.rlim_cur / 8, most));
}

}  // namespace svd::budget
