// SPDX-License-Identifier: Apache-2.0
// The loop: plan what is on the agenda, put it on record, carry it out, say when to look again.
#pragma once

#include <optional>

#include "engine/converge/launcher.h"
#include "engine/converge/rollouts.h"
#include "engine/converge/shutdown.h"
#include "engine/converge/supervisor.h"
#include "engine/saving/saver.h"

namespace svd {

class Reconciler {
 public:
  // Those who do the work; each is used as its header says.
  struct Owners {
    Changes& changes;
    SocketOwner& sockets;
    Slots& slots;
    Rollouts& rollouts;
    Supervisor& supervisor;
    Launcher& launcher;
    Shutdown& shutdown;
    Saver& saver;
  };
  Reconciler(World& world, const Owners& owners, const Ports& ports)
      : world_{world}, owners_{owners}, ports_{ports} {}

  // When it wants to be called again although nothing happens; nullopt: not at all.
  std::optional<TimePoint> run();

 private:
  void wake_up();
  void converge();
  void plan_apps();
  void show_changed();
  [[nodiscard]] std::optional<TimePoint> next_wake() const;

  World& world_;
  Owners owners_;
  const Ports& ports_;
};

}  // namespace svd
