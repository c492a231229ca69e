// SPDX-License-Identifier: Apache-2.0
// Any bytes as a cookie: what the keeper keeps for the next engine.
#include "fuzz/fuzz.h"
#include "kernel/launch_record.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(cookie) {
  const auto child = decode_cookie(bytes);
  if (!child) return;
  require(encode_cookie(*child) == bytes);
  require(bytes.size() <= keeper::max_cookie);
  require(!child->slot.app.ecosystem.empty() && !child->slot.app.app.empty());
}
