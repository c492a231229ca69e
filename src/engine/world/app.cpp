// SPDX-License-Identifier: Apache-2.0
#include "engine/world/app.h"

#include <algorithm>

namespace svd {

InstanceId Instance::id() const { return {slot->id(), nth}; }
const AppSpec& Instance::spec() const { return (version ? version : slot->app->version)->spec; }

SlotId Slot::id() const { return {app->id, index}; }
std::string Slot::name() const { return app->id.app.str() + "/" + std::to_string(index); }

bool Slot::is_stale() const {
  return renewal != Renewal::none || (main->version && !main->is_of(app->generation()));
}

std::uint32_t App::width() const {
  return std::max(static_cast<std::uint32_t>(slots.size()), removed ? 0U : instances());
}

}  // namespace svd
