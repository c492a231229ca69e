// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_log.h"

#include <string>
#include <utility>

#include "daemon/journal_fields.h"

namespace svd {

EventLog::EventLog(bus::BusServer& bus, Log& log, CgroupOf cgroup, std::function<void()> settled)
    : bus_{bus}, log_{log}, cgroup_{std::move(cgroup)}, settled_{std::move(settled)} {}

void EventLog::change_finished(ChangeId id) {
  bus_.change_finished(id);
  settled_();
}

// A person wants to read what an instance came to, not each step on the way. Any of it may come thousands of
// times a second when apps crash in a loop, so it is all under the budget.
void EventLog::event(const EventRecord& record) {
  bus_.event(record);
  if (record.level == EventRecord::Level::step) return;
  log_.write_some(record.level == EventRecord::Level::warning ? Severity::warning : Severity::info,
                  record.subject + ": " + record.text,
                  log_.to_journal() ? journal_fields(record, cgroup_) : std::string{});
}

}  // namespace svd
