// SPDX-License-Identifier: Apache-2.0
#include "kernel/former_base.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/time.h"
#include "base/unique_fd.h"
#include "files/io.h"
#include "kernel/proc.h"
#include "loop/loop.h"

namespace svd {
namespace {

const std::string file_name = "cgroup";
constexpr Millis longest_wait{2'000};
constexpr int descriptors = 16;  // for walking a tree; deeper ones are only slower

bool is_populated(int events) {
  char text[128]{};
  return ::pread(events, text, sizeof text - 1, 0) > 0 &&
         std::string_view{text}.find("populated 1") != std::string_view::npos;
}

UniqueFd open_events(const std::string& base) {
  return UniqueFd{::open((base + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC)};
}

int kill_members(const char* path, const struct stat*, int kind, FTW*) {
  if (kind != FTW_D) return 0;
  for (const auto pid : parse_pids(read_file(std::string{path} + "/cgroup.procs")))
    ::kill(static_cast<pid_t>(pid), SIGKILL);
  return 0;
}

int remove_directory(const char* path, const struct stat*, int kind, FTW*) {
  if (kind == FTW_DP) ::rmdir(path);
  return 0;
}

void kill_all(const std::string& base) {
  const UniqueFd file{::open((base + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC)};
  if (file && ::write(file.get(), "1", 1) == 1) return;
  ::nftw(base.c_str(), kill_members, descriptors, FTW_PHYS);  // Linux before 5.14, or no right to write
}

}  // namespace

std::string former_base(const std::string& state_directory) {
  auto base = read_file(state_directory + "/" + file_name);
  while (base.ends_with('\n')) base.pop_back();
  if (!base.starts_with('/')) return {};
  const auto events = open_events(base);
  return events && is_populated(events.get()) ? base : std::string{};
}

Result<> remember_base(const std::string& state_directory, const std::string& base) {
  if (read_file(state_directory + "/" + file_name) == base + "\n") return {};
  SVD_CHECK(make_directories(state_directory, 0700));
  const UniqueFd directory{::open(state_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) return fail_errno(errno, "cannot open the directory '" + state_directory + "'");
  return write_file_at(directory.get(), {.name = file_name, .temp = "." + file_name + ".tmp"}, base + "\n");
}

bool is_in_reach(const std::string& top, const std::string& own, const std::string& base) {
  const auto ours = own + "/", theirs = base + "/";
  const auto same = std::ranges::mismatch(ours, theirs).in1 - ours.begin();
  const auto slash = std::string_view{ours}.substr(0, static_cast<std::size_t>(same)).rfind('/');
  auto common = ours.substr(0, slash == std::string::npos ? 0 : slash);
  if (!common.starts_with(top)) common = top;
  return ::faccessat(AT_FDCWD, (common + "/cgroup.procs").c_str(), W_OK, AT_EACCESS) == 0;
}

bool end_base(const std::string& base) {
  const auto events = open_events(base);
  const auto deadline = Loop::now().mono + longest_wait;
  while (events && is_populated(events.get()) && Loop::now().mono < deadline) {
    kill_all(base);
    pollfd state{events.get(), POLLPRI, 0};
    constexpr int look_again_ms = 100;
    ::poll(&state, 1, look_again_ms);
  }
  const bool done = !events || !is_populated(events.get());
  ::nftw(base.c_str(), remove_directory, descriptors, FTW_PHYS | FTW_DEPTH);
  return done;
}

}  // namespace svd
