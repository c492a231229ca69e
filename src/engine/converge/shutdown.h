// SPDX-License-Identifier: Apache-2.0
// The end of the daemon: asked for, or because nothing is left that it lives for (plan/ending.h).
#pragma once

#include "engine/changes/changes.h"
#include "engine/control.h"

namespace svd {

class Shutdown {
 public:
  Shutdown(World& world, Changes& changes) : world_{world}, changes_{changes} {}

  // Stops everything in order, and remembers it as it was.
  void begin(const Actor& who, bool force);
  // This daemon belongs to its apps.
  void end_with_apps();
  void begin_if_apps_have_ended();
  [[nodiscard]] bool is_to_look() const {
    return belongs_to_apps_ && world_.agenda.may_have_ended && !world_.down.asked;
  }
  [[nodiscard]] int exit_code() const { return exit_code_; }

 private:
  World& world_;
  Changes& changes_;
  bool belongs_to_apps_ = false;
  int exit_code_ = 0;
};

}  // namespace svd
