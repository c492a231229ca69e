// SPDX-License-Identifier: Apache-2.0
// How one instance takes the place of another in its slot.
//
// Start-first a slot has two for a while: the main one, which it is known by, and its replacement. When that
// takes over, it becomes the main one, and the other is retired: on its way out. A replacement is tried once:
// it does not come back by the restart policy, it is withdrawn and the rollout has failed.
#pragma once

#include <memory>

#include "engine/world/world.h"

namespace svd {

class Handover {
 public:
  explicit Handover(World& world) : world_{world} {}

  void add_replacement(Slot& slot);
  void take_over(Slot& slot);
  // In place: what is there is stopped first.
  void replace(Slot& slot);
  // Its replacement, if it has one, is not to take over.
  void withdraw(Slot& slot);
  // It was retired, and nothing is left of it.
  void forget(Instance& one);

 private:
  void retire(Slot& slot, std::unique_ptr<Instance> one, Role role);

  World& world_;
};

}  // namespace svd
