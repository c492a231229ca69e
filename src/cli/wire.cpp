// SPDX-License-Identifier: Apache-2.0
#include "cli/wire.h"

#include <array>
#include <charconv>

#include "base/text.h"
#include "cli/parse_names.h"

namespace svd::cli::wire {
namespace {

tl::unexpected<Error> strange(std::string_view what, std::string_view text) {
  return fail(std::errc::io_error, "cannot understand the daemon's answer: unknown " + std::string{what} +
                                       " '" + printable(text) + "' (svctl and svd of different versions?)");
}

// sdbus::Struct is a tuple, but one that structured bindings do not take apart.
template <class... T>
const std::tuple<T...>& fields(const sdbus::Struct<T...>& row) {
  return row;
}

// Absent or of another type: the default, so that a newer daemon with other properties is still understood.
template <class T>
T property(const Properties& properties, const std::string& name) {
  const auto found = properties.find(name);
  if (found == properties.end() || !found->second.containsValueOfType<T>()) return T{};
  return found->second.get<T>();
}

WallTime time_property(const Properties& properties, const std::string& name) {
  return {property<std::int64_t>(properties, name)};
}

// All bits set: not known.
Usage::Figure known_figure(std::uint64_t figure) {
  return figure == ~0ULL ? Usage::Figure{} : Usage::Figure{figure};
}

std::string encode(std::string_view label) {
  constexpr std::string_view hex = "0123456789abcdef";
  if (label.empty()) return "_";
  std::string out;
  for (std::size_t i = 0; i < label.size(); ++i) {
    const char c = label[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (i > 0 && c >= '0' && c <= '9')) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '_';
      out += hex[byte >> 4U];
      out += hex[byte & 0xFU];
    }
  }
  return out;
}

constexpr std::string_view change_prefix = "/org/svd1/change/";

}  // namespace

Result<PlanStep> to_step(const Step& row) {
  const auto& [action, app, instances, summary, why, notes] = fields(row);
  const auto known = parse_action(action);
  if (!known) return strange("action", action);
  SVD_TRY(auto id, parse_app_id(app));
  return PlanStep{*known, std::move(id), instances, summary, why, notes};
}

Result<AppView> to_app(const App& row) {
  const auto& [name, object, instances, ready, state, reason, wanted, revision, update] = fields(row);
  AppView view;
  SVD_TRY(view.id, parse_app_id(name));
  view.instances = instances;
  view.ready = ready;
  view.state = state;
  view.reason = reason;
  view.wanted = wanted;
  view.revision = revision;
  view.update = update;
  return view;
}

Result<AppView> to_app(const Properties& properties) {
  AppView view;
  SVD_TRY(view.id.ecosystem, Name::parse(property<std::string>(properties, "Ecosystem")));
  SVD_TRY(view.id.app, Name::parse(property<std::string>(properties, "Name")));
  view.instances = property<std::uint32_t>(properties, "Instances");
  view.ready = property<std::uint32_t>(properties, "Ready");
  view.state = property<std::string>(properties, "State");
  view.reason = property<std::string>(properties, "Reason");
  view.wanted = property<bool>(properties, "Wanted");
  view.revision = property<std::uint64_t>(properties, "Revision");
  view.generation = property<std::uint64_t>(properties, "Generation");
  view.exec = property<std::vector<std::string>>(properties, "Exec");
  view.cwd = property<std::string>(properties, "Cwd");
  view.user = property<std::string>(properties, "User");
  view.env = property<std::vector<std::string>>(properties, "Env");
  view.log = property<std::string>(properties, "Logs");
  view.settings = property<std::vector<std::string>>(properties, "Settings");
  view.listeners = property<std::vector<std::string>>(properties, "Listeners");
  view.update = property<std::string>(properties, "Update");
  view.degraded = property<std::vector<std::string>>(properties, "Degraded");
  view.usage = to_usage(property<Figures>(properties, "Usage"), property<Pressures>(properties, "Pressure"));
  return view;
}

