// SPDX-License-Identifier: Apache-2.0
// Snapshots for clients. No secret value gets into one.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/changes/changes.h"
#include "engine/control.h"
#include "engine/ports.h"

namespace svd {

class ViewBuilder {
 public:
  ViewBuilder(World& world, const Revisions& revisions, const Ports& ports)
      : world_{world}, revisions_{revisions}, ports_{ports} {}

  [[nodiscard]] Result<std::vector<AppView>> apps(const Names& names) const;
  [[nodiscard]] Result<std::vector<InstanceView>> instances(const Names& names) const;
  [[nodiscard]] std::optional<AppView> app(const AppId& id) const;
  [[nodiscard]] std::optional<InstanceView> instance(const SlotId& id) const;
  [[nodiscard]] Usage usage(const AppId& id, Figures figures) const;
  [[nodiscard]] Usage usage(const SlotId& id, StartId start, Figures figures) const;
  [[nodiscard]] Result<std::vector<RevisionView>> history(const std::string& ecosystem) const;

 private:
  [[nodiscard]] AppView view(const App& app) const;
  [[nodiscard]] InstanceView view(const Instance& one) const;

  World& world_;
  const Revisions& revisions_;
  const Ports& ports_;
};

}  // namespace svd
