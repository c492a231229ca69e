// SPDX-License-Identifier: Apache-2.0
// All owners of an engine, each made of those below it.
#pragma once

#include "engine/converge/launcher.h"
#include "engine/converge/rollouts.h"
#include "engine/converge/shutdown.h"
#include "engine/converge/supervisor.h"
#include "engine/frontend.h"
#include "engine/reconcile.h"
#include "engine/requests/actions.h"
#include "engine/requests/apply.h"
#include "engine/requests/steering.h"
#include "engine/saving/saver.h"
#include "engine/takeover/takeover.h"
#include "engine/views/views.h"

namespace svd {

struct Convergence {
  Convergence(World& world, Changes& changes, const Ports& ports)
      : sockets{world, ports.listeners},
        handover{world},
        slots{world, changes, sockets, handover, ports.logs},
        reverts{world, changes, sockets, handover, slots},
        rollouts{world, changes, handover, reverts},
        supervisor{world, changes, handover, ports.listeners},
        launcher{world, sockets, ports},
        shutdown{world, changes} {}

  SocketOwner sockets;
  Handover handover;
  Slots slots;
  Reverts reverts;
  Rollouts rollouts;
  Supervisor supervisor;
  Launcher launcher;
  Shutdown shutdown;
};

struct Frontend::Owners {
  Owners(Ports p, std::uint64_t seed) : ports{std::move(p)}, world{seed} {}
  Owners(const Owners&) = delete;
  Owners& operator=(const Owners&) = delete;

  Ports ports;
  World world;
  Revisions revisions{world, ports.state, ports.decode};
  Changes changes{world, revisions};
  Convergence converge{world, changes, ports};
  Saver saver{world, changes, revisions, ports};
  Applying applying{world, changes, revisions, converge.slots, converge.sockets, ports};
  Actions actions{world,         changes, revisions, converge.slots, converge.sockets, converge.handover,
                  ports.channels};
  Steering steering{world, changes, converge.reverts};
  ViewBuilder views{world, revisions, ports};
  Reconciler reconciler{world,
                        {changes, converge.sockets, converge.slots, converge.rollouts, converge.supervisor,
                         converge.launcher, converge.shutdown, saver},
                        ports};
};

}  // namespace svd
