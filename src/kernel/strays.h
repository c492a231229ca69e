// SPDX-License-Identifier: Apache-2.0
// Which processes belong to which start, where there are no cgroups that would tell.
//
// A process that is started without a cgroup gets SVD_START=<word>.<start id> into its environment, and hands
// it on to what it begets. A process belongs to a start when its environment says so, when it is in the
// session of the start's main process, or when its parent belongs to it. Who has left the session, lost the
// parent and replaced or overwritten the environment is not found: nothing is left that would tell.
//
// The word is made of the start's id with a key that only the daemon of this state directory has. So nobody
// can pass for a start but who was begotten by it, or may read its environment (its own user, root); and
// neither another daemon's instances nor those of a container that is visible here are ever taken for ours.
// Where there are cgroups there is no key, and no process is known by what it says.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/siphash.h"
#include "base/unique_fd.h"
#include "kernel/proc.h"
#include "model/names.h"

namespace svd {

inline constexpr std::string_view start_variable = "SVD_START";

// Absent: nothing is marked, and no mark is believed.
using StartKey = std::optional<SipKey>;
// The one that is kept in a file of its own in `state_directory`, or a new one, which is written there. Where
// that cannot be done (`kept`), it is this engine's alone: the next one does not know the marks by it.
struct LoadedKey {
  StartKey key;
  Result<> kept;
};
[[nodiscard]] LoadedKey load_start_key(const std::string& state_directory);
// The variable's value, and the way back from a whole environment as /proc/PID/environ has it; nullopt: it
// has none that was made with this key. Pure.
[[nodiscard]] std::string start_value(const SipKey& key, StartId id);
[[nodiscard]] std::optional<StartId> start_of(std::string_view environment, const StartKey& key);

struct Stray {
  StartId id{};
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;
  bool leads_session = false;
  bool operator==(const Stray&) const = default;
};

// What is looked for.
struct StraySearch {
  StartKey key;
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
