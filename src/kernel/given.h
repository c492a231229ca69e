// SPDX-License-Identifier: Apache-2.0
// Who a start is: the identity and the rights that svd gave it at its launch. Every question "may this app do
// that?" is answered from here, and never from what a process is at the moment: an app can become somebody
// else (su, sudo, a set-user-id program), leave a child behind, or have its pid used again, and must not gain
// by it. Made once, where the launch is laid out, and saved with the start, so that the next engine has it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipc/json.h"
#include "kernel/users.h"
#include "model/launch.h"

namespace svd {

struct Given {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups{};  // supplementary
  std::uint64_t capabilities = 0;       // that its program begins with, as effective ones
  std::uint32_t umask = 022;
  bool own_mounts = false;  // it sees other files under the same paths than svd does
  bool operator==(const Given&) const = default;

  // It may come to have processes of other users.
  [[nodiscard]] bool may_change_user() const;
};

// `identity`: as the keeper is told; what is absent is this process's own. `may_mount`: credentials are
// mounted.
[[nodiscard]] Given given_by(const LaunchPlan& plan, const Identity& identity, bool may_mount);

// As JSON, and back; nullopt: it is not whole. What an engine that did not know of this type has saved has
// none: then nothing is done on the start's behalf.
[[nodiscard]] std::string write_given(const Given& given);
[[nodiscard]] std::optional<Given> read_given(const ipc::JsonView& from);

// Makes this process, which must be a child that does nothing else, what the start is: user, groups,
// capabilities, umask. An errno; 0: it is so, and was looked at.
[[nodiscard]] int become(const Given& given) noexcept;

}  // namespace svd
