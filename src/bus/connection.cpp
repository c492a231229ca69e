// SPDX-License-Identifier: Apache-2.0
#include "bus/connection.h"

#include <sys/ioctl.h>
#include <systemd/sd-id128.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "bus/facade.h"
#include "bus/guard.h"
#include "bus/hub.h"
#include "bus/objects.h"

namespace svd::bus {
namespace {

Result<> check(int r) {
  if (r < 0) return fail_errno(-r, "cannot serve a client");
  return {};
}

// What changes nothing. Plan is not among it: it reads the env files that a text names, as we can.
bool is_reading(std::string_view interface, std::string_view member) {
  if (interface.starts_with("org.freedesktop.DBus")) return true;  // Properties: none can be set
  constexpr std::array members{"ListApps", "ListInstances", "ListUsage", "History", "ListEvents"};
  return std::ranges::find(members, member) != members.end();
}

std::string_view view_of(const char* text) { return text == nullptr ? "" : text; }

}  // namespace

Connection::Connection(Hub& hub, Client client)
    : hub_{hub},
      peer_{std::move(client.peer)},
      access_{client.access},
      local_{client.local},
      number_{client.number},
      name_{":1." + std::to_string(client.number)},
      accepted_{Loop::now().mono},
      last_heard_{accepted_} {}

Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::make(const Loop& loop, Hub& hub, Client client) {
  auto socket = std::move(client.socket);
  std::unique_ptr<Connection> made{new Connection{hub, std::move(client)}};
  SVD_CHECK(made->start(loop, std::move(socket)));
  return made;
}

Result<> Connection::start(const Loop& loop, UniqueFd socket) {
  sd_bus* bus = nullptr;
  SVD_CHECK(check(sd_bus_new(&bus)));
  bus_.reset(bus);
  SVD_CHECK(check(sd_bus_set_fd(bus, socket.get(), socket.get())));
  (void)socket.release();  // the bus owns it now
  sd_id128_t id{};
  SVD_CHECK(check(sd_id128_from_string(hub_.id().c_str(), &id)));
  SVD_CHECK(check(sd_bus_set_server(bus, 1, id)));
  SVD_CHECK(
      check(sd_bus_negotiate_fds(bus, 0)));      // no method takes a descriptor: nobody can make us hold some
  SVD_CHECK(check(sd_bus_set_trusted(bus, 1)));  // who may do what is decided here, not by sd-bus
  SVD_CHECK(check(sd_bus_set_sender(bus, ":1.0")));
  SVD_CHECK(check(sd_bus_set_close_on_exit(bus, 0)));  // that would wait for a client that does not read
  SVD_CHECK(check(sd_bus_add_filter(bus, nullptr, &Connection::on_message, this)));
  SVD_CHECK(check(sd_bus_match_signal(bus, nullptr, "org.freedesktop.DBus.Local",
                                      "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                      "Disconnected", &Connection::on_disconnected, this)));
  SVD_CHECK(check(sd_bus_set_connected_signal(bus, 1)));
  SVD_CHECK(
      check(sd_bus_match_signal(bus, nullptr, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                "org.freedesktop.DBus.Local", "Connected", &Connection::on_connected, this)));
  if (access_ != Access::none) SVD_CHECK(export_objects(*this));
  SVD_CHECK(check(sd_bus_start(bus)));
  // sd-bus hands on what it has read by a timer, which never wins against a descriptor of the same priority
  // that is always ready: who may act does not share one with others.
  const auto priority = local_ ? Priority::bus : Priority::message;
  return check(sd_bus_attach_event(bus, loop.get(), static_cast<int>(priority)));
}

Sight Connection::sight() const { return hub_.sight(audience()); }

Actor Connection::actor() const { return {peer_.uid, user_name(peer_.uid, hub_.rules())}; }

bool Connection::in_use() const {
  if (!rules_.empty()) return true;
  std::uint64_t unsent = 0;
  if (sd_bus_get_n_queued_write(bus(), &unsent) >= 0 && unsent > 0) return true;
  int unread = 0;
  return ::ioctl(sd_bus_get_fd(bus()), FIONREAD, &unread) == 0 && unread > 0;
}

bool Connection::overdrawn() {
  std::uint64_t waiting = 0;
  if (sd_bus_get_n_queued_write(bus(), &waiting) < 0) return false;
  if (waiting == 0) queued_bytes_ = 0;
  return waiting > hub_.limits().queued_messages || queued_bytes_ > hub_.limits().queued_bytes;
}

int Connection::on_message(sd_bus_message* message, void* self, sd_bus_error* error) noexcept {
  try {
    return static_cast<Connection*>(self)->route(message);
  } catch (const std::exception& exception) {
    return set_internal_error(error, exception.what());
  }
}

// 0: on to the objects; 1: done with it.
int Connection::route(sd_bus_message* message) {
  if (doomed_) return 1;
  last_heard_ = Loop::now().mono;
  hub_.received();
  if (sd_bus_message_is_method_call(message, nullptr, nullptr) <= 0) return 0;
  if (access_ == Access::none) return refuse(message);
  if (overdrawn()) {
    hub_.drop(*this, "asks for more than it reads");
    return 1;
  }
  charge(512);  // the least a reply takes; long ones are counted where they are written
  if (access_ == Access::reader && !is_reading(view_of(sd_bus_message_get_interface(message)),
                                               view_of(sd_bus_message_get_member(message))))
    return refuse_change(message);
  const char* destination = sd_bus_message_get_destination(message);
  const auto to = view_of(destination);
  if (to == "org.freedesktop.DBus") return answer_as_bus(*this, message);
  if (to.empty() || to == "org.svd1" || to == ":1.0") return 0;
  sd_bus_reply_method_errorf(message, SD_BUS_ERROR_SERVICE_UNKNOWN, "no '%s' here: this is svd's own socket",
                             destination);
  return 1;
}

int Connection::refuse(sd_bus_message* message) {
  sd_bus_reply_method_errorf(message, SD_BUS_ERROR_ACCESS_DENIED,
                             "cannot use this daemon as uid %u: want root, its own user, or the group '%s'",
                             peer_.uid, hub_.rules().group.c_str());
  hub_.drop(*this, "");
  return 1;
}

int Connection::refuse_change(sd_bus_message* message) {
  sd_bus_reply_method_errorf(message, SD_BUS_ERROR_ACCESS_DENIED,
                             "cannot call %s as uid %u: want root or the group '%s'",
                             sd_bus_message_get_member(message), peer_.uid, hub_.rules().group.c_str());
  return 1;
}

void Connection::read_on() {
  if (!std::exchange(has_unread_, false)) return;
  int r = 1;
  while (!doomed_ && r > 0) r = sd_bus_process(bus(), nullptr);
  if (r < 0) hub_.drop(*this, "");
}

int Connection::on_connected(sd_bus_message*, void* self, sd_bus_error*) noexcept {
  auto& connection = *static_cast<Connection*>(self);
  connection.has_unread_ = true;
  connection.hub_.authenticated();
  return 0;
}

int Connection::on_disconnected(sd_bus_message*, void* self, sd_bus_error*) noexcept {
  auto& connection = *static_cast<Connection*>(self);
  try {
    connection.hub_.drop(connection, "");
  } catch (const std::exception&) {
    connection.doom();  // closed with the next turn that ends
  }
  return 0;
}

}  // namespace svd::bus
