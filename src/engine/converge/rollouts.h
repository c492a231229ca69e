// SPDX-License-Identifier: Apache-2.0
// Carrying out plan/rollout: what fills the slots of an app is replaced, slot by slot.
#pragma once

#include "engine/converge/reverts.h"

namespace svd {

class Rollouts {
 public:
  Rollouts(World& world, Changes& changes, Handover& handover, Reverts& reverts)
      : world_{world}, changes_{changes}, handover_{handover}, reverts_{reverts} {}

  // One look at the slots of an app, and what follows from it.
  void roll(App& app);

 private:
  void carry_out(App& app, const plan::Rollout& rollout);
  void fail_late(App& app);

  World& world_;
  Changes& changes_;
  Handover& handover_;
  Reverts& reverts_;
};

}  // namespace svd
