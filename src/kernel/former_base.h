// SPDX-License-Identifier: Apache-2.0
// A daemon may be started from another cgroup than the one before it, from another login say, while that
// one's instances run on where they were: keeper and engine had both been killed. So the state directory's
// file `cgroup` says where they are.
#pragma once

#include <string>

#include "base/result.h"

namespace svd {

// Where the instances of this state directory are, if any process is there; "": nowhere.
[[nodiscard]] std::string former_base(const std::string& state_directory);
Result<> remember_base(const std::string& state_directory, const std::string& base);

// Whether a process of cgroup `own` may be put below `base`: both are absolute paths below `top`, and who may
// write to what they have in common may (cgroups(7)).
[[nodiscard]] bool is_in_reach(const std::string& top, const std::string& own, const std::string& base);

// SIGKILL to all that is there, waited for at most two seconds, and the empty cgroups removed. False: some
// are left.
bool end_base(const std::string& base);

}  // namespace svd
