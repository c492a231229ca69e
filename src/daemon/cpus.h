// SPDX-License-Identifier: Apache-2.0
// How many CPUs `instances: max` means: those this process may run on, and no more than its cgroups' quota
// pays for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace svd {

// cpu.max of a cgroup: "150000 100000" → 2 (a part of a CPU counts as one); nullopt for "max" and what cannot
// be read.
[[nodiscard]] std::optional<std::uint32_t> quota_of(std::string_view cpu_max);

// Where the cgroup v2 hierarchy is mounted, from /proc/self/mountinfo (proc(5)), and our place in it, from
// /proc/self/cgroup; empty: none.
[[nodiscard]] std::string cgroup2_mount(std::string_view mountinfo);
[[nodiscard]] std::string cgroup2_path(std::string_view cgroup);

[[nodiscard]] std::uint32_t usable_cpus();  // ≥ 1

}  // namespace svd
