// SPDX-License-Identifier: Apache-2.0
// The names under which the keeper holds listeners' sockets. They say all that the next engine must know of a
// socket that it did not bind. Pure.
//
//   listener:ECOSYSTEM:APP:LISTENER:IDENTITY:INDEX:MARK
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/app_spec.h"
#include "model/names.h"

namespace svd {

// Of what bind(2) takes: a listener whose identity is another one needs another socket. How connections are
// balanced is no part of it; see Listeners.
[[nodiscard]] std::uint64_t listener_identity(const Listener& listener);

struct HeldListener {
  AppId app;
  Name listener;
  std::uint64_t identity = 0;
  std::uint32_t index = 0;  // among the sockets of one address
  std::uint64_t mark = 0;   // unix: its file (file_mark()); else: see BoundListener::since
  bool operator==(const HeldListener&) const = default;
};
[[nodiscard]] bool is_listener_name(std::string_view held_name);
[[nodiscard]] std::string to_held_name(const HeldListener& socket);
// nullopt: not made by to_held_name().
[[nodiscard]] std::optional<HeldListener> parse_held_name(std::string_view held_name);

}  // namespace svd
