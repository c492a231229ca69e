// SPDX-License-Identifier: Apache-2.0
// Changes: what was begun, how far it is, how it ended.
//
// A change owns the apps it touches, one Part each, and of them the slots it has something to do with. A slot
// is pending until it is where it is wanted (running its present generation, or without a process), or
// failed: its start was refused, or its process ended before the change did. A failed slot stays failed, even
// if the restart policy brings it up later. A part is settled when no slot of it is pending; a change ends
// when all its parts are settled, so that its error names every slot. A newer change of the same app takes
// the part away: that part is superseded, and a change all of whose parts are, is too. Each pending slot
// ends: a start is answered, a stop is forced after its timeout, and a broken rollout lets go of the slots it
// has not reached. While an app goes back to its former version, its part goes on.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/changes/change.h"
#include "engine/changes/revisions.h"
#include "engine/control.h"

namespace svd {

class Changes {
 public:
  Changes(World& world, Revisions& revisions) : world_{world}, revisions_{revisions} {}

  Change& begin(Kind kind, std::string target, const Actor& who);
  // The same, under the number that a former engine gave it.
  Change& resume(ChangeId id, Kind kind);
  void begin_part(Change& change, App& app);

  // nullptr: no running change has the app.
  [[nodiscard]] Part* part_of(const App& app);
  [[nodiscard]] Change* change_of(const App& app);

  // From now on the slot is something to the change of its app, again if it was.
  void track(Slot& slot);
  void fail(Slot& slot, const std::string& why);
  // It is no more, and what it was to become does not matter.
  void settle(Slot& slot) { settle(slot, Track::done); }
  // Whether it is where it is wanted, and has proved itself where it has to.
  void evaluate(Slot& slot);
  void close_if_settled(const App& app);
  // Ends what is settled.
  void finish_settled();

  [[nodiscard]] const std::map<ChangeId, Change>& all() const { return all_; }
  [[nodiscard]] std::optional<ChangeView> view(ChangeId id) const;
  [[nodiscard]] std::uint64_t next() const { return next_; }
  void continue_at(std::uint64_t next) { next_ = next; }

 private:
  void supersede(App& app);
  void settle(Slot& slot, Track how);
  void evaluate_held(Slot& slot);
  void finish(Change& change);
  bool finish_part(const Change& change, const AppId& id, Part& part);

  World& world_;
  Revisions& revisions_;
  std::map<ChangeId, Change> all_;
  std::deque<ChangeId> finished_;
  std::uint64_t next_ = 1;
};

}  // namespace svd
