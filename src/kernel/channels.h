// SPDX-License-Identifier: Apache-2.0
// ChannelPort for Linux: the supervisor's ends of the channels, sd_notify, readiness probes.
#pragma once

#include "engine/ports.h"

namespace svd {

class Channels final : public ChannelPort {
 public:
  void drain(StartId id) override;
  void disconnect(StartId id, const std::string& message) override;
  Result<> send(StartId id, const std::string& json) override;
};

}  // namespace svd
