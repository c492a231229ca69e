// SPDX-License-Identifier: Apache-2.0
// Any datagram on the socket that every local user can send to.
#include <algorithm>

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "kernel/notify.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(notify) {
  const auto said = fuzz::within(8 * bytes.size() + 4096, [&] { return parse_notification(bytes); });
  if (!said.status) return;
  require(said.status->size() <= 4 * 256);
  require(printable(*said.status) == *said.status);
}
