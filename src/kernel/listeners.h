// SPDX-License-Identifier: Apache-2.0
// ListenerPort for Linux: binds, keeps, passes.
#pragma once

#include "engine/ports.h"
#include "kernel/passing.h"

namespace svd {

class Listeners final : public ListenerPort, public ListenerSource {
 public:
  Result<> bind(const AppSpec& spec, const AppId& app, std::uint32_t slots) override;
  void retain(const AppId& app, std::span<const Listener> keep, bool gone) override;
  void serve(const AppId& app, std::span<const std::pair<std::uint32_t, StartId>> ready) override;
  [[nodiscard]] std::vector<std::string> describe(const AppId& app) const override;
  Result<std::vector<std::string>> held_for(const LaunchPlan& plan) override;
};

}  // namespace svd
