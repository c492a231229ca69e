// SPDX-License-Identifier: Apache-2.0
// `status` and `daemon status`: labelled lines, then tables.
#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.h"
#include "base/units.h"
#include "cli/json.h"
#include "cli/render.h"

namespace svd::cli {
namespace {

void add_line(std::string& out, const Style& style, std::string_view label, std::string_view text) {
  constexpr std::size_t label_width = 12;
  if (text.empty()) return;
  out += "  " + paint(style, Paint::dim, label) + std::string(label_width - label.size(), ' ') +
         printable(text) + '\n';
}

void add_list(std::string& out, const Style& style, std::string_view title,
              const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  out += '\n' + paint(style, Paint::bold, title) + '\n';
  for (const auto& line : lines) out += "  " + printable(line) + '\n';
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string percent(double share) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.1f%%", share);
  return text.data();
}

// What all instances use together, as far as it is known.
void add_usage(std::string& out, const Style& style, const Usage& usage) {
  std::vector<std::string> memory, cpu, io, pressure;
  if (usage.memory) memory.push_back(format_size(*usage.memory));
  if (usage.memory_peak) memory.push_back(format_size(*usage.memory_peak) + " at most");
  if (usage.memory_swap.value_or(0) > 0) memory.push_back(format_size(*usage.memory_swap) + " in swap");
  if (usage.cpu_time) cpu.push_back(format_cpu_time(*usage.cpu_time));
  if (usage.cpu_throttled.value_or(0) > 0)
    cpu.push_back("held back for " + format_cpu_time(*usage.cpu_throttled));
  if (usage.io_read) io.push_back(format_size(*usage.io_read) + " read");
  if (usage.io_written) io.push_back(format_size(*usage.io_written) + " written");
  for (const auto& [name, member] : usage_pressures)
    if (const auto& share = usage.*member) pressure.push_back(std::string{name} + " " + percent(*share));
  add_line(out, style, "memory", joined(memory));
  add_line(out, style, "cpu", joined(cpu));
  add_line(out, style, "pids", usage.pids ? std::to_string(*usage.pids) : "");
  add_line(out, style, "io", joined(io));
  add_line(out, style, "pressure", pressure.empty() ? "" : joined(pressure) + " of the last 10 s");
}

// argv as one would type it: words with blanks or quotes in single quotes.
std::string command_line(const std::vector<std::string>& argv) {
  std::string text;
  for (const auto& word : argv) {
    if (!text.empty()) text += ' ';
    if (!word.empty() && word.find_first_of(" \t\n'\"\\$`") == std::string::npos) {
      text += word;
      continue;
    }
    text += '\'';
    for (const char c : word) text += c == '\'' ? std::string{"'\\''"} : std::string(1, c);
    text += '\'';
  }
  return text;
}

// "restart.delay=100ms" lines, those with the same first word on one line: "restart  delay=100ms factor=2".
std::vector<std::string> grouped(const std::vector<std::string>& settings) {
  std::vector<std::string> lines;
  std::string group;
  for (const auto& setting : settings) {
    const auto dot = setting.find('.');
    const bool has_group = dot < setting.find('=');
    const auto name = has_group ? setting.substr(0, dot) : std::string{};
    if (has_group && name == group && !lines.empty())
      lines.back() += " " + setting.substr(dot + 1);
    else if (has_group)
      lines.push_back(name + ": " + setting.substr(dot + 1));
    else
      lines.push_back(setting);
    group = name;
  }
  return lines;
}

// Where the instances really run, when `cwd` is, or leads over, a symbolic link: "/srv/releases/7 (web/0,
// web/1)".
std::vector<std::string> directories(const AppStatus& status) {
  std::vector<std::pair<std::string, std::string>> found;  // directory, who is there
  for (const auto& view : status.instances) {
    if (view.directory.empty() || view.directory == status.app.cwd) continue;
    const auto known = std::ranges::find(found, view.directory, &std::pair<std::string, std::string>::first);
    const auto name = short_name(view.id, false);
    if (known == found.end())
      found.emplace_back(view.directory, name);
    else
      known->second += ", " + name;
  }
  std::vector<std::string> lines;
  lines.reserve(found.size());
  for (const auto& [directory, who] : found) lines.push_back(directory + " (" + who + ")");
  return lines;
}

}  // namespace

std::string tail_text(const AppStatus::Tail& tail, const Style& style) {
  if (tail.lines.empty()) return "";
  auto text = paint(style, Paint::bold, "Last lines of " + printable(tail.instance)) +
              (tail.unsure ? " (some may be of earlier starts)\n" : "\n");
  for (const auto& line : tail.lines) text += paint(style, Paint::dim, "  | ") + printable(line) + '\n';
  return text;
}

std::string status_text(const AppStatus& status, WallTime now, const Style& style) {
  const auto& app = status.app;
  auto text = paint(style, Paint::bold, app.id.str()) + ": " +
              paint(style, colour_of_state(app.state), printable(app.state)) + ", " +
              std::to_string(app.ready) + " of " + count(app.instances, "instance") + " ready" +
              (app.wanted ? "" : " (stopped on request; 'svctl start " + app.id.app.str() + "' starts it)") +
              '\n';
  add_line(text, style, "update", app.update);
  add_line(text, style, "reason", app.reason);
  add_line(text, style, "exec", command_line(app.exec));
  add_line(text, style, "cwd", app.cwd);
  for (const auto& line : directories(status)) add_line(text, style, "directory", line);
  add_line(text, style, "user", app.user);
  for (const auto& listener : app.listeners) add_line(text, style, "listens", listener);
  add_line(text, style, "logs", app.log);
  add_line(text, style, "revision", std::to_string(app.revision));
  add_usage(text, style, app.usage);
  if (!status.instances.empty()) text += '\n' + instance_table(status.instances, now, style);
  for (const auto& tail : status.tails)
    if (!tail.lines.empty()) text += '\n' + tail_text(tail, style);
  add_list(text, style, "Settings", grouped(app.settings));
  add_list(text, style, "Environment", app.env);
  add_list(text, style, "Not enforceable here", app.degraded);
  return text;
}

std::string daemon_text(const DaemonView& daemon, WallTime now, const Style& style) {
  auto text = paint(style, Paint::bold, "svd " + printable(daemon.version)) + ": " +
              paint(style, Paint::green, "running") + '\n';
  add_line(text, style, "pid",
           std::to_string(daemon.keeper_pid) + ", since " + rfc3339(daemon.started, 0) + " (" +
               age(daemon.started, now) + ")");
  add_line(text, style, "engine",
           "pid " + std::to_string(daemon.engine_pid) + ", since " + rfc3339(daemon.engine_started, 0) +
               " (" + age(daemon.engine_started, now) + "), start " + std::to_string(daemon.engine_starts));
  add_line(text, style, "address", daemon.address);
  add_line(text, style, "state",
           daemon.state_directory.empty() ? "in memory, until svd ends" : daemon.state_directory);
  add_line(text, style, "logs", daemon.log_directory);
  if (!daemon.unsaved.empty()) add_line(text, style, "not saved", daemon.unsaved);
  add_list(text, style, "Not enforceable here", daemon.degraded);
  return text;
}

std::string summary_text(const DaemonView& daemon, std::span<const AppView> apps, WallTime now,
                         const Style& style) {
  std::uint64_t wanted = 0, ready = 0, completed = 0, stopped = 0;
  for (const auto& app : apps) {
    if (app.state == "completed")
      completed += app.instances;
    else if (app.state == "stopped")
      stopped += app.instances;
    else
      wanted += app.instances;
    ready += app.ready;
  }
  const auto unwell = static_cast<std::uint64_t>(
      std::ranges::count_if(apps, [](const AppView& app) { return !is_healthy(app); }));
  auto text = paint(style, Paint::bold, "svd " + printable(daemon.version)) + ", up " +
              age(daemon.started, now) + ": " + count(apps.size(), "app") + ", " + std::to_string(ready) +
              " of " + count(wanted, "instance") + " ready";
  if (completed != 0) text += ", " + std::to_string(completed) + " completed";
  if (stopped != 0) text += ", " + std::to_string(stopped) + " stopped";
  if (unwell != 0) text += ", " + paint(style, Paint::red, count(unwell, "app") + " not as it should be");
  text += '\n';
  if (!daemon.unsaved.empty())
    text += paint(style, Paint::red, "not saved: ") + printable(daemon.unsaved) + '\n';
  for (const auto& sentence : daemon.degraded) text += "not enforceable here: " + printable(sentence) + '\n';
  return text;
}

}  // namespace svd::cli
