// SPDX-License-Identifier: Apache-2.0
// Which processes belong to which start, where there are no cgroups that would tell.
//
// A process that is started without a cgroup gets SVD_START=<our state directory's mark>.<start id> into its
// environment, and hands it on to what it begets. A process belongs to a start when its environment says so,
// when it is in the session of the start's main process, or when its parent belongs to it. Who has left the
// session, lost the parent and replaced or overwritten the environment is not found: nothing is left that
// would tell.
//
// The mark is made of the state directory's device and inode, so that neither another daemon's instances nor
// those of a container that is visible here are ever taken for ours.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "kernel/proc.h"
#include "model/names.h"

namespace svd {

inline constexpr std::string_view start_variable = "SVD_START";

// Of a directory that exists; "" when it does not.
[[nodiscard]] std::string mark_of(const std::string& state_directory);
// The variable's value, and the way back from a whole environment as /proc/PID/environ has it; nullopt: it
// has none of this mark. Pure.
[[nodiscard]] std::string start_value(std::string_view mark, StartId id);
[[nodiscard]] std::optional<StartId> start_of(std::string_view environment, std::string_view mark);

struct Stray {
  StartId id{};
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;
  bool leads_session = false;
  bool operator==(const Stray&) const = default;
};

// What is looked for.
struct StraySearch {
  std::string mark;
  std::function<bool(StartId)> is_wanted;
  std::function<std::optional<StartId>(std::int64_t session)> leads;  // the wanted start that this pid led
  std::function<std::string(std::int64_t pid)> environment;
};
// Those of `processes` that belong to a start that is wanted. Zombies do not count. Pure but for the
// functions in `search`.
[[nodiscard]] std::vector<Stray> find_strays(const std::vector<Process>& processes,
                                             const StraySearch& search);

// A pidfd of it, if it is still the process that was found.
[[nodiscard]] UniqueFd open_stray(const Stray& stray);

}  // namespace svd
