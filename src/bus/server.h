// SPDX-License-Identifier: Apache-2.0
// The D-Bus surface (schemas/org.svd1.xml) on a private socket, with no message bus anywhere: each connection
// is an sd-bus server that also answers the few org.freedesktop.DBus calls every client library makes, so
// busctl and sdbus-c++ work.
//
// One client cannot hurt another, nor the engine: a connection has bounded rules and a bounded output queue,
// garbage costs only its sender the connection, and a signal that nobody asked for is never composed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "bus/access.h"
#include "engine/control.h"
#include "engine/ports.h"
#include "loop/loop.h"

namespace svd::bus {

// What Manager's properties say about the daemon itself.
struct DaemonInfo {
  std::string version;
  std::uint64_t keeper_pid = 0, engine_pid = 0;
  WallTime started, engine_started;
  std::uint64_t engine_starts = 0;
  std::vector<std::string> degraded;
  std::string address, state_directory, log_directory;
  std::string unsaved{};  // why the newest state is not on the disk; empty: it is
};

// The daemon, as the bus sees it.
class Host {
 public:
  virtual ~Host() = default;
  [[nodiscard]] virtual DaemonInfo info() const = 0;
  // Before each message is handled: gives the engine the time, and carries out a reconcile that is owed for
  // too long (a client that never pauses would otherwise keep the loop from ever being idle).
  virtual void before_request() = 0;
  // Something was asked of the engine: reconcile soon.
  virtual void after_request() = 0;
  virtual void reexecute() = 0;
  [[nodiscard]] virtual std::uint32_t cpus() const = 0;  // what `instances: max` means
  virtual void log(std::string_view line) = 0;
};

struct Limits {
  std::size_t connections = 256;
  std::size_t member_connections = 128;  // of users without full access, so that they cannot lock root out
  std::size_t refused_connections =
      16;  // strangers that are being told so; further ones are closed without a word
  std::size_t queued_messages = 1024;    // output a client has not read: more, and it is disconnected
  std::size_t queued_bytes = 16U << 20;  // the same, by size; a single reply may exceed it
  Millis authentication{5000};           // from accept to the end of the D-Bus handshake
};

class Hub;

// Observer calls may come at any time; what they say is sent once per turn of the loop.
class BusServer final : public Observer {
 public:
  BusServer(const Loop& loop, Host& host, AccessRules rules, Limits limits = {});
  ~BusServer() override;

  // Serves the listening socket (borrowed; nonblocking). Once.
  Result<> serve(int listening, Control& control);
  // Puts org.svd1 on a message bus as well (bus/system_bus.h); after serve(). Never waits for it. Error:
  // there is no bus at `address`.
  Result<> join(const std::string& address);
  // Why org.svd1 is not to be found there; empty: it is, or nobody asked for that.
  [[nodiscard]] std::string bus_problem() const;
  // Sends what is pending, as far as it can be sent without waiting, and closes all connections.
  void shut();

  void instance_changed(const SlotId& id) override;
  void instance_removed(const SlotId& id) override;
  void app_changed(const AppId& id) override;
  void app_removed(const AppId& id) override;
  void change_started(ChangeId id) override;
  void change_changed(ChangeId id) override;
  void change_finished(ChangeId id) override;
  void event(const EventRecord& record) override;

  // What a program said on its channel to nobody in particular: JSON.
  void message(const SlotId& from, const std::string& text);

 private:
  std::unique_ptr<Hub> hub_;
};

}  // namespace svd::bus
