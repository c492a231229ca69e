// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_log.h"

#include <string>
#include <utility>

namespace svd {

EventLog::EventLog(bus::BusServer& bus, Log& log, std::function<void()> settled)
    : bus_{bus}, log_{log}, settled_{std::move(settled)} {}

void EventLog::change_finished(ChangeId id) {
  bus_.change_finished(id);
  settled_();
}

// Every record may come thousands of times a second when apps crash in a loop, so each is under the budget.
void EventLog::event(const EventRecord& record) {
  bus_.event(record);
  log_.write_some(Severity::info, record.subject + ": " + record.text);
}

}  // namespace svd
