// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "files/log_stream.h"

namespace svd::cli {

// Where the last `lines` lines of these stretches begin; where there are fewer, their beginning. Moves the
// stream. `bounded`: there may be more, but looking further back would cost more than a reader is to pay for
// a log that an app has written for that purpose (a gigabyte of zeros compresses to one megabyte): what is
// read and decompressed is at most most_searched, and what the lines are long together at most
// most_shown(lines).
struct LastLines {
  std::uint64_t begin = 0;
  bool bounded = false;
};
inline constexpr std::uint64_t most_searched = 256ULL << 20;
[[nodiscard]] std::uint64_t most_shown(std::uint64_t lines);
Result<LastLines> find_last_lines(LogStream& stream, const std::vector<LogStretch>& stretches,
                                  std::uint64_t lines);

}  // namespace svd::cli
