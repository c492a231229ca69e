// SPDX-License-Identifier: Apache-2.0
// The engine's end of the keeper's socket: framing, queueing, and a new keeper when the old one died. It
// knows the protocol and no policy; LinuxProcesses decides.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "keeper/protocol.h"
#include "kernel/keeper_messages.h"
#include "loop/loop.h"

namespace svd {

class KeeperClient {
 public:
  using Child = KeeperChild;
  struct Listing {
    std::vector<Child> children;
    std::vector<NamedDescriptor> held;
  };
  struct Handlers {
    std::function<void(std::span<const keeper::Report>)> reports;
    std::function<void(std::uint32_t missing)> notice;
    std::function<void(bool force)> shutdown;
    std::function<void()> hangup;
    std::function<void(std::uint32_t count)> notified{};  // notes for the service manager are done with
    std::function<void()> settled;                        // after all that was there has been handed out
    std::function<void()> lost;                           // the keeper is gone
  };

  KeeperClient(const Loop& loop, Handlers handlers) : loop_{loop}, handlers_{std::move(handlers)} {}

  // Greets the keeper at `socket` and asks for all it knows. Waits at most 10 s; nothing else is waited for
  // ever after. What comes before the listing (a shutdown) is handed out with the first turn of the loop.
  Result<Listing> greet(UniqueFd socket);
  // Starts `program` as a new keeper that adopts this process, with `arguments` for the engines after us, and
  // greets it.
  Result<> replace_keeper(const std::string& program, const std::vector<std::string>& arguments);

  // One message; sent now if the socket has room, else when it has. Its descriptors are duplicated into the
  // queue only then.
  void send(keeper::Type type, std::uint32_t count, std::string_view records, std::span<const int> fds = {});
  // Waits until all of the queue is sent, at most a second: before the end of this process.
  void drain();

  [[nodiscard]] const keeper::Hello& hello() const noexcept { return hello_; }
  [[nodiscard]] bool connected() const noexcept { return static_cast<bool>(socket_); }

 private:
  struct Outgoing {
    std::string bytes;
    std::vector<UniqueFd> fds;
  };
  struct Incoming {
    keeper::Header header{};
    std::string body;  // without the header
    std::vector<UniqueFd> fds;
  };
  enum class Received { message, nothing, lost };

  Received receive(Incoming& out);
  Result<Incoming> await(keeper::Type type, TimePoint deadline);
  Result<Listing> list();
  void send_patiently(std::string_view bytes, std::span<const int> fds);
  bool send_now(std::string_view bytes, std::span<const int> fds);
  Result<> watch_process();
  void on_ready(std::uint32_t revents);
  void hung_up();
  void hand_out(const Incoming& message);
  void send_queued();

  const Loop& loop_;
  Handlers handlers_;
  UniqueFd socket_;
  IoWatch watch_;
  UniqueFd process_;  // a child that is being born may hold the socket open beyond the keeper's death
  IoWatch end_;
  Idle early_;                   // hands out what came before the listing
  std::deque<Incoming> before_;  // that
  std::deque<Outgoing> queue_;
  keeper::Hello hello_{};
};

}  // namespace svd
