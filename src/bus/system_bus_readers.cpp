// SPDX-License-Identifier: Apache-2.0
// Strangers on the system bus: one after the other.
#include <algorithm>
#include <utility>

#include "bus/system_bus.h"

namespace svd::bus {

// Nobody waits for what a reader asks without wanting an answer.
void SystemBus::wait_in_line(Session& session, sd_bus_message* message) {
  if (session.reader && sd_bus_message_get_expect_reply(message) <= 0) return;
  session.waiting.emplace_back(sd_bus_message_ref(message));
  if (session.reader) serve_readers();
}

SystemBus::Session* SystemBus::next_reader() {
  const auto wants = [](const auto& entry) {
    return entry.second->reader && entry.second->client && !entry.second->doomed &&
           !entry.second->waiting.empty();
  };
  const auto after = sessions_.upper_bound(last_read_);
  if (const auto found = std::find_if(after, sessions_.end(), wants); found != sessions_.end())
    return found->second.get();
  const auto found = std::find_if(sessions_.begin(), after, wants);
  return found == after ? nullptr : found->second.get();
}

void SystemBus::serve_readers() {
  while (reading_.empty() && !readers_rest_) {
    auto* const session = next_reader();
    if (session == nullptr) return;
    const auto call = std::move(session->waiting.front());
    session->waiting.erase(session->waiting.begin());
    last_read_ = session->name;
    reading_since_ = Loop::now().mono;
    if (sd_bus_message_get_expect_reply(call.get()) > 0 && forward(*session, call.get()))
      reading_ = session->name;
  }
}

void SystemBus::reader_served() {
  constexpr Millis least{1}, most{100};
  reading_.clear();
  const auto now = Loop::now().mono;
  readers_rest_ = static_cast<bool>(
      reader_rest_.set(now + std::clamp<Nanos>(now - reading_since_, Nanos{least}, Nanos{most})));
  if (!readers_rest_) serve_readers();
}

}  // namespace svd::bus
