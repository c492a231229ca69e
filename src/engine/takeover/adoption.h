// SPDX-License-Identifier: Apache-2.0
// Taking over the processes of one instance from the keeper's table.
#pragma once

#include <vector>

#include "engine/converge/supervisor.h"
#include "engine/engine.h"

namespace svd {

class Adoption {
 public:
  Adoption(World& world, Supervisor& supervisor) : world_{world}, supervisor_{supervisor} {}

  void adopt(Instance& one, const std::vector<KnownChild>& children);
  // The saved state says that there is a process, and the keeper knows of none, or of none at all.
  void lose(Instance& one, bool all_lost);

 private:
  void adopt(Instance& one, const KnownChild& child, const std::vector<KnownChild>& all);
  void count_exit(Instance& one, const KnownChild& child, const std::vector<KnownChild>& all);
  void keep(Instance& one, const KnownChild& child);
  void kill_remains(StartId id);
  void lose_gone(Instance& one);
  [[nodiscard]] TimePoint ago(WallTime since) const;

  World& world_;
  Supervisor& supervisor_;
};

}  // namespace svd
