// SPDX-License-Identifier: Apache-2.0
// Carrying out what was decided: commands to instances, and limits of what runs.
#pragma once

#include <utility>
#include <vector>

#include "engine/converge/sockets.h"
#include "engine/event.h"
#include "engine/ports.h"

namespace svd {

class Launcher {
 public:
  Launcher(World& world, SocketOwner& sockets, const Ports& ports)
      : world_{world}, sockets_{sockets}, ports_{ports} {}

  void carry_out();
  // Before the state is saved: if the engine dies in between, its revision is newer than the saved state, and
  // the next engine does it again (takeover/).
  void adjust_limits();
  // Starts that failed before they reached the port.
  [[nodiscard]] std::vector<SpawnFailed> take_refused() { return std::exchange(refused_, {}); }
  [[nodiscard]] bool has_refused() const { return !refused_.empty(); }

 private:
  struct Performer;
  void spawn(const Instance& one);

  World& world_;
  SocketOwner& sockets_;
  const Ports& ports_;
  std::vector<SpawnFailed> refused_;
};

}  // namespace svd
