// SPDX-License-Identifier: Apache-2.0
// Views as people read them. Pure: values in, text out (with a final newline); the golden files in
// tests/golden/cli hold what each of these prints.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/style.h"

namespace svd::cli {

// "web/0", or "shop:web/0" when `qualified`: only when there is more than one ecosystem to tell apart.
[[nodiscard]] std::string short_name(const AppId& id, bool qualified);
[[nodiscard]] std::string short_name(const SlotId& id, bool qualified);
[[nodiscard]] bool has_several_ecosystems(std::span<const InstanceView> instances);
[[nodiscard]] bool has_several_ecosystems(std::span<const AppView> apps);

[[nodiscard]] Paint colour_of(Phase phase);
// Of an app's state, a change's state or a revision's outcome.
[[nodiscard]] Paint colour_of_state(std::string_view state);

// NAME PHASE PID RESTARTS AGE MEMORY CPU REASON, one row an instance and nothing else.
[[nodiscard]] std::string instance_table(std::span<const InstanceView> instances, WallTime now,
                                         const Style& style);
// APP READY STATE REVISION REASON.
[[nodiscard]] std::string app_table(std::span<const AppView> apps, const Style& style);
[[nodiscard]] std::string history_table(std::span<const RevisionView> revisions, WallTime now,
                                        const Style& style);
[[nodiscard]] std::string message_line(WallTime when, std::string_view from, std::string_view text,
                                       const Style& style);
[[nodiscard]] std::string event_line(const EventRecord& record, const Style& style);

// "+ web: start 2 instances"; reasons below when there are several, and what will not be as the file says.
[[nodiscard]] std::string plan_text(std::span<const PlanStep> steps, const Style& style);
// "apply of shop: revision 3, 4 instances, in 1.2s", or why it failed with one line for each slot that keeps
// it.
[[nodiscard]] std::string outcome_text(const ChangeReport& report, const Style& style);
// "2 of 4 done".
[[nodiscard]] std::string progress_text(const ChangeView& view);

[[nodiscard]] std::string daemon_text(const DaemonView& daemon, WallTime now, const Style& style);
// What `status` says first without an app: one line, and what cannot be guaranteed here.
[[nodiscard]] std::string summary_text(const DaemonView& daemon, std::span<const AppView> apps, WallTime now,
                                       const Style& style);

struct AppStatus {
  AppView app;
  std::vector<InstanceView> instances;
  // The last lines of an instance's log that may explain what is wrong; already safe to show.
  struct Tail {
    std::string instance;
    std::vector<std::string> lines;
    bool unsure = false;  // lines of earlier starts may be among them
  };
  std::vector<Tail> tails;
};
[[nodiscard]] std::string status_text(const AppStatus& status, WallTime now, const Style& style);
[[nodiscard]] std::string tail_text(const AppStatus::Tail& tail, const Style& style);

// Nothing is wrong with it: what runs is what is wanted.
[[nodiscard]] bool is_healthy(const AppView& app);

}  // namespace svd::cli
