// SPDX-License-Identifier: Apache-2.0
// What happened, kept for a while and told as it happens.
#include "engine/state.h"

namespace svd {

void Engine::State::record(std::string kind, std::string subject, std::string text, const Occupant* one) {
  if (events.size() == max_events) events.pop_front();
  events.push_back({next_event++, now.wall, std::move(kind), std::move(subject), std::move(text),
                    one == nullptr ? 0 : static_cast<std::uint64_t>(one->start),
                    one == nullptr ? 0 : one->revision});
  outbox.tell(events.back());
}

const std::string* Engine::State::intern(const std::string& name) { return &*actors.insert(name).first; }

std::vector<EventRecord> Engine::events(std::uint64_t after, std::uint32_t limit) const {
  std::vector<EventRecord> out;
  for (const auto& record : state_->events) {
    if (record.sequence <= after) continue;
    if (limit != 0 && out.size() == limit) break;
    out.push_back(record);
  }
  return out;
}

}  // namespace svd
