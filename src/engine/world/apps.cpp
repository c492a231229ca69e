// SPDX-License-Identifier: Apache-2.0
#include "engine/world/apps.h"

namespace svd {

Slot* Apps::find(const SlotId& id) const {
  const auto* app = find(id.app);
  return app == nullptr || id.slot >= app->slots.size() ? nullptr : app->slots[id.slot].get();
}

Instance* Apps::find(const InstanceId& id) const {
  const auto* slot = find(id.slot);
  Instance* found = nullptr;
  if (slot != nullptr)
    slot->each([&](Instance& one) {
      if (one.nth == id.nth) found = &one;
    });
  return found;
}

App& Apps::add(const AppId& id, VersionPtr version) {
  auto& app = all_[id];
  app.id = id;
  app.version = std::move(version);
  return app;
}

Instance* Starts::find(StartId id) const {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : found->second;
}

}  // namespace svd
