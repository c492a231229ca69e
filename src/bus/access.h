// SPDX-License-Identifier: Apache-2.0
// Who is at the other end of a socket, and what that one may do. Read once, when the connection is accepted:
// the kernel's word at connect(2), not the client's. No NSS: a daemon that starts the name service must not
// wait for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace svd::bus {

enum class Access : std::uint8_t {
  none,    // nothing
  reader,  // on the system bus only: what changes nothing
  member,  // everything but Shutdown and Reexecute
  full,
};

struct Peer {
  std::int64_t pid = 0;  // 0: not visible from here (another pid namespace)
  std::uint32_t uid = 0;
  std::vector<std::uint32_t> groups;  // the primary one first
};

// SO_PEERCRED and SO_PEERGROUPS (unix(7)) of a connected unix socket.
[[nodiscard]] Result<Peer> peer_of(int socket);

struct AccessRules {
  std::uint32_t own_uid = 0;
  std::string group = "svd";
  std::string group_file = "/etc/group";
  std::string user_file = "/etc/passwd";
};

// The group counts when the process holds it, or when the group file lists the user: whoever was just added
// need not log in again.
[[nodiscard]] Access access_of(const Peer& peer, const AccessRules& rules);

// "root", or the number where the user file does not know it.
[[nodiscard]] std::string user_name(std::uint32_t uid, const AccessRules& rules);
// The gid of the group in the group file; error no_such_process.
[[nodiscard]] Result<std::uint32_t> group_id(const AccessRules& rules);

}  // namespace svd::bus
