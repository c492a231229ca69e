// SPDX-License-Identifier: Apache-2.0
// The apps as plan/dependencies.h sees them, and what is wanted of each instance.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/world/apps.h"
#include "plan/dependencies.h"
#include "plan/want.h"

namespace svd {

// The daemon goes down.
struct ShuttingDown {
  bool asked = false, by_force = false;
};

class Dependencies final : public plan::Graph {
 public:
  Dependencies(const Apps& apps, const ShuttingDown& down) : apps_{apps}, down_{down} {}

  [[nodiscard]] plan::Want want(const Instance& one) const;
  [[nodiscard]] plan::Awaited awaits(const App& app) const { return plan::awaits(*this, app.id); }
  [[nodiscard]] bool waits(const App& app) const { return plan::waits(*this, app.id); }
  [[nodiscard]] bool is_ending(const Slot& slot) const;  // it is to have no process

  // What its version names it waits for from now on.
  void note(const App& app);
  // Those that wait for it and, where `is_waiting` says so, those that wait for them; each once.
  template <class IsWaiting>
  void each_dependent(const AppId& id, IsWaiting&& is_waiting) const {
    std::set<AppId> seen;
    std::vector<AppId> open{id};
    while (!open.empty()) {
      const auto found = dependents_.find(open.back());
      open.pop_back();
      if (found == dependents_.end()) continue;
      for (const auto& other : found->second)
        if (apps_.find(other) != nullptr && seen.insert(other).second && is_waiting(other))
          open.push_back(other);
    }
  }

  [[nodiscard]] const std::map<Name, Dependency>* depends_on(const AppId& id) const override;
  [[nodiscard]] const std::set<AppId>* dependents(const AppId& id) const override;
  [[nodiscard]] bool all_slots(const AppId& id,
                               const std::function<bool(const plan::DependencySlot&)>& holds) const override;
  [[nodiscard]] std::string unbound(const AppId& id) const override;
  [[nodiscard]] std::string why_ended(const AppId& id, std::uint32_t slot) const override;

 private:
  const Apps& apps_;
  const ShuttingDown& down_;
  std::map<AppId, std::set<AppId>> dependents_;
};

}  // namespace svd
