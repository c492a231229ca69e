// SPDX-License-Identifier: Apache-2.0
// What is to be looked at again, by name and number: nothing here points into the world, and what has gone
// meanwhile is not found there. Whatever happens to one slot costs the same however many slots there are,
// because only what is on these lists is planned, evaluated and told.
#pragma once

#include <cstdint>
#include <set>

#include "engine/agenda/queue.h"
#include "engine/agenda/save_due.h"
#include "engine/agenda/timers.h"
#include "model/names.h"

namespace svd {

// One of those that ever filled a slot.
struct InstanceId {
  SlotId slot;
  std::uint32_t nth = 0;
  auto operator<=>(const InstanceId&) const = default;
};

struct Agenda {
  Queue<InstanceId> instances;  // plan these
  Queue<InstanceId> ended;      // forget these: they were retired, and nothing is left of them
  Queue<AppId> apps;            // look at their rollouts, and at what they may release
  Queue<ChangeId> changes;      // they may have finished
  Queue<AppId> serving;         // tell who is ready
  std::set<AppId> held;         // these are to end, after others
  std::set<AppId> limits;       // what runs of these is to be told its limits

  Queue<SlotId> changed_slots;  // tell clients
  Queue<AppId> changed_apps;

  Timers<InstanceId> deadlines;
  Timers<AppId> rollouts;
  Timers<AppId> bindings;  // ask for their sockets again

  SaveDue save;
  bool may_have_ended = false;  // some app, since it was looked at
};

}  // namespace svd
