// SPDX-License-Identifier: Apache-2.0
// Which child of the keeper's is whose, in one slot.
//
// Starts of one instance have ascending numbers, and a successor is started only when nothing of the former
// is left. So of the children of an instance only the last can have remains; an earlier one that is still
// kept is there because its exit was not on record: it is counted now, once. `handled` says up to which start
// that was done before the last save, `last` of the slot which starts were known then.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/converge/handover.h"
#include "engine/engine.h"

namespace svd {

// By their numbers in the slot; each list ascending, none empty.
using Children = std::map<std::uint32_t, std::vector<KnownChild>>;
// What a child was started with.
using VersionFor = std::function<VersionPtr(const KnownChild&)>;

// A start that the saved state does not know had to be decided in the meantime: as a restart, when the
// instance was in back-off.
void catch_up(World& world, Instance& one, const KnownChild& child);
// It was stopped to make place for what came after it, which is not on record: its end is no failure, least
// of all of what replaced it.
void stop_for_successor(World& world, Instance& one, StartId id, Cause cause);
// Nobody knows it, or is to.
void give_up(World& world, StartId id);

class Assignment {
 public:
  Assignment(World& world, Handover& handover, Slot& slot, const VersionFor& version_for,
             std::vector<std::string>& problems);

  [[nodiscard]] Children take(const std::vector<KnownChild>& children) &&;

 private:
  void place(const KnownChild& child);
  // A start after the last save: the main one's next, or a replacement beside it.
  void take_in(const KnownChild& child);
  void take_next(const KnownChild& child, std::vector<KnownChild>& its);
  void take_beside(const KnownChild& child);
  void take_instead(const KnownChild& child, KnownChild& former);

  World& world_;
  Handover& handover_;
  Slot& slot_;
  const VersionFor& version_for_;
  std::vector<std::string>& problems_;
  std::map<StartId, std::uint32_t> known_;
  Children out_;
};

}  // namespace svd
