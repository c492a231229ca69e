// SPDX-License-Identifier: Apache-2.0
// From what an app may not do to the steps by which its process gives that up (keeper/protocol.h, Op). All is
// decided here; the child only makes system calls, and a step that fails fails the start.
//
// Mounts are those of the instance alone and go with it. What is made read-only is each mount below a path,
// told apart by /proc/self/mountinfo: no mount that is read-only already is ever made writable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"
#include "keeper/protocol.h"
#include "kernel/users.h"
#include "model/launch.h"
#include "model/phase.h"

namespace svd {

struct HardenStep {
  keeper::Op op{};
  std::string a{}, b{}, c{}, d{};  // a is bytes where the step takes bytes; an empty one is absent
  std::uint64_t number = 0;
  std::uint32_t extra = 0;
  bool late = false;
  std::string words{};  // its object, for the words of a failure: "making /srv read-only"
};

struct Credential {
  std::string name;
  std::string content;
};

// The files that the plan names, at most 1 MiB each. Failure: stage hardening, with the path.
[[nodiscard]] tl::expected<std::vector<Credential>, StartFailure> read_credentials(const LaunchPlan& plan);

struct HardeningPlaces {
  std::vector<std::string> mount_points;  // of this process, absolute
  std::string credentials;   // where an instance's own are mounted: an existing directory; empty: nowhere
  std::string inaccessible;  // an existing empty file that nobody may read
};

// In the order in which they are to be done. Failure: stage hardening, with the object.
[[nodiscard]] tl::expected<std::vector<HardenStep>, StartFailure> plan_hardening(
    const LaunchPlan& plan, const Identity& identity, const std::vector<Credential>& credentials,
    const HardeningPlaces& places);

// The start gets mounts of its own. `mounts_credentials`: it has some, and they are mounted.
[[nodiscard]] bool needs_own_mounts(const Hardening& harden, bool mounts_credentials);

// The mount points of a /proc/PID/mountinfo (proc(5)), with its \040 undone.
[[nodiscard]] std::vector<std::string> mount_points_of(std::string_view mountinfo);

}  // namespace svd
