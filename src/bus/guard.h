// SPDX-License-Identifier: Apache-2.0
// The C border of the method handlers: a Result becomes a reply or a D-Bus error, and nothing is thrown into
// sd-bus.
#pragma once

#include <systemd/sd-bus.h>

#include <exception>
#include <string>
#include <type_traits>

#include "base/result.h"
#include "bus/connection.h"
#include "bus/hub.h"
#include "bus/wire.h"

namespace svd::bus {

// Which D-Bus error an invalid_argument of the engine is: for Apply and Plan it is the file that is wrong.
enum class Invalid { arguments, file };

int set_error(sd_bus_error* into, const Error& error, Invalid invalid);
int set_internal_error(sd_bus_error* into, const char* what) noexcept;

// One method call being answered.
struct Call {
  Connection& connection;
  sd_bus_message* message;

  [[nodiscard]] Commands& control() const { return connection.hub().control(); }
  [[nodiscard]] Sight sight() const { return connection.sight(); }
  [[nodiscard]] Actor actor() const { return connection.actor(); }

  // Sends the reply that `fill(Writer&)` writes.
  template <class Fill>
  Result<> reply(Fill&& fill) {
    sd_bus_message* raw = nullptr;
    if (const int r = sd_bus_message_new_method_return(message, &raw); r < 0)
      return fail_errno(-r, "cannot compose a reply");
    const MessagePtr answer{raw};
    Writer out{raw};
    fill(out);
    return send(raw, out);
  }
  Result<> reply() {
    return reply([](Writer&) {});
  }
  // The object path of the change that was begun, and that the engine has something to do.
  Result<> reply(const Begun& begun);
  void changed() { connection.hub().host().after_request(); }

 private:
  Result<> send(sd_bus_message* answer, const Writer& out);
};

template <class Body>
int guarded(sd_bus_error* error, Invalid invalid, Body&& body) noexcept {
  try {
    const Result<> done = body();
    if (done) return 1;
    return set_error(error, done.error(), invalid);
  } catch (const std::exception& exception) {
    return set_internal_error(error, exception.what());
  }
}

// What a find callback hands to the getters and methods of one object, for the length of one call.
template <class View>
struct Found {
  Connection* connection = nullptr;
  View view;
};

// A method of /org/svd1: Result<> Function(Call&).
template <auto Function, Invalid invalid = Invalid::arguments>
int on_call(sd_bus_message* message, void* userdata, sd_bus_error* error) noexcept {
  return guarded(error, invalid, [&] {
    Call call{*static_cast<Connection*>(userdata), message};
    return Function(call);
  });
}

// A method of an object below it: Result<> Function(Call&, const View&).
template <class View, auto Function>
int on_object_call(sd_bus_message* message, void* userdata, sd_bus_error* error) noexcept {
  return guarded(error, Invalid::arguments, [&] {
    auto& found = *static_cast<Found<View>*>(userdata);
    Call call{*found.connection, message};
    return Function(call, found.view);
  });
}

// A property of an object: void Write(Writer&, const View&), or with a const Sight& to look further.
template <class View, auto Write>
int read_property(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* userdata,
                  sd_bus_error* error) noexcept {
  try {
    auto& found = *static_cast<Found<View>*>(userdata);
    Writer out{reply};
    if constexpr (std::is_invocable_v<decltype(Write), Writer&, const View&, const Sight&>) {
      Write(out, found.view, found.connection->sight());
    } else {
      Write(out, found.view);
    }
    found.connection->charge(out.bytes());
    return out.error();
  } catch (const std::exception& exception) {
    return set_internal_error(error, exception.what());
  }
}

}  // namespace svd::bus
