// SPDX-License-Identifier: Apache-2.0
// LimitPort for Linux: limits are written to the cgroups of instances and apps, use is read from them.
//
// A fresh leaf gets its limits before its process is born. What cannot be enforced is known beforehand where
// a controller or a file is missing, and is found out by writing where the kernel refuses a value; either way
// it is told, and it keeps a process from being started only where the app requires its limits.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/ports.h"
#include "kernel/cgroup_files.h"
#include "kernel/cgroups.h"
#include "model/phase.h"

namespace svd {

// `pids` of an instance for which the file says none, from the kernel's bounds of the same name: systemd's
// share for a service (DefaultTasksMax=). What one app forks by mistake leaves room for the others.
[[nodiscard]] std::uint64_t usual_pids(std::uint64_t pid_max, std::uint64_t threads_max);

class LinuxLimits final : public LimitPort {
 public:
  explicit LinuxLimits(const Cgroups& cgroups);

  // For what runs already, from before this engine: under systemd, controllers are taken from it when svd
  // ends (units/free-cgroup). The limits themselves are told again by adjust().
  void resume();
  // A leaf was made for this start ("": there are no cgroups). `is_first`: its app's directory was made with
  // it. Error, only where the limits are required: the sentence that unenforceable() has for it.
  Result<> start(const LaunchPlan& plan, const std::string& leaf, bool is_first);
  // Completes the status of a main process that ended, from what its leaf says: SIGKILL may have come from
  // the kernel, for want of memory.
  void explain(const std::string& leaf, ExitStatus& status);

  void adjust(const AppId& app, const Limits& limits) override;
  void adjust(StartId id, const SlotId& slot, const Limits& limits) override;
  [[nodiscard]] std::vector<std::string> unenforceable(const AppId& app, const AppSpec& spec) const override;
  [[nodiscard]] Usage usage(const AppId& app, Figures figures) const override;
  [[nodiscard]] Usage usage(StartId id, const SlotId& slot, Figures figures) const override;

 private:
  struct Refusal {
    std::string value, why;
  };
  // What was done to an app's directory.
  struct App {
    ControllerSet given;                                  // to its leaves
    std::optional<Limits> limits;                         // as last written
    std::map<std::string, Refusal, std::less<>> refused;  // "limits.cpuset" → why
    std::uint64_t ooms_told = 0;                          // that its own limit is behind
  };
  enum class Write : std::uint8_t { set, all };  // all: what is unset is lifted

  void write_fresh(App& app, const LaunchPlan& plan, const std::string& leaf, bool is_first);
  void write(App& app, const std::string& path, const std::string& prefix, const Limits& limits, Write which);
  void provide(App& app, const std::string& path, ControllerSet for_leaves, ControllerSet for_app);
  void kill_as_one(const std::string& leaf) const;
  [[nodiscard]] Usage read(const std::string& path, Figures figures) const;
  [[nodiscard]] std::string obstacle(const LimitFile& file) const;
  [[nodiscard]] std::string reason(const LimitFile& file, const Error& error) const;
  void collect(const App* app, const std::string& prefix, const Limits& limits,
               std::vector<std::string>& out) const;

  const Cgroups& cgroups_;
  ControllerSet given_;  // to apps
  std::map<AppId, App> apps_;
};

}  // namespace svd
