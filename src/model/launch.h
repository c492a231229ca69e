// SPDX-License-Identifier: Apache-2.0
// Everything one process needs to be born, decided before anything happens.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/app_spec.h"
#include "model/expand.h"
#include "model/names.h"

namespace svd {

// A start has failed when its program was not executed by then: what it touches on its way (its log, its
// directory, its program) may be on a file system that does not answer.
inline constexpr Millis start_patience{10'000};

// The engine makes one for each start; kernel turns it into a request to the keeper.
struct LaunchPlan {
  StartId id{};
  SlotId slot;
  std::uint64_t revision = 0;
  std::uint64_t generation = 0;
  std::vector<std::string> argv;
  std::vector<std::string> envp;  // "NAME=value", complete: nothing is inherited
  // What envp is made of once the user is known (write_out); argv and cwd may refer to it. None: all is
  // written out already.
  std::optional<EnvironmentLayers> environment;
  std::string cwd;
  std::string user, group;  // names or numbers, resolved by the port
  std::vector<std::string> groups;
  std::optional<std::uint32_t> umask;
  std::map<int, Rlimit> rlimits;
  Limits limits;                 // of its cgroup
  Limits app_limits;             // of its app's; as last accepted, whatever the start's own version has
  bool limits_required = false;  // else what cannot be enforced is told, and no more
  std::optional<int> nice;
  std::optional<int> oom_score_adj;
  Scheduling scheduling;
  Hardening harden;
  std::map<std::string, std::string> credentials;
  std::vector<Listener> listen;  // descriptors 3, 4, … of the process; envp names them already (LISTEN_FDS)
  ChannelKind channel = ChannelKind::none;  // its descriptor follows the listeners'
  bool preload = false;
  ReadyGate ready;  // what the adapters watch for: → ToldReady
  LogPolicy logs;   // `to` is never automatic here
  StopPolicy stop;  // what the keeper does with it when there is no engine
};

// Makes envp of the plan's environment and of what is known of its user (HOME, USER, …: weaker than all that
// the file says), and replaces ${NAME} in argv and cwd. Error, in words: what compose_environment() and
// expand() say, and a cwd that is not absolute.
[[nodiscard]] Result<> write_out(LaunchPlan& plan, const Variables& of_user);

}  // namespace svd
