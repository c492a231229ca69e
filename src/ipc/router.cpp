// SPDX-License-Identifier: Apache-2.0
#include "ipc/router.h"

#include <charconv>
#include <optional>

namespace svd::ipc {
namespace {

std::optional<std::uint32_t> slot_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

tl::unexpected<Error> nobody(std::string_view name) {
  return fail(std::errc::no_such_process, "cannot send to " + std::string{name.substr(0, 128)} +
                                              ": there is no such instance with a channel");
}

}  // namespace

void Directory::enter(const SlotId& slot, StartId id) { slots_[slot].present.insert(id); }

void Directory::leave(const SlotId& slot, StartId id) {
  const auto found = slots_.find(slot);
  if (found == slots_.end()) return;
  found->second.present.erase(id);
  found->second.ready.erase(id);
  if (found->second.present.empty()) slots_.erase(found);
}

void Directory::set_ready(const SlotId& slot, StartId id, bool ready) {
  const auto found = slots_.find(slot);
  if (found == slots_.end() || !found->second.present.contains(id)) return;
  if (ready)
    found->second.ready.insert(id);
  else
    found->second.ready.erase(id);
}

// The newest of the ready ones, or of all.
StartId Directory::pick(const Slot& slot) {
  return slot.ready.empty() ? *slot.present.rbegin() : *slot.ready.rbegin();
}

StartId Directory::standing_for(const SlotId& slot) const {
  const auto found = slots_.find(slot);
  return found == slots_.end() ? StartId{} : pick(found->second);
}

Result<std::vector<StartId>> Directory::find(const SlotId& sender, std::string_view name) const {
  std::vector<StartId> found;
  const auto slash = name.find('/');
  const auto app = Name::parse(name.substr(0, slash));
  if (!app) return nobody(name);
  if (slash != name.npos) {
    const auto number = slot_number(name.substr(slash + 1));
    const auto id = number ? standing_for({{sender.app.ecosystem, *app}, *number}) : StartId{};
    if (id == StartId{}) return nobody(name);
    found.push_back(id);
    return found;
  }
  const bool everybody = name == "all";
  const AppId first{sender.app.ecosystem, everybody ? Name{} : *app};
  bool known = everybody;
  for (auto slot = slots_.lower_bound({first, 0}); slot != slots_.end(); ++slot) {
    const auto& owner = slot->first.app;
    if (owner.ecosystem != sender.app.ecosystem || (!everybody && owner.app != *app)) break;
    known = true;
    if (slot->first != sender) found.push_back(pick(slot->second));
  }
  if (!known) return nobody(name);
  return found;
}

Delivery deliver(const std::vector<StartId>& targets, const std::function<Room(StartId)>& room) {
  Delivery delivery;
  for (const auto id : targets) {
    switch (room(id)) {
      case Room::free:
        delivery.deliver.push_back(id);
        break;
      case Room::stuck:
        delivery.refuse.push_back(id);
        break;
      case Room::full:
        return {id, {}, {}};
    }
  }
  return delivery;
}

}  // namespace svd::ipc
