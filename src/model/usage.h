// SPDX-License-Identifier: Apache-2.0
// What an instance, or an app with all its instances, uses: read from its cgroup when somebody asks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace svd {

// Unset: not known here, because there is no cgroup, no such controller, or nothing runs.
struct Usage {
  using Figure = std::optional<std::uint64_t>;
  using Share = std::optional<double>;
  Figure memory, memory_peak, memory_swap;  // bytes
  Figure cpu_time, cpu_throttled;           // microseconds: used, and spent waiting because of limits.cpu
  Figure pids;                              // processes and threads
  Figure io_read, io_written;               // bytes, on all disks
  // Percent of the last ten seconds in which some process waited for it.
  Share cpu_pressure, memory_pressure, io_pressure;
  bool operator==(const Usage&) const = default;
};

// The names that D-Bus and JSON have for them.
inline constexpr std::array<std::pair<std::string_view, Usage::Figure Usage::*>, 8> usage_figures{
    {{"memory", &Usage::memory},
     {"memory_peak", &Usage::memory_peak},
     {"memory_swap", &Usage::memory_swap},
     {"cpu_time", &Usage::cpu_time},
     {"cpu_throttled", &Usage::cpu_throttled},
     {"pids", &Usage::pids},
     {"io_read", &Usage::io_read},
     {"io_written", &Usage::io_written}}};
inline constexpr std::array<std::pair<std::string_view, Usage::Share Usage::*>, 3> usage_pressures{
    {{"cpu", &Usage::cpu_pressure}, {"memory", &Usage::memory_pressure}, {"io", &Usage::io_pressure}}};

// How much of it: memory and cpu_time alone cost two small reads, and are asked for a thousand instances.
enum class Figures : std::uint8_t { brief, all };

}  // namespace svd
