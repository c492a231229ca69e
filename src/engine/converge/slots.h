// SPDX-License-Identifier: Apache-2.0
// The desired state of one app, slot by slot: as many as it is to have, each with the version that it is to
// have. What runs follows with the reconcile.
#pragma once

#include <cstdint>
#include <string>

#include "engine/changes/changes.h"
#include "engine/converge/handover.h"
#include "engine/converge/sockets.h"
#include "engine/ports.h"

namespace svd {

class Slots {
 public:
  Slots(World& world, Changes& changes, SocketOwner& sockets, Handover& handover, LogPort& logs)
      : world_{world}, changes_{changes}, sockets_{sockets}, handover_{handover}, logs_{logs} {}

  Slot& make(App& app, std::uint32_t index, Cause cause, const std::string* by);
  // Makes what is missing, and touches what is too much.
  void fit(App& app, Cause cause, const std::string* by);
  // Wanted, and again.
  void resume(Slot& slot, Cause cause, const std::string* by);
  void set_version(App& app, VersionPtr version);
  // The app is removed: it goes when nothing is left of it.
  void remove(App& app, const std::string* by);
  // Slots that are too much, and have come to their end. The app may be gone afterwards.
  void drop_ended(App& app);

 private:
  void readmit(Slot& slot);
  void set_version(Slot& slot, bool logs);
  void forget(Slot& slot);
  bool drop_surplus(App& app);

  World& world_;
  Changes& changes_;
  SocketOwner& sockets_;
  Handover& handover_;
  LogPort& logs_;
};

}  // namespace svd
