// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_log.h"

#include <string>
#include <string_view>
#include <utility>

#include "daemon/journal_fields.h"

namespace svd {
namespace {

// "ready → backoff: signal SIGKILL": the phase that was entered.
std::string_view phase_in(const EventRecord& record) {
  constexpr std::string_view arrow = " → ";
  const std::string_view text = record.text;
  const auto at = text.find(arrow);
  if (record.kind != "instance" || at == std::string_view::npos) return {};
  const auto phase = text.substr(at + arrow.size());
  return phase.substr(0, phase.find(':'));
}

bool is_step(const EventRecord& record) {
  const auto phase = phase_in(record);
  return phase == to_text(Phase::waiting) || phase == to_text(Phase::starting) ||
         phase == to_text(Phase::stopping);
}

bool is_trouble(const EventRecord& record) {
  const auto phase = phase_in(record);
  return phase == to_text(Phase::backoff) || phase == to_text(Phase::failed) ||
         (record.kind == "change" && record.text.starts_with("failed")) ||
         (record.kind == "daemon" && record.subject != "apps" && !record.text.starts_with("took over "));
}

}  // namespace

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
  if (is_step(record)) return;
  log_.write_some(is_trouble(record) ? Severity::warning : Severity::info,
                  record.subject + ": " + record.text,
                  log_.to_journal() ? journal_fields(record, cgroup_) : std::string{});
}

}  // namespace svd
