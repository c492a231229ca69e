// SPDX-License-Identifier: Apache-2.0
// `logtool journal`: the lines of an app as entries of journald that have fields of their own. A stream to
// journald can have none (kernel/logs.h).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace svd {

// What is read from `input` until its end, an entry for each line that is not empty, with `fields`
// ("NAME=value", without line ends) and the priority that it begins with ("<3>", sd-daemon(3)), else 6. A
// line of more than 128 KiB is several entries, all but the last with SVD_CONTINUES=1. An entry that journald
// does not take, since it does not run, is lost, and the first one is told on standard error; one that it is
// slow to take is waited for, and so does the app once the pipe is full.
Result<> write_journal(int input, const std::string& socket, const std::vector<std::string>& fields);

}  // namespace svd
