// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/result.h"

namespace svd {

struct CopyRange {
  int from = -1;             // borrowed
  std::uint64_t offset = 0;  // in `from`
  std::uint64_t length = 0;  // all of it must be there
  int to = -1;               // borrowed, at its beginning
  bool compress = false;     // as one gzip member (RFC 1952)
};

// Copies a range and makes it durable (fsync).
Result<> copy_range(const CopyRange& range);

}  // namespace svd
