// SPDX-License-Identifier: Apache-2.0
// ChannelPort for Linux: the supervisor's ends of the channels, sd_notify, readiness probes.
#pragma once

#include "engine/ports.h"
#include "kernel/passing.h"

namespace svd {

class Channels final : public ChannelPort, public ChannelSource {
 public:
  void drain(StartId id) override;
  void disconnect(StartId id, const std::string& message) override;
  Result<> send(StartId id, const std::string& json) override;
  Result<UniqueFd> open(LaunchPlan& plan) override;
};

}  // namespace svd
