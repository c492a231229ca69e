// SPDX-License-Identifier: Apache-2.0
// Durations and sizes: what is read is what is written.
#include "base/units.h"
#include "fuzz/fuzz.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(units) {
  if (const auto duration = parse_duration(bytes)) {
    require(duration->count() >= 0);
    require(parse_duration(format_duration(*duration)) == duration);
    require(!format_age(*duration).empty());
  }
  if (const auto size = parse_bytes(bytes)) {
    require(*size < 1ULL << 63U);
    require(parse_bytes(format_bytes(*size)) == size);
    require(!format_size(*size).empty() && !format_cpu_time(*size).empty());
  }
}
