// SPDX-License-Identifier: Apache-2.0
// What /proc says, read and understood. The parsers are pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace svd {

// "" when it cannot be read. For small files of /proc and cgroupfs.
[[nodiscard]] std::string read_file(const std::string& path);
[[nodiscard]] std::string read_file_at(int directory, const std::string& path);

// Where the cgroup v2 hierarchy is mounted (cgroups(7)); the first one. It is not always /sys/fs/cgroup.
struct Cgroup2Mount {
  std::string root;   // which part of the hierarchy is seen there: "/" but in some containers
  std::string point;  // absolute
};
[[nodiscard]] std::optional<Cgroup2Mount> find_cgroup2_mount(std::string_view mountinfo);
// Our path in it: the line "0::PATH" of /proc/self/cgroup.
[[nodiscard]] std::optional<std::string> find_own_cgroup(std::string_view cgroup);
// `path` as seen below `root`: "" for the root itself, else with a leading '/'. nullopt: it is outside.
[[nodiscard]] std::optional<std::string> path_below(std::string_view root, std::string_view path);

// One pid a line, as cgroup.procs has them. 0 (a process of another pid namespace) is left out.
[[nodiscard]] std::vector<std::int64_t> parse_pids(std::string_view text);

// From /proc/PID/stat (proc(5)).
struct ProcessStat {
  char state = '?';
  std::int64_t parent = 0;
  std::int64_t session = 0;
  std::uint64_t start_ticks = 0;  // since boot, in 1/sysconf(_SC_CLK_TCK) s
};
[[nodiscard]] std::optional<ProcessStat> parse_stat(std::string_view text);
[[nodiscard]] std::optional<ProcessStat> read_stat(std::int64_t pid);
// Where it is now; "" when that cannot be read.
[[nodiscard]] std::string working_directory(std::int64_t pid);
struct Process {
  std::int64_t pid = 0;
  ProcessStat stat;
};
using Skip = std::function<bool(std::int64_t pid)>;
// Everybody whom /proc shows but those. nullopt: it cannot be read, for want of a descriptor say.
[[nodiscard]] std::optional<std::vector<Process>> all_processes(const Skip& skip);
// All that descend from `root`, without it, and without those that `skip` names and what descends from them.
// Where the kernel does not list children (CONFIG_PROC_CHILDREN): as all_processes().
[[nodiscard]] std::optional<std::vector<Process>> descendants(std::int64_t root, const Skip& skip);

// Of this boot of the machine, as text; "" where /proc does not tell.
[[nodiscard]] std::string boot_id();

}  // namespace svd
