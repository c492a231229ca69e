// SPDX-License-Identifier: Apache-2.0
#include "kernel/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>

#include "base/unique_fd.h"

namespace svd {
namespace {

// Calls `visit(line)` until it returns false.
template <class Visit>
void each_line(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (!visit(text.substr(0, end))) return;
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

// The next word, taken off the front.
std::string_view word(std::string_view& line) {
  const auto end = line.find(' ');
  const auto found = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return found;
}

// \040 and the like, as the kernel writes blanks in mount points.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8).ptr == text.data() + i + 4) {
      out += static_cast<char>(value);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

template <class Number>
Number number(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The entries of a directory that are numbers; nullopt: it cannot be opened.
std::optional<std::vector<std::int64_t>> numbers_in(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir{::opendir(path.c_str()), ::closedir};
  if (!dir) return std::nullopt;
  std::vector<std::int64_t> found;
  while (const dirent* const entry = ::readdir(dir.get()))
    if (const auto value = number<std::int64_t>(entry->d_name); value > 0) found.push_back(value);
  return found;
}

// A child belongs to the thread that made it.
std::optional<std::vector<std::int64_t>> children_of(std::int64_t pid) {
  const auto tasks = "/proc/" + std::to_string(pid) + "/task";
  const auto threads = numbers_in(tasks);
  if (!threads) return std::nullopt;
  std::vector<std::int64_t> found;
  for (const auto thread : *threads) {
    const auto text = read_file(tasks + "/" + std::to_string(thread) + "/children");
    for (std::string_view left = text; !left.empty();)
      if (const auto child = number<std::int64_t>(word(left)); child > 0) found.push_back(child);
  }
  return found;
}

}  // namespace

std::string read_file_at(int directory, const std::string& path) {
  const UniqueFd fd{::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::string text;
  if (!fd) return text;
  std::array<char, 4096> part{};
  for (;;) {
    const auto got = ::read(fd.get(), part.data(), part.size());
    if (got <= 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
}

std::string read_file(const std::string& path) { return read_file_at(AT_FDCWD, path); }

std::optional<Cgroup2Mount> find_cgroup2_mount(std::string_view mountinfo) {
  std::optional<Cgroup2Mount> found;
  each_line(mountinfo, [&](std::string_view line) {
    const auto dash = line.find(" - ");  // optional fields end here
    if (dash == std::string_view::npos || !line.substr(dash + 3).starts_with("cgroup2 ")) return true;
    for (int i = 0; i < 3; ++i) word(line);  // id, parent, device
    const auto root = word(line);
    found = Cgroup2Mount{unescape(root), unescape(word(line))};
    return false;
  });
  return found;
}

std::optional<std::string> find_own_cgroup(std::string_view cgroup) {
  std::optional<std::string> found;
  each_line(cgroup, [&](std::string_view line) {
    if (!line.starts_with("0::/")) return true;
    found = line.substr(3);
    return false;
  });
  return found;
}

std::optional<std::string> path_below(std::string_view root, std::string_view path) {
  if (path.starts_with("/..")) return std::nullopt;  // outside of our cgroup namespace
  if (root == "/") return path == "/" ? std::string{} : std::string{path};
  if (path == root) return std::string{};
  if (path.starts_with(root) && path.substr(root.size()).starts_with("/"))
    return std::string{path.substr(root.size())};
  return std::nullopt;
}

std::vector<std::int64_t> parse_pids(std::string_view text) {
  std::vector<std::int64_t> pids;
  each_line(text, [&](std::string_view line) {
    if (const auto pid = number<std::int64_t>(line); pid > 0) pids.push_back(pid);
    return true;
  });
  return pids;
}

std::optional<ProcessStat> parse_stat(std::string_view text) {
  const auto name_end = text.rfind(") ");  // the name may hold blanks and parentheses
  if (name_end == std::string_view::npos) return std::nullopt;
  text.remove_prefix(name_end + 2);
  ProcessStat stat;
  const auto state = word(text);
  if (state.size() != 1) return std::nullopt;
  stat.state = state[0];
  for (int field = 4; field <= 22; ++field) {
    const auto value = word(text);
    if (value.empty()) return std::nullopt;
    if (field == 4) stat.parent = number<std::int64_t>(value);
    if (field == 6) stat.session = number<std::int64_t>(value);
    if (field == 22) stat.start_ticks = number<std::uint64_t>(value);
  }
  return stat;
}

std::optional<ProcessStat> read_stat(std::int64_t pid) {
  return parse_stat(read_file("/proc/" + std::to_string(pid) + "/stat"));
}

std::optional<std::vector<Process>> all_processes(const Skip& skip) {
  const auto pids = numbers_in("/proc");
  if (!pids) return std::nullopt;
  std::vector<Process> found;
  for (const auto pid : *pids)
    if (const auto stat = skip(pid) ? std::nullopt : read_stat(pid)) found.push_back({pid, *stat});
  return found;
}

std::optional<std::vector<Process>> descendants(std::int64_t root, const Skip& skip) {
  if (::access("/proc/thread-self/children", F_OK) < 0) return all_processes(skip);
  auto next = children_of(root);
  if (!next) return std::nullopt;
  std::vector<Process> found;
  while (!next->empty()) {
    const auto pid = next->back();
    next->pop_back();
    if (skip(pid)) continue;
    if (const auto stat = read_stat(pid)) found.push_back({pid, *stat});
    const auto own = children_of(pid).value_or(std::vector<std::int64_t>{});
    next->insert(next->end(), own.begin(), own.end());
  }
  return found;
}

std::string working_directory(std::int64_t pid) {
  std::array<char, 4096> path{};
  const auto link = "/proc/" + std::to_string(pid) + "/cwd";
  const auto length = ::readlink(link.c_str(), path.data(), path.size());
  return length <= 0 ? "" : std::string{path.data(), static_cast<std::size_t>(length)};
}

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace svd
