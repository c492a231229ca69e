// SPDX-License-Identifier: Apache-2.0
// All connections of a BusServer: accepting, bounding and closing them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/connection.h"
#include "bus/server.h"
#include "bus/sight.h"
#include "bus/signals.h"
#include "bus/system_bus.h"
#include "loop/loop.h"

namespace svd::bus {

class Hub {
 public:
  Hub(const Loop& loop, Host& host, AccessRules rules, Limits limits);

  Result<> serve(int listening, Control& control);
  void shut();

  [[nodiscard]] Commands& control() const noexcept { return *control_; }
  // The engine, as this audience may see it. There is no other way to look at it.
  [[nodiscard]] Sight sight(Audience audience) const { return {*control_, audience, key_}; }
  [[nodiscard]] Host& host() const noexcept { return host_; }
  [[nodiscard]] const AccessRules& rules() const noexcept { return rules_; }
  [[nodiscard]] const Limits& limits() const noexcept { return limits_; }
  [[nodiscard]] const std::string& id() const noexcept { return id_; }  // 32 hexadecimal digits, for GetId
  [[nodiscard]] SignalQueue& signals() noexcept { return signals_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Connection>>& connections() const noexcept {
    return connections_;
  }

  // Serves the far end of a socket pair like a client that was accepted, under credentials that somebody else
  // vouches for. `hears_signals`: it gets all of them without asking.
  Result<> adopt(UniqueFd socket, Peer peer, Access access, bool hears_signals);
  // Puts org.svd1 on a message bus as well; after serve(). Error: there is none.
  Result<> join(const std::string& address);
  [[nodiscard]] std::string bus_problem() const { return system_bus_ ? system_bus_->problem() : ""; }

  // A connection got a message; called before anything is done with it.
  void received();
  // A connection has finished its handshake.
  void authenticated() noexcept { handshakes_.request(); }
  // Something is to be done at the end of this turn: signals to send, a connection to close.
  void request_turn_end();
  // Gives a connection up and says why.
  void drop(Connection& connection, const std::string& why);
  // A connection's rules changed: which signals are of interest to anybody is worked out anew.
  void interest_changed();

 private:
  void accept_all();
  void accept_one(UniqueFd socket);
  // Those who count against the limit that a newcomer of this access meets; empty: it meets none.
  [[nodiscard]] std::vector<Connection*> crowd(Access access) const;
  // Closes one connection of whoever has the most, for the newcomer's sake. False: there is none to spare.
  bool make_room(const std::vector<Connection*>& crowd);
  void pause_accepting(int err);
  void end_turn();
  void sweep();
  void finish_handshakes();
  void check_authentication();
  void report_refusal(const std::string& why);

  const Loop& loop_;
  Host& host_;
  AccessRules rules_;
  Limits limits_;
  std::string id_;
  SipKey key_;  // of the generations that are shown
  Control* control_ = nullptr;
  int listening_ = -1;
  std::uint64_t last_number_ = 0;
  TimePoint turn_end_owed_{};  // since when the end of a turn is owed; zero: it is not
  TimePoint last_refusal_line_{};
  std::uint64_t silent_refusals_ = 0;
  IoWatch watch_;
  Timer authentication_;
  Timer pause_;
  Idle turn_end_;
  Idle handshakes_;
  std::vector<std::unique_ptr<Connection>> connections_;
  SignalQueue signals_;
  std::unique_ptr<SystemBus> system_bus_;
};

}  // namespace svd::bus
