// SPDX-License-Identifier: Apache-2.0
#include "kernel/listeners.h"

namespace svd {

Result<> Listeners::bind(const AppSpec&, const AppId&, std::uint32_t) { return {}; }
void Listeners::retain(const AppId&, std::span<const Listener>, bool) {}
void Listeners::serve(const AppId&, std::span<const std::pair<std::uint32_t, StartId>>) {}
std::vector<std::string> Listeners::describe(const AppId&) const { return {}; }
Result<std::vector<std::string>> Listeners::held_for(const LaunchPlan&) {
  return fail(std::errc::not_connected, "cannot pass on listeners: none is bound");
}

}  // namespace svd
