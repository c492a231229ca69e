// SPDX-License-Identifier: Apache-2.0
// What happened, kept for a while and told as it happens; and the names of who asked for it.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "engine/outbox/outbox.h"
#include "model/views.h"

namespace svd {

class Journal {
 public:
  using Level = EventRecord::Level;

  Journal(Outbox& outbox, const Now& now) : outbox_{outbox}, now_{now} {}

  void change(std::string subject, std::string text, Level level = Level::info);
  void daemon(std::string subject, std::string text, Level level = Level::warning);
  void app(const AppId& id, std::string text);
  // `record` is complete but for its number, its time and its kind.
  void instance(EventRecord record);

  // Those after this number, oldest first; limit 0: all that are kept.
  [[nodiscard]] std::vector<EventRecord> since(std::uint64_t after, std::uint32_t limit) const;

  [[nodiscard]] std::uint64_t next() const { return next_; }
  void continue_at(std::uint64_t next) { next_ = next; }

  // The same pointer for the same name, as long as the engine lives.
  const std::string* intern(const std::string& name) { return &*names_.insert(name).first; }

 private:
  void record(std::string kind, EventRecord record);

  Outbox& outbox_;
  const Now& now_;
  std::deque<EventRecord> events_;
  std::set<std::string> names_;
  std::uint64_t next_ = 1;
};

}  // namespace svd
