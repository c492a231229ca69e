// SPDX-License-Identifier: Apache-2.0
// Users and groups from /etc/passwd and /etc/group, read directly: NSS may ask a network and block
// (nsswitch.conf(5)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"
#include "model/phase.h"

namespace svd {

// Who a process runs as.
struct Identity {
  std::optional<std::uint32_t> uid;  // nullopt: the daemon's own
  std::optional<std::uint32_t> gid;
  std::optional<std::vector<std::uint32_t>> groups;  // supplementary
  std::string name, home, shell;                     // of the user database; empty: not in it
};

class Users {
 public:
  // The files are arguments for tests.
  explicit Users(std::string passwd = "/etc/passwd", std::string group = "/etc/group");

  // `user`, `group`, `groups`: names or numbers, empty for none. A number need not be in the database, but
  // then a group must be given. A user brings its primary group unless `group` says otherwise, and its
  // supplementary groups besides `groups`. Failure: stage user, group or groups with the name and ENOENT;
  // ENODATA for a number that needs a group; or why the database could not be read.
  [[nodiscard]] tl::expected<Identity, StartFailure> resolve(const std::string& user,
                                                             const std::string& group,
                                                             const std::vector<std::string>& groups) const;

 private:
  std::string passwd_, group_;
};

}  // namespace svd
