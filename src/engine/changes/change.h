// SPDX-License-Identifier: Apache-2.0
// One running operation as the engine keeps it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/names.h"
#include "model/views.h"

namespace svd {

// What somebody asked for. The names are on D-Bus and in saved states.
enum class Kind : std::uint8_t { apply, rollback, start, stop, restart, reload, scale, remove, shutdown };
inline constexpr std::array<std::string_view, 9> kind_names{
    "apply", "rollback", "start", "stop", "restart", "reload", "scale", "delete", "shutdown"};
[[nodiscard]] constexpr std::string_view to_text(Kind kind) {
  return kind_names[static_cast<std::size_t>(kind)];
}

// How far it is. An apply's is its revision's outcome.
enum class Outcome : std::uint8_t { running, succeeded, failed, superseded };
inline constexpr std::array<std::string_view, 4> outcome_names{"running", "succeeded", "failed",
                                                               "superseded"};
[[nodiscard]] constexpr std::string_view to_text(Outcome outcome) {
  return outcome_names[static_cast<std::size_t>(outcome)];
}

// The stake of one app in a change.
struct Part {
  bool open = true;
  bool superseded = false;
  bool going_back = false;  // it failed, and its app is going back
  std::uint32_t pending = 0;
  std::uint32_t kept = 0;  // slots that a broken rollout left with their former version
  std::vector<std::pair<SlotId, std::string>> failures;
  std::string note;  // what became of it: "rolled back to revision 3"
};

struct Change {
  Kind kind = Kind::apply;
  Outcome outcome = Outcome::running;
  ChangeView view;  // but for kind and state: shown() has those
  std::string who;
  Name ecosystem;  // apply, rollback: whose revision it made
  std::map<AppId, Part> parts;
  bool overtaken = false;  // its revision is not the present one any more

  [[nodiscard]] bool is_running() const { return outcome == Outcome::running; }
};

}  // namespace svd
