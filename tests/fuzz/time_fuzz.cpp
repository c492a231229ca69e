// SPDX-License-Identifier: Apache-2.0
// The time that a line of a log begins with: the line is an app's.
#include "cli/log_reader.h"
#include "fuzz/fuzz.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(time) {
  const auto time = fuzz::within(64U << 10U, [&] { return cli::leading_time(bytes); });
  require(cli::leading_time(bytes) == time);  // the first one may load the time zone
  require(cli::leading_time(bytes.substr(0, 512)) == time);
  if (!time) return;
  constexpr std::int64_t micros = 1'000'000, year = 366 * 86'400LL;
  require(time->micros > -2 * year * micros && time->micros < 320 * year * micros);
}
