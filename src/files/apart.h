// SPDX-License-Identifier: Apache-2.0
// What may never return is done in a process of its own: a look at a path on which an app's user, or a server
// far away, decides whether it is answered.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace svd {

// What `work` returns; it may change nothing but files. Error timed_out: it did not
// return in `patience`, or a former work of the same `name` still has not; too many of those, and nothing is
// begun. Costs a fork(2).
[[nodiscard]] Result<std::string> apart(const std::string& name, const std::function<std::string()>& work,
                                        Millis patience = Millis{1'000});

}  // namespace svd
