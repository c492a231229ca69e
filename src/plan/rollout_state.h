// SPDX-License-Identifier: Apache-2.0
// Whether the slots of an app are being replaced, as a state machine that decides and touches nothing.
//
//   idle     every slot has what its app wants there, as far as anybody knows.
//   rolling  some may not. `back`: it leads to the version before, because a replacement failed. `paused`: a
//            person holds it.
//   halted   a replacement failed, and there is no way back: what was not reached stays as it is, until
//            somebody decides.
//
//           Began, Renewed            Finished
//      idle ─────────────► rolling ─────────────► idle
//                             │ Failed: go_back, or stop
//      idle ◄─────────────────┘
//        │ WentBack ► rolling{back}        Stopped{kept > 0} ► halted ── Accepted ──► idle
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/time.h"

namespace svd::plan {

struct Idle {
  bool operator==(const Idle&) const = default;
};
struct Rolling {
  bool back = false, paused = false;
  TimePoint progress{};  // when it last got on
  bool operator==(const Rolling&) const = default;
};
struct Halted {
  bool operator==(const Halted&) const = default;
};
using RolloutState = std::variant<Idle, Rolling, Halted>;

struct Accepted {};  // another version: what had stopped is out of date
struct Began {};     // something is to be replaced
struct Renewed {};   // a person wants all of it again, held or stopped as it may be
struct Declared {};  // by a file: neither held nor on its way back
struct GotOn {};     // a replacement did
struct Paused {};
struct Resumed {};
struct Left {};      // its app is removed
struct Finished {};  // nothing is left to be replaced
struct Failed {
  bool may_go_back = false;
};
struct WentBack {};        // the former version can be had, and is what the app wants again
struct Stopped {           // there is no way back
  std::uint32_t kept = 0;  // slots with the former version
};
using RolloutEvent = std::variant<Accepted, Began, Renewed, Declared, GotOn, Paused, Resumed, Left, Finished,
                                  Failed, WentBack, Stopped>;

enum class RolloutCommand : std::uint8_t {
  go_back,    // to the version before; where that cannot be had: Stopped
  stop,       // leave what was not reached as it is
  tell_back,  // it has gone back
  fail_back,  // stop, and tell that it could not go back
};
struct RolloutStep {
  RolloutState state;
  std::optional<RolloutCommand> command{};
  bool operator==(const RolloutStep&) const = default;
};

[[nodiscard]] RolloutStep step(const RolloutState& state, const RolloutEvent& event, TimePoint now);

}  // namespace svd::plan
