// SPDX-License-Identifier: Apache-2.0
// balance: round-robin. One listener of one app: connections are accepted here, one for each worker that is
// free for one, and passed on. What nobody can take waits in the kernel's queue; what a worker did not take,
// or took with it when it died, goes to another one. Ours is closed when the worker has answered.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "base/unique_fd.h"
#include "ipc/rotation.h"
#include "loop/loop.h"

namespace svd {

class ConnectionPasser {
 public:
  // Passes `connection` (borrowed) on; the number of the message, which its answer names, or 0: it could not
  // be passed.
  using Pass = std::function<std::uint64_t(const ipc::Rotation::Turn&, int connection)>;

  // `listener`: borrowed, and duplicated for as long as this lives.
  ConnectionPasser(const Loop& loop, int listener, Pass pass);

  Result<> start();
  void enter(StartId id, const std::string& key);
  void leave(StartId id, const std::string& key);
  // Its channel is closed: what it has not answered goes to another worker.
  void gone(StartId id);
  void answered(StartId id, std::uint64_t number, bool accepted);
  // Nobody serves any more, and no connection waits for somebody who will.
  [[nodiscard]] bool empty() const { return rotation_.empty() && returned_.empty() && passed_.empty(); }

 private:
  struct Passed {
    StartId to{};
    UniqueFd connection;
  };
  void pass_all();
  UniqueFd take_connection();
  void pass(const ipc::Rotation::Turn& turn, UniqueFd connection);

  const Loop& loop_;
  UniqueFd listener_;
  Pass pass_;
  ipc::Rotation rotation_;
  std::map<std::uint64_t, Passed> passed_;  // not answered
  std::deque<UniqueFd> returned_;           // the next ones
  IoWatch watch_;                           // armed while somebody is free
  Timer timer_;                             // the end of a pause
};

}  // namespace svd
