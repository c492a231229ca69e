// SPDX-License-Identifier: Apache-2.0
#include "engine/journal/journal.h"

#include <utility>

namespace svd {

void Journal::record(std::string kind, EventRecord record) {
  constexpr std::size_t kept = 1000;
  if (events_.size() == kept) events_.pop_front();
  record.sequence = next_++;
  record.when = now_.wall;
  record.kind = std::move(kind);
  events_.push_back(std::move(record));
  outbox_.tell(events_.back());
}

namespace {

EventRecord make(std::string subject, std::string text, EventRecord::Level level) {
  EventRecord out;
  out.subject = std::move(subject);
  out.text = std::move(text);
  out.level = level;
  return out;
}

}  // namespace

void Journal::change(std::string subject, std::string text, Level level) {
  record("change", make(std::move(subject), std::move(text), level));
}

void Journal::daemon(std::string subject, std::string text, Level level) {
  record("daemon", make(std::move(subject), std::move(text), level));
}

void Journal::app(const AppId& id, std::string text) {
  record("instance", make(id.str(), std::move(text), Level::info));
}

void Journal::instance(EventRecord event) { record("instance", std::move(event)); }

std::vector<EventRecord> Journal::since(std::uint64_t after, std::uint32_t limit) const {
  std::vector<EventRecord> out;
  for (const auto& record : events_) {
    if (record.sequence <= after) continue;
    if (limit != 0 && out.size() == limit) break;
    out.push_back(record);
  }
  return out;
}

}  // namespace svd
