// SPDX-License-Identifier: Apache-2.0
// What the kernel bounds, by cgroup v2, for one instance, or for all instances of an app together.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace svd {

// What may go to and from one disk: bytes and operations a second. Unset: not bounded.
struct IoMax {
  std::optional<std::uint64_t> rbps, wbps, riops, wiops;
  bool operator==(const IoMax&) const = default;
};

// Unset: what a fresh cgroup has, which is no limit of its own.
struct Limits {
  std::optional<std::uint64_t> memory;       // bytes; more is not given, and then one is killed
  std::optional<std::uint64_t> memory_high;  // bytes; above, processes are slowed down until some was freed
  std::optional<std::uint64_t> memory_swap;  // bytes
  std::optional<double> cpu;                 // CPUs
  std::optional<std::uint32_t> cpu_weight;   // 1..10000; others have 100
  std::optional<std::uint32_t> io_weight;    // the same
  std::map<std::string, IoMax> io_max;       // key: a device file, any file on the disk, or MAJOR:MINOR
  std::optional<std::uint64_t> pids;         // processes and threads
  std::string cpuset;                        // "0-3,7", ascending; empty: unset
  bool operator==(const Limits&) const = default;
};

}  // namespace svd
