// SPDX-License-Identifier: Apache-2.0
#include "cli/render.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "cli/json.h"

namespace svd::cli {
namespace {

template <class View, class Ecosystem>
bool several(std::span<const View> views, Ecosystem ecosystem_of) {
  return std::ranges::any_of(
      views, [&](const View& view) { return ecosystem_of(view) != ecosystem_of(views.front()); });
}

// A process's age; without one, how long the slot has been in its phase.
std::string age_of(const InstanceView& view, WallTime now) {
  return age(view.pid != 0 && view.started.micros != 0 ? view.started : view.since, now);
}

std::string_view mark_of(PlanStep::Action action) {
  switch (action) {
    case PlanStep::Action::start:
      return "+";
    case PlanStep::Action::stop:
      return "-";
    case PlanStep::Action::replace:
    case PlanStep::Action::scale:
    case PlanStep::Action::update:
      return "~";
  }
  return "~";
}

Paint colour_of(PlanStep::Action action) {
  switch (action) {
    case PlanStep::Action::start:
      return Paint::green;
    case PlanStep::Action::stop:
      return Paint::red;
    case PlanStep::Action::replace:
    case PlanStep::Action::scale:
    case PlanStep::Action::update:
      return Paint::yellow;
  }
  return Paint::plain;
}

// "7ms", "1.2s", "83s".
std::string took(Millis time) {
  const auto count = time.count();
  if (count < 1000) return std::to_string(count) + "ms";
  if (count < 10'000) return std::to_string(count / 1000) + "." + std::to_string(count % 1000 / 100) + "s";
  return std::to_string(count / 1000) + "s";
}

// "web/0 (replacement)": while one is replaced, its slot has two.
std::string instance_name(const InstanceView& view, bool qualified) {
  return short_name(view.id, qualified) + (view.role.empty() ? "" : " (" + view.role + ")");
}

std::string reason_of(const AppView& view) {
  const bool both = !view.update.empty() && !view.reason.empty();
  return view.update + (both ? ": " : "") + view.reason;
}

bool several_ecosystems(std::span<const PlanStep> steps) {
  return several(steps, [](const PlanStep& step) -> const Name& { return step.app.ecosystem; });
}

}  // namespace

std::string short_name(const AppId& id, bool qualified) { return qualified ? id.str() : id.app.str(); }
std::string short_name(const SlotId& id, bool qualified) {
  return short_name(id.app, qualified) + "/" + std::to_string(id.slot);
}

bool has_several_ecosystems(std::span<const InstanceView> instances) {
  return several(instances, [](const InstanceView& view) -> const Name& { return view.id.app.ecosystem; });
}
bool has_several_ecosystems(std::span<const AppView> apps) {
  return several(apps, [](const AppView& view) -> const Name& { return view.id.ecosystem; });
}

Paint colour_of(Phase phase) {
  switch (phase) {
    case Phase::ready:
      return Paint::green;
    case Phase::waiting:
    case Phase::starting:
    case Phase::stopping:
      return Paint::cyan;
    case Phase::backoff:
      return Paint::yellow;
    case Phase::failed:
      return Paint::red;
    case Phase::completed:
    case Phase::stopped:
      return Paint::dim;
  }
  return Paint::plain;
}

Paint colour_of_state(std::string_view state) {
  if (state == "ready" || state == "succeeded") return Paint::green;
  if (state.starts_with("failed")) return Paint::red;
  if (state == "degraded") return Paint::yellow;
  if (state == "stopped" || state == "completed" || state == "superseded") return Paint::dim;
  return Paint::cyan;  // starting, updating, stopping, running: on its way
}

std::string instance_table(std::span<const InstanceView> instances, WallTime now, const Style& style) {
  const bool qualified = has_several_ecosystems(instances);
  Table table{{"NAME", "PHASE", ">PID", ">RESTARTS", ">AGE", ">MEMORY", ">CPU", "REASON"}};
  for (const auto& view : instances)
    table.add({{instance_name(view, qualified)},
               {std::string{to_text(view.phase)}, colour_of(view.phase)},
               {view.pid == 0 ? "-" : std::to_string(view.pid)},
               {std::to_string(view.restarts), view.restarts == 0 ? Paint::plain : Paint::yellow},
               {age_of(view, now)},
               {view.usage.memory ? format_size(*view.usage.memory) : "-"},
               {view.usage.cpu_time ? format_cpu_time(*view.usage.cpu_time) : "-"},
               {view.reason}});
  return table.text(style);
}

std::string app_table(std::span<const AppView> apps, const Style& style) {
  const bool qualified = has_several_ecosystems(apps);
  Table table{{"APP", ">READY", "STATE", ">REVISION", "REASON"}};
  for (const auto& view : apps)
    table.add({{short_name(view.id, qualified)},
               {std::to_string(view.ready) + "/" + std::to_string(view.instances)},
               {view.state, colour_of_state(view.state)},
               {std::to_string(view.revision)},
               {reason_of(view)}});
  return table.text(style);
}

std::string history_table(std::span<const RevisionView> revisions, WallTime now, const Style& style) {
  Table table{{"ECOSYSTEM", ">REVISION", "", ">AGE", "WHO", "<OUTCOME", "SUMMARY"}};
  for (const auto& view : revisions)
    table.add({{view.ecosystem.str()},
               {std::to_string(view.number)},
               {view.current ? "*" : "", Paint::green},
               {age(view.when, now)},
               {view.who},
               {view.outcome, colour_of_state(view.outcome)},
               {view.summary}});
  return table.text(style);
}

std::string message_line(WallTime when, std::string_view from, std::string_view text, const Style& style) {
  return paint(style, Paint::dim, rfc3339(when, 3)) + "  " + paint(style, Paint::bold, printable(from)) +
         "  " + printable(text) + "\n";
}

std::string event_line(const EventRecord& record, const Style& style) {
  return paint(style, Paint::dim, rfc3339(record.when, 3)) + "  " +
         paint(style, Paint::bold, printable(record.subject)) + "  " + printable(record.text) + "\n";
}

std::string plan_text(std::span<const PlanStep> steps, const Style& style) {
  const bool qualified = several_ecosystems(steps);
  std::string text;
  for (const auto& step : steps) {
    text += paint(style, colour_of(step.action),
                  std::string{mark_of(step.action)} + " " + short_name(step.app, qualified));
    text += ": " + printable(step.summary);
    if (step.why.size() == 1) text += ": " + printable(step.why.front());
    text += '\n';
    if (step.why.size() > 1)
      for (const auto& why : step.why) text += "    " + printable(why) + '\n';
    for (const auto& note : step.notes) text += "    " + paint(style, Paint::yellow, printable(note)) + '\n';
  }
  return text;
}

std::string progress_text(const ChangeView& view) {
  return printable(view.kind) + " " + printable(view.target) + ": " + std::to_string(view.done) + " of " +
         std::to_string(view.total) + " done";
}

std::string outcome_text(const ChangeReport& report, const Style& style) {
  const auto& view = report.view;
  auto text = printable(view.kind) + " " + printable(view.target) + ": " +
              paint(style, colour_of_state(view.state), printable(view.state));
  if (view.started.micros != 0 && view.finished >= view.started)
    text += " after " + took(Millis{(view.finished.micros - view.started.micros) / 1000});
  if (view.state == "succeeded" && view.revision != 0) text += ", revision " + std::to_string(view.revision);
  if (!view.error.empty()) text += ": " + safe_lines(view.error);
  text += '\n';
  constexpr std::size_t most = 10;  // a thousand instances that fail, fail alike
  const auto shown = std::min(report.failures.size(), most);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& slot = report.failures[i];
    if (slot.reason.empty() && slot.phase == "ready")
      continue;  // what was to replace it failed: see the error
    text += "  " + paint(style, Paint::bold, printable(slot.instance)) + " " + printable(slot.phase) +
            (slot.reason.empty() ? "" : ": " + printable(slot.reason)) + '\n';
  }
  if (report.failures.size() > shown)
    text += "  and " + std::to_string(report.failures.size() - shown) + " more: see 'svctl ls'\n";
  return text;
}

bool is_healthy(const AppView& app) { return app.state != "failed" && app.state != "degraded"; }

}  // namespace svd::cli
