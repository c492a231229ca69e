// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>

#include "base/unique_fd.h"
#include "kernel/proc.h"

namespace svd {
namespace {

constexpr double cpu_period = 100'000;  // microseconds: the kernel's default
constexpr std::string_view no_io_bounds = " rbps=max wbps=max riops=max wiops=max";

// These files are whole in one read(2), and a thousand of them are read for one `ls`.
std::string_view read_once(int directory, const std::string& path, std::array<char, 4096>& into) {
  const UniqueFd file{::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC)};
  const auto got = file ? ::read(file.get(), into.data(), into.size()) : -1;
  return {into.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

template <class Number>
std::string number_or(const std::optional<Number>& value, std::string_view otherwise) {
  return value ? std::to_string(*value) : std::string{otherwise};
}

std::string cpu_max(const std::optional<double>& cpus) {
  const auto quota = cpus ? std::to_string(std::llround(*cpus * cpu_period)) : "max";
  return quota + " " + std::to_string(std::llround(cpu_period));
}

std::string io_line(const std::string& disk, const IoMax& bounds) {
  return disk + " rbps=" + number_or(bounds.rbps, "max") + " wbps=" + number_or(bounds.wbps, "max") +
         " riops=" + number_or(bounds.riops, "max") + " wiops=" + number_or(bounds.wiops, "max");
}

// Never waits: a limit below what is in use would else hold the writer up while memory is taken back
// (Linux 6.16; before that the flag does nothing).
Result<> write_file(int directory, const std::string& path, std::string_view text) {
  const UniqueFd file{::openat(directory, path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file) return fail_errno(errno, "cannot open " + path);
  if (::write(file.get(), text.data(), text.size()) < 0) return fail_errno(errno, "cannot write " + path);
  return {};
}

// The scheduler bfq knows weights up to 1000; 100 is the usual one with both.
std::uint32_t bfq_weight(std::uint32_t weight) {
  constexpr std::uint32_t usual = 100, most = 10'000, most_of_bfq = 1000;
  return weight <= usual ? weight : usual + (weight - usual) * (most_of_bfq - usual) / (most - usual);
}

std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  const bool good = parsed.ec == std::errc{} && (parsed.ptr == end || *parsed.ptr == '\n');
  return good ? std::optional{value} : std::nullopt;
}

std::string device_text(dev_t device) {
  return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

// The sum of "key=123" over all disks.
std::uint64_t io_sum(std::string_view text, std::string_view key) {
  std::uint64_t sum = 0;
  for (auto at = text.find(key); at != std::string_view::npos; at = text.find(key, at + key.size())) {
    std::uint64_t value = 0;
    std::from_chars(text.data() + at + key.size(), text.data() + text.size(), value);
    sum += value;
  }
  return sum;
}

}  // namespace

std::vector<LimitFile> limit_files(const Limits& limits) {
  using enum Controller;
  const auto& [memory_max, high, swap] = std::tie(limits.memory, limits.memory_high, limits.memory_swap);
  std::string disks;
  for (const auto& [disk, bounds] : limits.io_max) disks += io_line(disk, bounds) + "\n";
  return {
      {"memory", memory, "memory.max", {}, number_or(memory_max, "max"), memory_max.has_value()},
      {"memory_high", memory, "memory.high", {}, number_or(high, "max"), high.has_value()},
      {"memory_swap", memory, "memory.swap.max", {}, number_or(swap, "max"), swap.has_value()},
      {"cpu", cpu, "cpu.max", {}, cpu_max(limits.cpu), limits.cpu.has_value()},
      {"cpu_weight",
       cpu,
       "cpu.weight",
       {},
       number_or(limits.cpu_weight, "100"),
       limits.cpu_weight.has_value()},
      {"io_weight", io, "io.weight", "io.bfq.weight", number_or(limits.io_weight, "100"),
       limits.io_weight.has_value()},
      {"io_max", io, "io.max", {}, disks, !limits.io_max.empty()},
      {"pids", pids, "pids.max", {}, number_or(limits.pids, "max"), limits.pids.has_value()},
      {"cpuset", cpuset, "cpuset.cpus", {}, limits.cpuset + "\n", !limits.cpuset.empty()},
  };
}

ControllerSet controllers_of(const Limits& limits) {
  ControllerSet set;
  for (const auto& file : limit_files(limits))
    if (file.is_set) set.insert(file.controller);
  return set;
}

Result<std::string> disk_number(const std::string& disk) {
  if (!disk.starts_with('/')) return disk;
  struct stat status {};
  if (::stat(disk.c_str(), &status) < 0) return fail_errno(errno, "cannot find the disk of '" + disk + "'");
  const auto device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
  if (major(device) == 0)
    return fail(std::errc::no_such_device,
                "cannot find the disk of '" + disk + "': its file system is not on one");
  const auto entry = "/sys/dev/block/" + device_text(device);
  if (::access((entry + "/partition").c_str(), F_OK) < 0) return device_text(device);
  auto whole = read_file(entry + "/../dev");
  return whole.substr(0, whole.find('\n'));
}

Result<std::vector<std::string>> io_max_lines(const Limits& limits, std::string_view now) {
  std::vector<std::string> lines;
  std::vector<std::string> disks;
  for (const auto& [disk, bounds] : limits.io_max) {
    SVD_TRY(auto number, disk_number(disk));
    lines.push_back(io_line(number, bounds));
    disks.push_back(std::move(number));
  }
  while (!now.empty()) {
    const auto line = next_line(now);
    std::string disk{line.substr(0, line.find(' '))};
    if (!disk.empty() && std::ranges::find(disks, disk) == disks.end())
      lines.push_back(disk.append(no_io_bounds));
  }
  return lines;
}

Result<> write_limit(int directory, const std::string& path, const LimitFile& file, const Limits& limits) {
  const auto name = path + "/" + std::string{file.file};
  if (file.key == "io_max") {
    SVD_TRY(const auto lines, io_max_lines(limits, read_file_at(directory, name)));
    for (const auto& line : lines) SVD_CHECK(write_file(directory, name, line));
    return {};
  }
  auto written = write_file(directory, name, file.value);
  // Linux 6.1 does not let a cpuset that has processes be emptied again: all CPUs that there are.
  if (!written && file.key == "cpuset" && !file.is_set)
    written = write_file(directory, name, read_file_at(directory, "cpuset.cpus.effective"));
  if (file.other.empty()) return written;
  auto also = write_file(directory, path + "/" + std::string{file.other},
                         std::to_string(bfq_weight(limits.io_weight.value_or(100))));
  if (!written && written.error().code == std::errc::no_such_file_or_directory) return also;
  return written;
}

std::optional<std::uint64_t> flat_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const auto line = next_line(text);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
      return parse_number(line.substr(key.size() + 1));
  }
  return std::nullopt;
}

std::optional<double> parse_pressure(std::string_view text) {
  constexpr std::string_view head = "some avg10=";
  if (!text.starts_with(head)) return std::nullopt;
  double value = 0;
  const auto parsed = std::from_chars(text.data() + head.size(), text.data() + text.size(), value);
  return parsed.ec == std::errc{} ? std::optional{value} : std::nullopt;
}

Usage read_usage(int directory, const std::string& path, ControllerSet there, Figures figures) {
  std::array<char, 4096> buffer{};
  const auto read = [&](const char* file) { return read_once(directory, path + "/" + file, buffer); };
  const bool all = figures == Figures::all;
  Usage usage;
  const auto cpu = read("cpu.stat");  // it needs no controller
  usage.cpu_time = flat_value(cpu, "usage_usec");
  if (all) usage.cpu_throttled = flat_value(cpu, "throttled_usec");
  if (there.contains(Controller::memory)) {
    usage.memory = parse_number(read("memory.current"));
    if (all) usage.memory_peak = parse_number(read("memory.peak"));
    if (all) usage.memory_swap = parse_number(read("memory.swap.current"));
  }
  if (!all) return usage;
  usage.pids = parse_number(read("pids.current"));
  if (::faccessat(directory, (path + "/io.stat").c_str(), F_OK, 0) == 0) {
    const auto io = read_file_at(directory, path + "/io.stat");  // a line for each disk, however many
    usage.io_read = io_sum(io, " rbytes=");
    usage.io_written = io_sum(io, " wbytes=");
  }
  usage.cpu_pressure = parse_pressure(read("cpu.pressure"));
  usage.memory_pressure = parse_pressure(read("memory.pressure"));
  usage.io_pressure = parse_pressure(read("io.pressure"));
  return usage;
}

}  // namespace svd
