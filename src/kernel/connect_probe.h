// SPDX-License-Identifier: Apache-2.0
// Asks a TCP address until somebody accepts: soon at first, then less and less often. Nothing is sent;
// whoever listens sees a connection that is closed again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/unique_fd.h"
#include "loop/loop.h"

namespace svd {

class ConnectProbe {
 public:
  // `accepted` is called once, from the loop; it may destroy this probe.
  Result<> start(const Loop& loop, const std::string& address, std::uint16_t port,
                 std::function<void()> accepted);

 private:
  void ask();
  void answered();
  void ask_later();

  const Loop* loop_ = nullptr;
  std::string address_;
  std::uint16_t port_ = 0;
  std::function<void()> accepted_;
  UniqueFd socket_;
  IoWatch watch_;
  Timer timer_;  // the next attempt, and the end of patience with this one
  Millis pause_{0};
};

}  // namespace svd
