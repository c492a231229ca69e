// SPDX-License-Identifier: Apache-2.0
// Who has an address that could not be bound: the kernel's tables of sockets (/proc/net) say which socket it
// is, and the processes' descriptors whose. Asked after a failure only; it looks at everything once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/app_spec.h"

namespace svd {

// One socket of /proc/net/{tcp,udp}{,6} or /proc/net/unix.
struct SocketEntry {
  std::uint64_t inode = 0;
  std::uint32_t uid = 0;
};
// The sockets that stand in the way of `listener`. The tables' text is the argument.
[[nodiscard]] std::vector<SocketEntry> find_in_inet_table(const std::string& table, const Listener& listener);
[[nodiscard]] std::vector<SocketEntry> find_in_unix_table(const std::string& table,
                                                          const std::string& address);

// "nginx (pid 123)", or "a process of user 33" where nobody's descriptors say it; empty: not even that is
// known.
[[nodiscard]] std::string address_owner(const Listener& listener);

}  // namespace svd
