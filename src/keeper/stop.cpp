// SPDX-License-Identifier: Apache-2.0
// SIGTERM and SIGINT are the engine's business as long as there is an engine. If none can serve, the keeper
// stops everything by itself: each child's own stop signal, the longest of their timeouts, SIGKILL, and
// whatever is left in the cgroups.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "keeper/keeper.h"
#include "keeper/log.h"

namespace svd::keeper {
namespace {

constexpr std::int64_t kill_patience =
    5'000;  // for what was sent SIGKILL, and for an engine that was asked to send it

template <class Visit>
void each_living(Keeper& keeper, Visit&& visit) {
  for (Entry& entry : keeper.children)
    if (entry.used && entry.ended == Ended::no) visit(entry);
}

// One write reaches every process below the base, strays included (Linux 5.14).
void kill_cgroups(const Keeper& keeper) {
  if (keeper.nursery.base < 0) return;
  const int fd = ::openat(keeper.nursery.base, "cgroup.kill", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const auto written = ::write(fd, "1", 1);
  ::close(fd);
}

void kill_everything(Keeper& keeper) {
  keeper.stop.phase = Stop::Phase::killing;
  keeper.stop.deadline = now_ms() + kill_patience;
  each_living(keeper, [](const Entry& entry) { send_signal(entry, SIGKILL, Whom::group); });
  kill_cgroups(keeper);
}

// Without cgroups what the instances left is below us, a subreaper: it is our children, once they themselves
// are gone. Whom we kill leaves us its own. Only we reap them, so that no pid in the list can be a
// stranger's. False: nobody is left.
bool kill_orphans() {
  char list[4096];  // the rest has its turn when these are reaped
  const int fd = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  const auto size = fd < 0 ? 0 : ::read(fd, list, sizeof list - 1);
  if (fd >= 0) ::close(fd);
  list[size > 0 ? size : 0] = '\0';
  char* end = nullptr;
  for (char* at = list; *at != '\0'; at = end) {
    const long pid = std::strtol(at, &end, 10);
    if (end == at || *end != ' ') break;  // cut off
    if (pid > 0) ::kill(static_cast<pid_t>(pid), SIGKILL);
    ++end;
  }
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// The last children are gone; what they left in the cgroups follows, and the kernel says when.
void kill_strays(Keeper& keeper) {
  keeper.stop.phase = Stop::Phase::emptying;
  keeper.stop.deadline = now_ms() + kill_patience;
  kill_cgroups(keeper);
  if (keeper.nursery.base < 0) return;
  keeper.stop.events = ::openat(keeper.nursery.base, "cgroup.events", O_RDONLY | O_CLOEXEC);
  if (keeper.stop.events >= 0) watch(keeper, keeper.stop.events, EPOLLPRI, tag_base);
}

// Also makes the next change of it an event (kernfs: a change is signalled once it was read before).
bool is_populated(const Keeper& keeper) {
  if (keeper.nursery.base < 0) return kill_orphans();
  char text[128];
  const auto size = keeper.stop.events < 0 ? 0 : ::pread(keeper.stop.events, text, sizeof text - 1, 0);
  if (size <= 0) return false;
  text[size] = '\0';
  return std::strstr(text, "populated 1") != nullptr;
}

void end_engine(Keeper& keeper) {
  Engine& engine = keeper.engine;
  engine.start_at = -1;
  if (engine.pidfd >= 0)
    ::syscall(SYS_pidfd_send_signal, engine.pidfd, SIGKILL, nullptr, 0);
  else if (engine.pid > 0)
    ::kill(engine.pid, SIGKILL);
}

}  // namespace

void ask_to_stop(Keeper& keeper) {
  Stop& stop = keeper.stop;
  if (stop.phase == Stop::Phase::none && keeper.engine.socket >= 0) {
    stop.phase = Stop::Phase::asked;
    keeper.outbox.shutdown = true;
    return;
  }
  if (stop.phase == Stop::Phase::asked && !stop.force && keeper.engine.socket >= 0) {
    stop.force = true;
    stop.deadline = now_ms() + kill_patience;
    keeper.outbox.shutdown = keeper.outbox.force = true;
    return;
  }
  // Nobody to ask, or asked twice in vain.
  stop.force = stop.phase != Stop::Phase::none;
  if (stop.phase == Stop::Phase::terminating)
    kill_everything(keeper);
  else
    stop_everything(keeper);
}

void stop_everything(Keeper& keeper) {
  Stop& stop = keeper.stop;
  if (stop.phase > Stop::Phase::asked) return;
  note("stopping everything without an engine");
  keeper.code = 1;
  end_engine(keeper);
  hasten_starts(keeper, now_ms(), ESHUTDOWN);
  if (stop.force) return kill_everything(keeper);
  stop.phase = Stop::Phase::terminating;
  std::uint32_t longest = 0;
  each_living(keeper, [&](const Entry& entry) {
    send_signal(entry, entry.stop.signal == 0 ? SIGTERM : entry.stop.signal, entry.stop.whom);
    if (entry.stop.timeout > longest) longest = entry.stop.timeout;
  });
  stop.deadline = now_ms() + longest;
}

void check_stopped(Keeper& keeper) {
  Stop& stop = keeper.stop;
  if (stop.phase == Stop::Phase::asked && stop.force && now_ms() >= stop.deadline) stop_everything(keeper);
  if (stop.phase <= Stop::Phase::asked) return;
  if (keeper.children.alive() == 0 && under_way(keeper) == 0) {
    if (stop.phase != Stop::Phase::emptying) kill_strays(keeper);
    if (!is_populated(keeper)) {
      keeper.ended = true;
      return;
    }
  }
  if (now_ms() < stop.deadline) return;
  if (stop.phase == Stop::Phase::terminating) return kill_everything(keeper);
  note("some processes cannot be ended");
  keeper.ended = true;
}

}  // namespace svd::keeper