Result<InstanceView> to_instance(const Instance& row) {
  const auto& [name, phase, reason, pid, start, revision, generation, restarts, since, started, next_start,
               last_exit, cgroup, log, role, directory, memory, cpu_time] = fields(row);
  const auto known = parse_phase(phase);
  if (!known) return strange("phase", phase);
  InstanceView view;
  SVD_TRY(view.id, parse_slot_id(name));
  view.phase = *known;
  view.reason = reason;
  view.pid = static_cast<std::int64_t>(pid);
  view.start = start;
  view.revision = revision;
  view.generation = generation;
  view.restarts = restarts;
  view.since = {since};
  view.started = {started};
  view.next_start = {next_start};
  view.last_exit = parse_exit_status(last_exit);
  view.cgroup = cgroup;
  view.log = log;
  view.role = role;
  view.directory = directory;
  view.usage.memory = known_figure(memory);
  view.usage.cpu_time = known_figure(cpu_time);
  return view;
}

Usage to_usage(const Figures& figures, const Pressures& pressures) {
  Usage usage;
  for (const auto& [name, member] : usage_figures)
    if (const auto found = figures.find(std::string{name}); found != figures.end())
      usage.*member = found->second;
  for (const auto& [name, member] : usage_pressures)
    if (const auto found = pressures.find(std::string{name}); found != pressures.end())
      usage.*member = found->second;
  return usage;
}

Result<RevisionView> to_revision(const Revision& row) {
  const auto& [ecosystem, number, when, who, outcome, file, summary, current] = fields(row);
  RevisionView view;
  SVD_TRY(view.ecosystem, Name::parse(ecosystem));
  view.number = number;
  view.when = {when};
  view.who = who;
  view.outcome = outcome;
  view.file = file;
  view.summary = summary;
  view.current = current;
  return view;
}

EventRecord to_event(const Event& row) {
  const auto& [sequence, when, kind, subject, text] = fields(row);
  return {sequence, {when}, kind, subject, text};
}

Result<ChangeReport> to_change(ChangeId id, const Properties& properties) {
  ChangeReport report;
  auto& view = report.view;
  view.id = id;
  view.kind = property<std::string>(properties, "Kind");
  view.target = property<std::string>(properties, "Target");
  view.state = property<std::string>(properties, "State");
  view.error = property<std::string>(properties, "Error");
  view.done = property<std::uint32_t>(properties, "Done");
  view.total = property<std::uint32_t>(properties, "Total");
  view.started = time_property(properties, "StartedAt");
  view.finished = time_property(properties, "FinishedAt");
  view.revision = property<std::uint64_t>(properties, "Revision");
  for (const auto& row : property<std::vector<Step>>(properties, "Steps")) {
    SVD_TRY(auto step, to_step(row));
    view.steps.push_back(std::move(step));
  }
  for (const auto& row : property<std::vector<Failed>>(properties, "Failed")) {
    const auto& [instance, phase, reason] = fields(row);
    report.failures.push_back({instance, phase, reason});
    SVD_TRY(auto slot, parse_slot_id(instance));
    view.failed.push_back(std::move(slot));
  }
  return report;
}

DaemonView to_daemon(const Properties& properties) {
  DaemonView view;
  view.version = property<std::string>(properties, "Version");
  view.keeper_pid = property<std::uint64_t>(properties, "KeeperPid");
  view.engine_pid = property<std::uint64_t>(properties, "EnginePid");
  view.started = time_property(properties, "StartedAt");
  view.engine_started = time_property(properties, "EngineStartedAt");
  view.engine_starts = property<std::uint64_t>(properties, "EngineStarts");
  view.degraded = property<std::vector<std::string>>(properties, "Degraded");
  view.address = property<std::string>(properties, "Address");
  view.state_directory = property<std::string>(properties, "StateDirectory");
  view.log_directory = property<std::string>(properties, "LogDirectory");
  view.unsaved = property<std::string>(properties, "Unsaved");
  return view;
}

std::string app_path(const AppId& id) {
  return "/org/svd1/app/" + encode(id.ecosystem.str()) + "/" + encode(id.app.str());
}

std::string change_path(ChangeId id) {
  return std::string{change_prefix} + std::to_string(static_cast<std::uint64_t>(id));
}

ChangeId change_of(std::string_view path) {
  if (!path.starts_with(change_prefix)) return ChangeId{};
  path.remove_prefix(change_prefix.size());
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(path.data(), path.data() + path.size(), number);
  return parsed.ec == std::errc{} && parsed.ptr == path.data() + path.size() ? ChangeId{number} : ChangeId{};
}

}  // namespace svd::cli::wire
