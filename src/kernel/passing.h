// SPDX-License-Identifier: Apache-2.0
// What a process gets besides standard output and error: its listeners as descriptors 3, 4, …, then the
// child's end of its channel. LinuxProcesses asks for them at each start, in this order, and sees to the rest
// (numbers, LISTEN_PID, close-on-exec).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/given.h"
#include "model/launch.h"

namespace svd {

// Where descriptors live that outlive the engine: the keeper, behind LinuxProcesses.
class Holder {
 public:
  virtual ~Holder() = default;
  // The keeper keeps a duplicate of `fd` (borrowed) under `name` (1 to 255 bytes) until release(), over any
  // number of engines. A name that is in use is replaced.
  virtual Result<> hold(const std::string& name, int fd) = 0;
  // What is held under `name`, borrowed: valid until release() or another hold() of that name. -1: nothing
  // is.
  [[nodiscard]] virtual int borrow(const std::string& name) const = 0;
  [[nodiscard]] virtual std::vector<std::string> held_names() const = 0;
  virtual void release(const std::string& name) = 0;
};

// Implemented by the listeners' adapter.
class ListenerSource {
 public:
  virtual ~ListenerSource() = default;
  // The names under which the keeper holds the sockets of `plan.listen`, in its order. Error: the start fails
  // at stage sockets.
  virtual Result<std::vector<std::string>> held_for(const LaunchPlan& plan) = 0;
};

// Implemented by the listeners' adapter: what is lent over a channel instead of at birth.
class SharedSockets {
 public:
  virtual ~SharedSockets() = default;
  // The socket that this start has, borrowed until retain(); -1: it is not bound.
  [[nodiscard]] virtual int socket(const AppId& app, const Listener& listener, std::uint32_t slot,
                                   StartId id) const = 0;
  // A program has called listen(2) on what it was lent, with a backlog of its own, or somebody has to.
  virtual void relisten(const AppId& app, const Listener& listener, std::uint32_t slot, StartId id) = 0;
};

// Implemented by the channels' adapter.
class ChannelSource {
 public:
  virtual ~ChannelSource() = default;
  // Called once for each start, whatever its channel. What the program has to find in its environment
  // (NOTIFY_SOCKET, NODE_OPTIONS) is added to `plan.envp`. The child's end of a new channel, not blocking, or
  // an empty UniqueFd when `plan.channel` is none; it is closed here as soon as it is on its way. Error: the
  // start fails at stage sockets.
  // `given`: what the start is; all that is ever done on its behalf is judged by it.
  virtual Result<UniqueFd> open(LaunchPlan& plan, const Given& given) = 0;
};

}  // namespace svd
