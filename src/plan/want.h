// SPDX-License-Identifier: Apache-2.0
// What is wanted of one process, from what people, its app and its dependents want.
#pragma once

#include "plan/slot.h"

namespace svd::plan {

struct WantFacts {
  bool needed = false;    // it serves, is to end, and something that depends on it has yet to end
  bool removed = false;   // its app is
  bool wanted = true;     // its slot, by the user
  bool surplus = false;   // its slot: the app has fewer instances
  bool last = false;      // the app is to have none at all
  bool shutting = false;  // the daemon goes down
  bool main = true;       // the one that its slot is known by
  bool retired = false;   // it has been replaced, or was not to take over
  bool blocked = false;   // its specification cannot be read, or its sockets cannot be had
  bool awaits = false;    // a first start, and what it depends on is not there
};

[[nodiscard]] Want want(const WantFacts& facts);

}  // namespace svd::plan
