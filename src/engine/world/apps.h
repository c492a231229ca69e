// SPDX-License-Identifier: Apache-2.0
// Where apps and their starts are found.
#pragma once

#include <cstdint>
#include <map>
#include <ranges>
#include <set>
#include <vector>

#include "engine/world/app.h"

namespace svd {

class Apps {
  template <class All>
  static auto range(All& all, const Name& ecosystem) {
    auto end = all.lower_bound({ecosystem, {}});
    const auto begin = end;
    while (end != all.end() && end->first.ecosystem == ecosystem) ++end;
    return std::ranges::subrange{begin, end};
  }

  template <class All>
  static auto find_in(All& all, const AppId& id) -> decltype(&all.begin()->second) {
    const auto found = all.find(id);
    return found == all.end() ? nullptr : &found->second;
  }

 public:
  using Map = std::map<AppId, App>;

  [[nodiscard]] Map& all() { return all_; }
  [[nodiscard]] const Map& all() const { return all_; }
  // Those of one ecosystem, in order.
  [[nodiscard]] auto of(const Name& ecosystem) { return range(all_, ecosystem); }
  [[nodiscard]] auto of(const Name& ecosystem) const { return range(all_, ecosystem); }

  // nullptr: there is no such thing any more.
  [[nodiscard]] App* find(const AppId& id) { return find_in(all_, id); }
  [[nodiscard]] const App* find(const AppId& id) const { return find_in(all_, id); }
  [[nodiscard]] Slot* find(const SlotId& id) const;
  [[nodiscard]] Instance* find(const InstanceId& id) const;

  App& add(const AppId& id, VersionPtr version);
  void erase(const AppId& id) { all_.erase(id); }

 private:
  Map all_;
};

// Every start of which something may be left.
class Starts {
 public:
  StartId give_number() { return StartId{next_++}; }
  [[nodiscard]] std::uint64_t next() const { return next_; }
  void continue_at(std::uint64_t next) { next_ = next; }

  void add(StartId id, Instance& one) { all_.emplace(id, &one); }
  void erase(StartId id) { all_.erase(id); }
  [[nodiscard]] Instance* find(StartId id) const;
  [[nodiscard]] bool contains(StartId id) const { return all_.contains(id); }
  [[nodiscard]] const std::map<StartId, Instance*>& all() const { return all_; }
  [[nodiscard]] bool none_left() const { return all_.empty() && strays_.empty(); }

  // Found by a new engine and given up: killed, not gone yet.
  void give_up(StartId id) { strays_.insert(id); }
  bool forget_stray(StartId id) { return strays_.erase(id) > 0; }
  [[nodiscard]] bool is_stray(StartId id) const { return strays_.contains(id); }

  // Those whose exits are handled, and will be on record with the next save.
  std::vector<StartId> gone;

 private:
  std::map<StartId, Instance*> all_;
  std::set<StartId> strays_;
  std::uint64_t next_ = 1;
};

}  // namespace svd
