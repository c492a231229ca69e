// SPDX-License-Identifier: Apache-2.0
// Who is meant by the name on a letter, and whether it can be delivered now.
//
// A letter for whom there is no room waits, and its sender is not read from meanwhile: that is all the
// back-pressure there is. One who has not read anything for a while counts as stuck; letters for it are
// refused, and their senders told, until it reads again. So nobody waits for it longer than once for that
// while, and nothing is lost silently.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/names.h"

namespace svd::ipc {

// The instances that have a channel. While one is replaced a slot has two.
class Directory {
 public:
  void enter(const SlotId& slot, StartId id);
  void leave(const SlotId& slot, StartId id);
  // It took over its slot, or gave it up.
  void set_ready(const SlotId& slot, StartId id, bool ready);

  // "api/0", "api" or "all", as `sender` says it: of its own ecosystem, one start for each slot. Error:
  // nobody has that name; without a channel one is not found.
  [[nodiscard]] Result<std::vector<StartId>> find(const SlotId& sender, std::string_view name) const;
  // Of a slot, the one that stands for it.
  [[nodiscard]] StartId standing_for(const SlotId& slot) const;

 private:
  struct Slot {
    std::set<StartId> present;
    std::set<StartId> ready;
  };
  [[nodiscard]] static StartId pick(const Slot& slot);
  std::map<SlotId, Slot> slots_;
};

enum class Room : std::uint8_t { free, full, stuck };

struct Delivery {
  StartId wait_for{};  // not 0: nothing can be done before this one has room
  std::vector<StartId> deliver, refuse;
};
[[nodiscard]] Delivery deliver(const std::vector<StartId>& targets, const std::function<Room(StartId)>& room);

}  // namespace svd::ipc
