// SPDX-License-Identifier: Apache-2.0
// One client: its sd-bus server, who it is, what it asked to hear.
#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "bus/access.h"
#include "bus/match.h"
#include "bus/sight.h"
#include "engine/control.h"
#include "loop/loop.h"

namespace svd::bus {

class Hub;

class Connection {
 public:
  struct Client {
    UniqueFd socket;
    Peer peer;
    Access access = Access::none;
    std::uint64_t number = 0;  // its unique name is ":1.<number>"
    bool local = true;         // it connected to our own socket; false: the system bus brings it
  };
  // Starts the handshake and exports all objects.
  static Result<std::unique_ptr<Connection>> make(const Loop& loop, Hub& hub, Client client);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] sd_bus* bus() const noexcept { return bus_.get(); }
  [[nodiscard]] Hub& hub() const noexcept { return hub_; }
  [[nodiscard]] const Peer& peer() const noexcept { return peer_; }
  [[nodiscard]] Access access() const noexcept { return access_; }
  [[nodiscard]] Audience audience() const { return audience_of(access_); }
  // What there is for this client to see.
  [[nodiscard]] Sight sight() const;
  [[nodiscard]] bool local() const noexcept { return local_; }
  [[nodiscard]] const std::string& unique_name() const noexcept { return name_; }
  [[nodiscard]] Actor actor() const;
  [[nodiscard]] MatchSet& rules() noexcept { return rules_; }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] TimePoint accepted() const noexcept { return accepted_; }
  [[nodiscard]] TimePoint last_heard() const noexcept { return last_heard_; }
  // It listens to signals, has said what is not read yet, or has not read what it was told.
  [[nodiscard]] bool in_use() const;
  [[nodiscard]] bool authenticated() const { return sd_bus_is_ready(bus_.get()) > 0; }
  bool said_hello = false;

  // Handles what the client sent along with the end of its handshake. sd-bus keeps that in its buffer and
  // would look at it only when more comes (libsystemd 252): a client that then waits for an answer would wait
  // for ever.
  void read_on();

  // Adds to the account of output that the client may not have read yet.
  void charge(std::size_t bytes) noexcept { queued_bytes_ += bytes; }
  // More output is waiting than Limits allow.
  [[nodiscard]] bool overdrawn();

  // From now on nothing is read from or sent to it; the hub closes it at the end of this turn.
  void doom() noexcept { doomed_ = true; }
  [[nodiscard]] bool doomed() const noexcept { return doomed_; }

 private:
  struct CloseBus {
    void operator()(sd_bus* bus) const noexcept { sd_bus_close_unref(bus); }
  };
  Connection(Hub& hub, Client client);
  Result<> start(const Loop& loop, UniqueFd socket);
  static int on_message(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
  static int on_disconnected(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
  static int on_connected(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
  int route(sd_bus_message* message);
  int refuse(sd_bus_message* message);
  int refuse_change(sd_bus_message* message);

  Hub& hub_;
  Peer peer_;
  Access access_;
  bool local_;
  std::uint64_t number_;
  std::string name_;
  MatchSet rules_;
  TimePoint accepted_;
  TimePoint last_heard_;  // of a whole message; at first: accepted
  std::size_t queued_bytes_ = 0;
  bool has_unread_ = false;
  bool doomed_ = false;
  std::unique_ptr<sd_bus, CloseBus> bus_;
};

}  // namespace svd::bus
