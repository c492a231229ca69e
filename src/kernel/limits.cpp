// SPDX-License-Identifier: Apache-2.0
#include "kernel/limits.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "kernel/proc.h"

namespace svd {
namespace {

// Given to every app, for the figures. The others are given where a limit needs them: they cost something
// each time a process is put on a CPU.
constexpr ControllerSet always{Controller::io, Controller::memory, Controller::pids};

constexpr std::uint64_t most_pids = 4'194'304;  // PID_MAX_LIMIT of Linux

constexpr const char* of_instance = "limits.";
constexpr const char* of_app = "app_limits.";

std::string sentence(const std::string& key, const std::string& why) {
  return key + " cannot be enforced here: " + why;
}

bool exists(int directory, const std::string& path) {
  return ::faccessat(directory, path.c_str(), F_OK, 0) == 0;
}

// What io.cost is switched on for is told at the top of the whole hierarchy only. True where nothing can be
// known.
bool some_disk_weighs(const std::string& top) {
  if (read_file(top + "/io.cost.qos").find("enable=1") != std::string::npos) return true;
  std::error_code unknown;
  for (const auto& disk : std::filesystem::directory_iterator{"/sys/block", unknown})
    if (read_file(disk.path().string() + "/queue/scheduler").find("[bfq]") != std::string::npos) return true;
  return static_cast<bool>(unknown);
}

std::uint64_t count_of(int directory, const std::string& file, std::string_view event) {
  return flat_value(read_file_at(directory, file), event).value_or(0);
}

std::uint64_t number_in(const char* path) {
  return flat_value("n " + read_file(path), "n").value_or(most_pids);
}

Limits with_defaults(Limits limits, bool has_pids) {
  static const auto usual =
      usual_pids(number_in("/proc/sys/kernel/pid_max"), number_in("/proc/sys/kernel/threads-max"));
  if (has_pids && !limits.pids) limits.pids = usual;
  return limits;
}

}  // namespace

std::uint64_t usual_pids(std::uint64_t pid_max, std::uint64_t threads_max) {
  return std::max<std::uint64_t>(std::min(pid_max, threads_max) * 15 / 100, 1);
}

LinuxLimits::LinuxLimits(const Cgroups& cgroups) : cgroups_{cgroups} {}

// In the order of the hierarchy: what the app is not given, its leaves cannot have.
void LinuxLimits::provide(App& app, const std::string& path, ControllerSet for_leaves,
                          ControllerSet for_app) {
  const auto usable = cgroups_.controllers().usable;
  const auto leaves = (always | for_leaves) & usable;
  const auto apps = leaves | (for_app & usable);
  if (!(apps - given_).empty()) given_ = given_ | enable_controllers(cgroups_.directory(), apps);
  if ((leaves - app.given).empty()) return;
  const UniqueFd directory{::openat(cgroups_.directory(), path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (directory) app.given = app.given | enable_controllers(directory.get(), leaves);
}

std::string LinuxLimits::obstacle(const LimitFile& file) const {
  if (!cgroups_.available()) return cgroups_.why_not();
  if (auto why = cgroups_.controllers().why_not(file.controller); !why.empty()) return why;
  const auto in_base = [&](std::string_view name) {
    return !name.empty() && exists(cgroups_.directory(), std::string{name});
  };
  if (file.key == "io_weight" && !some_disk_weighs(cgroups_.top()))
    return "no disk has a scheduler that knows weights (bfq), nor io.cost";
  if (in_base(file.file) || in_base(file.other)) return "";
  return "this kernel has no " + std::string{file.file};
}

std::string LinuxLimits::reason(const LimitFile& file, const Error& error) const {
  auto why = obstacle(file);
  if (!why.empty()) return why;
  const bool no_such_cpu =
      error.code == std::errc::invalid_argument || error.code == std::errc::result_out_of_range;
  if (file.key == "cpuset" && no_such_cpu) {
    auto there = read_file_at(cgroups_.directory(), "cpuset.cpus.effective");
    return "of its CPUs, some are not among " + there.substr(0, there.find('\n'));
  }
  return error.text;
}

void LinuxLimits::write(App& app, const std::string& path, const std::string& prefix, const Limits& limits,
                        Write which) {
  for (const auto& file : limit_files(limits)) {
    if (!file.is_set && which == Write::set) continue;
    const auto key = prefix + std::string{file.key};
    const auto written = write_limit(cgroups_.directory(), path, file, limits);
    if (written || !file.is_set)
      app.refused.erase(key);
    else
      app.refused[key] = {file.value, reason(file, written.error())};
  }
}

Result<> LinuxLimits::start(const LaunchPlan& plan, const std::string& leaf, bool is_first) {
  auto& app = apps_[plan.slot.app];
  if (is_first) app = {};
  if (!leaf.empty()) write_fresh(app, plan, leaf, is_first);
  if (!plan.limits_required) return {};
  std::vector<std::string> lacking;
  collect(&app, of_instance, plan.limits, lacking);
  collect(&app, of_app, plan.app_limits, lacking);
  if (lacking.empty()) return {};
  return fail(std::errc::operation_not_supported, lacking.front());
}

void LinuxLimits::write_fresh(App& app, const LaunchPlan& plan, const std::string& leaf, bool is_first) {
  const auto path = leaf.substr(0, leaf.find('/'));
  provide(app, path, controllers_of(plan.limits), controllers_of(plan.app_limits));
  if (app.limits != plan.app_limits && (plan.app_limits != Limits{} || !is_first))
    write(app, path, of_app, plan.app_limits, is_first ? Write::set : Write::all);
  app.limits = plan.app_limits;
  if (const auto limits = with_defaults(plan.limits, app.given.contains(Controller::pids));
      limits != Limits{})
    write(app, leaf, of_instance, limits, Write::set);
  if (app.given.contains(Controller::memory)) kill_as_one(leaf);
}

// An instance of which one process was killed for want of memory is of no use: all or none.
void LinuxLimits::kill_as_one(const std::string& leaf) const {
  const UniqueFd file{
      ::openat(cgroups_.directory(), (leaf + "/memory.oom.group").c_str(), O_WRONLY | O_CLOEXEC)};
  [[maybe_unused]] const auto written = ::write(file.get(), "1", 1);
}

void LinuxLimits::resume() {
  if (!cgroups_.available() || cgroups_.controllers().usable.empty()) return;
  std::map<AppId, bool> lost;  // its leaves had no memory controller
  for (const auto& leaf : cgroups_.leaves()) {
    const auto id = Cgroups::parse_leaf(leaf)->slot.app;
    const auto [entry, first] = lost.try_emplace(id);
    if (first) {
      const auto path = id.str();
      const auto had =
          parse_controllers(read_file_at(cgroups_.directory(), path + "/cgroup.subtree_control"));
      auto& app = apps_[id];
      provide(app, path, {}, {});
      entry->second = (app.given - had).contains(Controller::memory);
    }
    if (entry->second) kill_as_one(leaf);
  }
}

void LinuxLimits::adjust(const AppId& id, const Limits& limits) {
  if (!cgroups_.available() || !exists(cgroups_.directory(), id.str())) return;
  auto& app = apps_[id];
  if (app.limits == limits) return;
  provide(app, id.str(), {}, controllers_of(limits));
  write(app, id.str(), of_app, limits, Write::all);
  app.limits = limits;
}

void LinuxLimits::adjust(StartId id, const SlotId& slot, const Limits& limits) {
  const auto leaf = Cgroups::leaf(slot, id);
  if (!cgroups_.available() || !exists(cgroups_.directory(), leaf)) return;
  auto& app = apps_[slot.app];
  provide(app, slot.app.str(), controllers_of(limits), {});
  write(app, leaf, of_instance, with_defaults(limits, app.given.contains(Controller::pids)), Write::all);
}

void LinuxLimits::collect(const App* app, const std::string& prefix, const Limits& limits,
                          std::vector<std::string>& out) const {
  for (const auto& file : limit_files(limits)) {
    if (!file.is_set) continue;
    const auto key = prefix + std::string{file.key};
    if (const auto why = obstacle(file); !why.empty()) {
      out.push_back(sentence(key, why));
    } else if (app != nullptr) {
      const auto refused = app->refused.find(key);
      if (refused != app->refused.end() && refused->second.value == file.value)
        out.push_back(sentence(key, refused->second.why));
    }
  }
}

std::vector<std::string> LinuxLimits::unenforceable(const AppId& id, const AppSpec& spec) const {
  std::vector<std::string> out;
  const auto found = apps_.find(id);
  const App* const app = found == apps_.end() ? nullptr : &found->second;
  collect(app, of_instance, spec.limits, out);
  collect(app, of_app, spec.app_limits, out);
  return out;
}

Usage LinuxLimits::usage(const AppId& app, Figures figures) const { return read(app.str(), figures); }

Usage LinuxLimits::usage(StartId id, const SlotId& slot, Figures figures) const {
  return read(Cgroups::leaf(slot, id), figures);
}

Usage LinuxLimits::read(const std::string& path, Figures figures) const {
  if (!cgroups_.available()) return {};
  return read_usage(cgroups_.directory(), path, cgroups_.controllers().usable, figures);
}

// memory.events of the fresh leaf is about this start alone. Its limit was reached where `oom` counts there,
// the app's where that counts in the app's own directory; else memory ran out further up.
void LinuxLimits::explain(const std::string& leaf, ExitStatus& status) {
  if (status.kind != ExitStatus::Kind::signal || status.number != SIGKILL) return;
  if (!cgroups_.controllers().usable.contains(Controller::memory)) return;
  const int directory = cgroups_.directory();
  if (count_of(directory, leaf + "/memory.events", "oom_kill") == 0) return;
  const auto where = Cgroups::parse_leaf(leaf);
  const auto path = leaf.substr(0, leaf.find('/'));
  auto limit_of = leaf;
  status.oom = Oom::machine;
  if (count_of(directory, leaf + "/memory.events", "oom") > 0) {
    status.oom = Oom::limit;
  } else if (auto& told = apps_[where->slot.app].ooms_told;
             count_of(directory, path + "/memory.events.local", "oom") > told) {
    ++told;
    status.oom = Oom::app_limit;
    limit_of = path;
  }
  if (status.oom != Oom::machine)
    status.oom_limit =
        flat_value("limit " + read_file_at(directory, limit_of + "/memory.max"), "limit").value_or(0);
}

}  // namespace svd
