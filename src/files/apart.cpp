// SPDX-License-Identifier: Apache-2.0
#include "files/apart.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <map>
#include <string_view>

#include "base/unique_fd.h"

namespace svd {
namespace {

constexpr std::size_t most_at_once = 16;

TimePoint clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return TimePoint{std::chrono::seconds{now.tv_sec} + Nanos{now.tv_nsec}};
}

// Those that were killed and did not end: they wait in the kernel.
std::map<std::string, pid_t>& hanging() {
  static std::map<std::string, pid_t> all;
  return all;
}

bool has_ended(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; }

// Nothing else stays open here: others wait for the last one who has it.
[[noreturn]] void answer(const UniqueFd& pipe, const std::function<std::string()>& work) {
  constexpr int place = STDERR_FILENO + 1;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::dup2(pipe.get(), place) < 0) ::_exit(1);
  ::syscall(SYS_close_range, place + 1, ~0U, 0U);
  const auto text = work();
  for (std::string_view left{text}; !left.empty();) {
    const auto written = ::write(place, left.data(), left.size());
    if (written <= 0) ::_exit(1);
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  ::_exit(0);
}

// False: not in time.
bool read_all(int pipe, TimePoint deadline, std::string& out) {
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(deadline - clock_now()).count();
    pollfd state{pipe, POLLIN, 0};
    const int ready = ::poll(&state, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready == 0) return false;
    if (ready < 0) continue;
    std::array<char, 4096> part{};
    const auto got = ::read(pipe, part.data(), part.size());
    if (got <= 0) return true;
    out.append(part.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<std::string> apart(const std::string& name, const std::function<std::string()>& work,
                          Millis patience) {
  auto& former = hanging();
  std::erase_if(former, [](const auto& one) { return has_ended(one.second); });
  if (former.contains(name) || former.size() >= most_at_once)
    return fail(std::errc::timed_out, "the file system of '" + name + "' does not answer");
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) return fail_errno(errno, "cannot look at '" + name + "'");
  const UniqueFd ours{ends[0]};
  UniqueFd theirs{ends[1]};
  const auto pid = ::fork();
  if (pid < 0) return fail_errno(errno, "cannot look at '" + name + "'");
  if (pid == 0) answer(theirs, work);
  theirs.reset();
  std::string text;
  if (read_all(ours.get(), clock_now() + patience, text)) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
    return text;
  }
  ::kill(pid, SIGKILL);
  if (!has_ended(pid)) former.emplace(name, pid);
  return fail(std::errc::timed_out, "the file system of '" + name + "' does not answer");
}

}  // namespace svd
