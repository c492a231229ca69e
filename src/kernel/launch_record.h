// SPDX-License-Identifier: Apache-2.0
// A start as the keeper wants it (keeper::Spawn), and the cookie that it keeps for us. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "engine/engine.h"
#include "keeper/protocol.h"
#include "kernel/hardening.h"
#include "kernel/users.h"
#include "model/launch.h"

namespace svd {

// What the plan does not say.
struct LaunchDetails {
  Identity identity{};
  std::string cgroup{};  // relative to the base; empty: none
  std::string cookie{};
  keeper::Stdio stdio = keeper::Stdio::null;
  std::string stdio_path{};
  std::vector<std::string> held{};  // names of the descriptors to pass on: the first ones
  std::vector<HardenStep> steps{};
  bool has_channel = false;  // and one that is attached, behind the log if that is, too
};

// The record's bytes: a multiple of 8, the last one 0.
[[nodiscard]] std::string launch_record(const LaunchPlan& plan, const LaunchDetails& details);
// The record's attached descriptors follow `by` others in their message.
void shift_attached(std::string& record, std::uint32_t by);

// What a program without '/' is looked for in: the PATH of `envp`, or what execvp(3) takes for it.
[[nodiscard]] std::string_view search_path(const std::vector<std::string>& envp);
// The paths that execvp(3) would try: `program` itself if it has a '/', else one for each directory of PATH
// in `envp` (an empty one is the working directory).
[[nodiscard]] std::vector<std::string> exec_candidates(const std::string& program,
                                                       const std::vector<std::string>& envp);

[[nodiscard]] keeper::StopRule stop_rule(const StopPolicy& policy);

// All that a later engine must know of a child besides what the keeper says: slot, revision, generation,
// start of life. At most keeper::max_cookie bytes.
[[nodiscard]] std::string encode_cookie(const KnownChild& child);
// nullopt: not made by encode_cookie(). Fills slot, revision, generation, started, and pid and id where they
// are known.
[[nodiscard]] std::optional<KnownChild> decode_cookie(std::string_view cookie);

}  // namespace svd
