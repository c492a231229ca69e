// SPDX-License-Identifier: Apache-2.0
// org.svd1 on the system's message bus: the same objects as on the private socket.
//
// The bus is only a courier here. Each of its clients gets a Connection of its own, over a socket pair (a
// Session), with the credentials that the bus reports, so that access, bounds and objects are those of any
// other client and nothing is served in a second way. Signals are passed on while there is a session: a
// program that wants them calls a method first (as with systemd's Subscribe), and nobody pays for a bus on
// which nobody asks.
//
// Nothing waits for the bus, which may itself be something that we supervise: connecting, asking for the name
// and asking who somebody is are asynchronous. When the bus goes away it is looked for again, with growing
// pauses; a host that never had one is not polled.
#pragma once

#include <systemd/sd-bus.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "bus/access.h"
#include "bus/wire.h"
#include "loop/loop.h"

namespace svd::bus {

class Hub;

class SystemBus {
 public:
  static constexpr std::size_t max_sessions = 128;
  static constexpr std::size_t max_reader_sessions = 64;  // of strangers, so that they cannot lock others out
  static constexpr std::size_t max_user_sessions = 32;    // of these, of one user
  static constexpr std::size_t max_waiting = 16;          // calls of one client that are not served yet

  // `address` as in DBUS_SYSTEM_BUS_ADDRESS.
  SystemBus(const Loop& loop, Hub& hub, std::string address);
  ~SystemBus();
  SystemBus(const SystemBus&) = delete;
  SystemBus& operator=(const SystemBus&) = delete;

  // Begins to connect. Error: not even that can be done.
  Result<> start();
  // Why org.svd1 is not to be found on the system bus; empty: it is, or may be any moment.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  struct CloseBus {
    void operator()(sd_bus* bus) const noexcept { sd_bus_close_unref(bus); }
  };
  struct SlotUnref {
    void operator()(sd_bus_slot* slot) const noexcept { sd_bus_slot_unref(slot); }
  };
  using BusPtr = std::unique_ptr<sd_bus, CloseBus>;
  using SlotPtr = std::unique_ptr<sd_bus_slot, SlotUnref>;

  // One client of the message bus, by its unique name.
  struct Session {
    SystemBus* owner = nullptr;
    std::string name;
    SlotPtr credentials;  // asked for
    SlotPtr farewell;     // tells that the client has left the bus
    BusPtr client;        // our end of the socket pair; null until it is known who it is
    bool reader = false;
    std::uint32_t uid = 0;
    bool doomed = false;
    std::vector<MessagePtr> waiting;
  };
  // A call that was handed to a session's connection.
  struct Forwarded {
    SystemBus* owner;
    MessagePtr call;
  };

  Result<> connect();
  void lost(const std::string& why);
  int take(sd_bus_message* message);
  int refuse(sd_bus_message* message, const char* why);
  Session* open(const std::string& name);
  void identified(Session& session, sd_bus_message* reply);
  Result<> attach(Session& session, Peer peer);
  Result<BusPtr> pair_with_connection(Peer peer, Access access, bool hears_signals);
  bool forward(Session& session, sd_bus_message* message);
  void wait_in_line(Session& session, sd_bus_message* message);
  void serve_readers();
  [[nodiscard]] Session* next_reader();
  void reader_served();
  void pass_back(sd_bus_message* call, sd_bus_message* reply);
  void broadcast(sd_bus_message* signal);
  void doom(Session& session);
  void sweep();
  void note(std::string why);

  static int on_message(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
  static int on_name(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
  static int on_disconnected(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
  static int on_credentials(sd_bus_message* message, void* session, sd_bus_error* error) noexcept;
  static int on_farewell(sd_bus_message* message, void* session, sd_bus_error* error) noexcept;
  static int on_session_closed(sd_bus_message* message, void* session, sd_bus_error* error) noexcept;
  static int on_reply(sd_bus_message* message, void* forwarded, sd_bus_error* error) noexcept;
  static int on_signal(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;

  const Loop& loop_;
  Hub& hub_;
  std::string address_;
  std::string problem_;
  BusPtr bus_;
  BusPtr listener_;  // the connection that hears all signals; null while there is no session
  std::map<std::string, std::unique_ptr<Session>> sessions_;
  Timer retry_;
  Idle sweep_;
  // Strangers' calls are served one after the other, each client in its turn, and after each of them there is
  // as long a rest: at most half of our time is theirs.
  std::string reading_;  // whose call is being served; empty: nobody's
  std::string last_read_;
  TimePoint reading_since_{};
  bool readers_rest_ = false;
  Timer reader_rest_;
  Millis pause_{0};
  bool is_lost_ = false;
};

}  // namespace svd::bus
