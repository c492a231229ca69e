// SPDX-License-Identifier: Apache-2.0
// What /proc and cgroupfs say. A program chooses its name, the names of cgroups that are delegated to it and,
// in a namespace, mount points.
#include <algorithm>
#include <string>

#include "daemon/cpus.h"
#include "fuzz/fuzz.h"
#include "kernel/cgroup_files.h"
#include "kernel/cgroups.h"
#include "kernel/controllers.h"
#include "kernel/hardening.h"
#include "kernel/proc.h"

using namespace svd;
using fuzz::require;

namespace {

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
}

void read_processes(std::string_view bytes) {
  for (const auto pid : parse_pids(bytes)) require(pid > 0);
  require(parse_pids(bytes).size() <= lines_in(bytes));
  static_cast<void>(parse_stat(bytes));
}

void read_mounts(std::string_view bytes) {
  if (const auto mount = find_cgroup2_mount(bytes))
    require(mount->point.size() + mount->root.size() <= bytes.size());
  require(mount_points_of(bytes).size() <= lines_in(bytes));
  require(cgroup2_mount(bytes).size() <= bytes.size());
}

void read_cgroups(std::string_view bytes) {
  if (const auto own = find_own_cgroup(bytes)) require(own->starts_with('/'));
  require(find_own_cgroup(bytes).value_or("") == cgroup2_path(bytes));
  if (const auto below = path_below("/", bytes)) require(below->empty() || *below == bytes);
  if (const auto below = path_below("/a/b", bytes))
    require(below->empty() || (below->starts_with('/') && "/a/b" + *below == bytes));
  if (const auto leaf = Cgroups::parse_leaf(bytes)) {
    const auto again = Cgroups::parse_leaf(Cgroups::leaf(leaf->slot, leaf->id));
    require(again && again->slot == leaf->slot && again->id == leaf->id);
  }
}

void read_figures(std::string_view bytes) {
  static_cast<void>(flat_value(bytes, "usage_usec"));
  static_cast<void>(parse_pressure(bytes));
  static_cast<void>(parse_controllers(bytes));
  if (const auto quota = quota_of(bytes)) require(*quota >= 1);
  require(io_max_lines(Limits{}, bytes)->size() <= lines_in(bytes));
}

}  // namespace

FUZZ_TARGET(proc) {
  read_processes(bytes);
  read_mounts(bytes);
  read_cgroups(bytes);
  read_figures(bytes);
}
