// SPDX-License-Identifier: Apache-2.0
// The runtime state as text: what a new engine has to know besides the revisions and the keeper's table.
//
//   svd-runtime 1                              the level of the format; a reader refuses a higher one
//   next start=… change=… event=…              counters; ids up to these may have been given away
//   eco shop current=4 next=5 deleted=a,b
//   app shop:web generation=… …                then its slots:
//   slot 0 phase=ready start=12 …              and who fills it besides, while it is replaced:
//   beside 0 role=1 phase=starting start=13 …
//   change 7 kind=apply target=shop … apps=shop:web,…
//   end 0123456789abcdef                       FNV-1a (64 bits) of all before this line
//
// Each struct has one description in describe.h, from which it is written and read. Keys that have their
// default are left out. Unknown keys and unknown values of enums are ignored, so that a field or a value can
// be added without a new level; what cannot be read that way gets one, and a migration from the one before.
// Values are percent-escaped: no blank, comma, '=' or newline is ever inside one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/names.h"
#include "model/phase.h"

namespace svd {

// What fills a slot was started with.
struct SavedStart {
  std::uint64_t start = 0, handled = 0;
  std::uint64_t generation = 0;  // 0: never started
  std::uint64_t version = 0;     // the revision that holds the specification
  std::uint64_t revision = 0;    // at its start
  std::int64_t started = 0;      // microseconds of WallTime
  bool operator==(const SavedStart&) const = default;
};

// How it ended, or is to.
struct SavedEnd {
  Phase next = Phase::stopped;  // stopping: what follows
  bool limit = false;           // failed (or to be): by the limit of restarts, not by the policy
  bool late = false;
  std::int64_t until =
      0;  // microseconds of WallTime: the end of a backoff, also where that comes after stopping
  std::int64_t delay = 0;  // nanoseconds
  std::uint32_t streak = 0;
  std::vector<std::int64_t> recent;  // restarts within the window, microseconds of WallTime
  ExitStatus last_exit;
  std::optional<StartFailure> failure;
  bool operator==(const SavedEnd&) const = default;
};

struct SavedSlot : SavedStart, SavedEnd {
  std::uint32_t index = 0;
  Phase phase = Phase::waiting;
  std::uint8_t cause = 0;
  std::string by;
  bool wanted = true;
  std::uint8_t role = 0;     // 0: the one that the slot is known by
  std::uint8_t stage = 0;    // in a rollout, of the slot
  std::uint8_t renewal = 0;  // of the slot
  std::uint64_t last = 0;    // the newest start in the slot
  std::uint64_t restarts = 0;
  std::int64_t since = 0;  // microseconds of WallTime
  bool operator==(const SavedSlot&) const = default;
};

struct SavedApp {
  AppId id;
  std::uint64_t generation = 0;  // as its revision was hashed when it was accepted
  bool wanted = true, removed = false, halted = false, rolling = false, paused = false, going_back = false;
  std::uint64_t version = 0;  // the revision of its specification, where that is not the ecosystem's; else 0
  std::uint64_t stable = 0;   // the revision that it ran in all its slots; 0: none
  std::optional<std::uint32_t> scale;
  std::vector<SavedSlot> slots;    // ascending, one a slot
  std::vector<SavedSlot> besides;  // those with another role
  bool operator==(const SavedApp&) const = default;
};

struct SavedEco {
  Name name;
  std::uint64_t current = 0, next = 1;
  std::vector<Name> deleted;
  bool operator==(const SavedEco&) const = default;
};

struct SavedChange {
  std::uint64_t id = 0;
  std::string kind, target, who;
  Name ecosystem;
  std::uint64_t revision = 0;
  std::int64_t started = 0;
  std::vector<AppId> apps;
  std::vector<std::string> failed, why;  // the slots that failed, as "shop:web/0", and in which words
  bool operator==(const SavedChange&) const = default;
};

struct SavedState {
  std::uint64_t next_start = 1, next_change = 1, next_event = 1;
  std::vector<SavedEco> ecosystems;
  std::vector<SavedApp> apps;
  std::vector<SavedChange> changes;  // the running ones
  bool operator==(const SavedState&) const = default;
};

[[nodiscard]] std::string write_state(const SavedState& state);
// Error: "cannot read the runtime state: …" for a text that is damaged, cut off, or of a higher level.
[[nodiscard]] Result<SavedState> read_state(std::string_view text);

}  // namespace svd
