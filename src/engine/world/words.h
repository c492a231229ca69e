// SPDX-License-Identifier: Apache-2.0
// Why an instance is where it is, in the words that the log, D-Bus and svctl share.
#pragma once

#include <string>

#include "engine/world/app.h"

namespace svd {

// "signal SIGKILL", "cannot start: …".
[[nodiscard]] std::string end_text(const Instance& one);
// "stopped by root", "restart 3 after signal SIGKILL".
[[nodiscard]] std::string cause_text(const Instance& one);
// Of one that has come to an end, for good or until its restart.
[[nodiscard]] std::string rest_text(const Instance& one);

}  // namespace svd
