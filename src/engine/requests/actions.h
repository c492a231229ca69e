// SPDX-License-Identifier: Apache-2.0
// What people ask for besides a file. Each request changes what is wanted, and begins a change for what that
// touches.
#pragma once

#include <string>

#include "engine/converge/slots.h"
#include "engine/ports.h"
#include "engine/requests/tasks.h"

namespace svd {

class Actions {
 public:
  Actions(World& world, Changes& changes, Revisions& revisions, Slots& slots, SocketOwner& sockets,
          Handover& handover, ChannelPort& channels)
      : world_{world},
        changes_{changes},
        revisions_{revisions},
        slots_{slots},
        sockets_{sockets},
        handover_{handover},
        channels_{channels} {}

  Result<Begun> start(const Names& names, const Actor& who);
  Result<Begun> stop(const Names& names, const Actor& who);
  // A restart stops first, one instance after the other; a reload replaces them as a new generation would be.
  Result<Begun> renew(const Names& names, const Actor& who, Renewal how);
  Result<Begun> remove(const Names& names, const Actor& who);
  Result<Begun> scale(const std::string& app, std::uint32_t instances, const Actor& who);
  Result<std::uint32_t> signal(const Names& names, int number, KillTarget whom, const Actor& who);
  Result<std::uint32_t> send(const Names& names, const std::string& json);

 private:
  // Error: the daemon is stopping, or the names mean nothing.
  Result<std::vector<Chosen>> choose(const Names& names, const char* verb);
  Change& change_for(Change* update, Kind kind, const std::vector<Task>& tasks, const Actor& who);
  void join(Change& change, App& app);
  void stop(const Task& task, const std::string* by);
  void renew(const Task& task, Renewal how, const std::string* by);
  void set_scale(App& app, std::uint32_t instances, const std::string* by);
  Begun done(const Change& change);

  World& world_;
  Changes& changes_;
  Revisions& revisions_;
  Slots& slots_;
  SocketOwner& sockets_;
  Handover& handover_;
  ChannelPort& channels_;
};

}  // namespace svd
