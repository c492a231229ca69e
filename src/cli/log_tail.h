// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "files/log_stream.h"

namespace svd::cli {

// Where the last `lines` lines of these stretches begin; where there are fewer, their beginning. Moves the
// stream.
Result<std::uint64_t> find_last_lines(LogStream& stream, const std::vector<LogStretch>& stretches,
                                      std::uint64_t lines);

}  // namespace svd::cli
