// SPDX-License-Identifier: Apache-2.0
#include "daemon/cpus.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <charconv>

#include "files/io.h"

namespace svd {
namespace {

constexpr std::size_t longest_file = 1U << 20;

// Files of /proc and cgroupfs say they have no size, so they are read to the end.
std::string slurp(const std::string& path) {
  const auto file = open_at(AT_FDCWD, path, O_RDONLY);
  std::string text;
  if (!file) return text;
  char buffer[4096];
  for (;;) {
    const auto got = ::read(file->get(), buffer, sizeof buffer);
    if (got <= 0 || text.size() > longest_file) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

std::string_view take(std::string_view& text, char end) {
  const auto at = text.find(end);
  const auto taken = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
  return taken;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{}) return std::nullopt;
  return value;
}

// The smallest quota of our cgroup and those above it, as far as they can be seen.
std::optional<std::uint32_t> smallest_quota() {
  const auto mount = cgroup2_mount(slurp("/proc/self/mountinfo"));
  auto path = cgroup2_path(slurp("/proc/self/cgroup"));
  if (mount.empty() || path.empty()) return std::nullopt;
  std::optional<std::uint32_t> smallest;
  for (;;) {
    if (const auto quota = quota_of(slurp(mount + path + "/cpu.max")))
      smallest = std::min(smallest.value_or(*quota), *quota);
    if (path.empty()) return smallest;
    path.resize(path.rfind('/'));
  }
}

}  // namespace

std::optional<std::uint32_t> quota_of(std::string_view cpu_max) {
  const auto quota = number(take(cpu_max, ' '));
  const auto period = number(cpu_max);
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>((*quota + *period - 1) / *period, 1, 1U << 20U));
}

std::string cgroup2_mount(std::string_view mountinfo) {
  while (!mountinfo.empty()) {
    auto line = take(mountinfo, '\n');
    const auto separator = line.find(" - cgroup2 ");
    if (separator == std::string_view::npos) continue;
    for (int skipped = 0; skipped < 4; ++skipped) take(line, ' ');
    return std::string{take(line, ' ')};
  }
  return {};
}

std::string cgroup2_path(std::string_view cgroup) {
  while (!cgroup.empty()) {
    const auto line = take(cgroup, '\n');
    if (line.starts_with("0::/")) return std::string{line.substr(3)};
  }
  return {};
}

std::uint32_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails where the machine has more CPUs than the set has bits (1024): then the quota alone counts.
  const int count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1024;
  const auto cpus = static_cast<std::uint32_t>(std::max(count, 1));
  return std::min(cpus, smallest_quota().value_or(cpus));
}

}  // namespace svd
