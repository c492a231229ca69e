// SPDX-License-Identifier: Apache-2.0
// Names that come back from where they were stored: held sockets, the lock's owner, apps and instances.
#include "daemon/places.h"
#include "fuzz/fuzz.h"
#include "keeper/protocol.h"
#include "kernel/listener_name.h"
#include "kernel/service_manager.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(names) {
  if (const auto held = parse_held_name(bytes)) {
    const auto name = to_held_name(*held);
    require(parse_held_name(name) == held && name.size() <= keeper::max_name);
  }
  if (const auto owner = parse_lock_owner(bytes)) {
    const auto again = parse_lock_owner(to_text(*owner));
    require(again && again->keeper_pid == owner->keeper_pid && again->started == owner->started &&
            again->engines == owner->engines);
  }
  for (const char c : StoredNames::encode(bytes)) require(c > ' ' && c < 127 && c != ':');
}
