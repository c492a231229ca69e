// SPDX-License-Identifier: Apache-2.0
// Waiting for a change: what apply, start, stop, restart, scale, delete and rollback have in common.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/render.h"

namespace svd::cli {

// As typed: --no-wait, --timeout, --json (the outcome as one JSON object, and no progress).
struct FollowFlags {
  bool no_wait = false;
  std::string timeout;  // empty: for ever
  bool json = false;
};

struct FollowOptions {
  FollowFlags flags;
  std::string kind;     // of the change, in the words of D-Bus: "apply", "stop"
  std::string nothing;  // what it means that there was nothing to do
  bool plan = false;    // show the change's steps first
  bool aborts = false;  // that the change fails, and its app goes back, is what was asked for
};

// Shows progress (one line that is rewritten on a terminal; else a line a second at most) until the change
// has ended, then its outcome; a failed one with step and reason for each slot and the end of a failing
// instance's log. Survives a restart of the engine.
[[nodiscard]] Result<Exit> follow_change(const Context& context, Client& client, Begun begun,
                                         const FollowOptions& options);

// The last lines that an instance logged. What keeps them from being read is a line too. `since`: older ones
// are left out where the time of a line is known, and elsewhere it is said that they may be there.
[[nodiscard]] AppStatus::Tail tail_of(const Context& context, Client& client, const InstanceView& instance,
                                      std::uint64_t lines, std::optional<WallTime> since = {});

// How long a client waits for an engine that starts anew before it gives up.
inline constexpr std::chrono::seconds reconnect_patience{15};

}  // namespace svd::cli
