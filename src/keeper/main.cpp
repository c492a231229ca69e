// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <initializer_list>

#include "keeper/background.h"
#include "keeper/keeper.h"
#include "keeper/log.h"

namespace svd::keeper {

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

std::int64_t wall_us() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

void watch(Keeper& keeper, int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (::epoll_ctl(keeper.epoll, EPOLL_CTL_MOD, fd, &event) == 0) return;
  if (::epoll_ctl(keeper.epoll, EPOLL_CTL_ADD, fd, &event) < 0) note("cannot watch a descriptor", errno);
}

void unwatch(Keeper& keeper, int& fd) {
  if (fd < 0) return;
  ::epoll_ctl(keeper.epoll, EPOLL_CTL_DEL, fd, nullptr);
  ::close(fd);
  fd = -1;
}

namespace {

Keeper keeper;

constexpr int wanted_fd = STDERR_FILENO + 1;  // where the one descriptor that we may have been given goes

// 0 is /dev/null, 1 and 2 are as they were given. Whatever else was open in the process that started us is
// closed: it is not ours.
bool set_up_descriptors() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return false;
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0) ::dup2(null, fd);
  ::dup2(null, STDIN_FILENO);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::fcntl(fd, F_SETFD, 0);  // if `null` is one of them
  const int given = keeper.options.adopt ? engine_fd : keeper.options.ready_fd;
  if (given >= 0 && given != wanted_fd && ::dup2(given, wanted_fd) < 0) return false;
  if (given >= 0) ::fcntl(wanted_fd, F_SETFD, FD_CLOEXEC);
  if (given >= 0)  // by svctl or an engine: no service manager has started us
    ::syscall(SYS_close_range, wanted_fd + 1, ~0U, 0U);
  else
    take_passed(keeper, wanted_fd);
  if (!keeper.options.adopt && given >= 0) keeper.ready_fd = wanted_fd;
  return true;
}

// Every signal is blocked and the wanted ones come through a descriptor; dispositions are default, so that
// children have nothing to reset (whoever started us may have ignored some).
void set_up_signals() {
  // Raw, since libc keeps two signals for itself and refuses to touch them. A zeroed struct sigaction of the
  // kernel's means SIG_DFL.
  const std::uint64_t reset[4] = {};
  for (int number = 1; number < NSIG; ++number)
    ::syscall(SYS_rt_sigaction, number, reset, nullptr, sizeof(std::uint64_t));
  sigset_t all, wanted;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::sigemptyset(&wanted);
  // SIGQUIT and SIGRTMIN+3 (halt, of systemd's) are how containers are asked to stop whose image, or engine,
  // was made for another init: STOPSIGNAL of nginx's images, podman --systemd=always.
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGRTMIN + 3, SIGHUP})
    ::sigaddset(&wanted, number);
  keeper.signals = ::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Held descriptors may be many; children get the old limit back.
void raise_limit() {
  rlimit& limit = keeper.nursery.nofile;
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max) return;
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  keeper.nursery.restore_nofile = ::setrlimit(RLIMIT_NOFILE, &raised) == 0;
}

void find_out_what_works() {
  if (!probe_clone3()) keeper.nursery.missing |= missing_into_cgroup;
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) keeper.nursery.missing |= missing_subreaper;
}

// Whoever has given us a descriptor to be told on waits there. A keeper that an engine started goes, too, so
// that it is nobody's child.
void leave_the_foreground() {
  if (keeper.options.adopt || (keeper.options.daemonize && keeper.ready_fd >= 0)) return go_to_background();
  if (keeper.options.daemonize) keeper.ready_fd = go_to_background_awaited();
}

// What a process has from its parent, and neither fork(2) nor execve(2) resets: nothing of it is meant for
// apps. What one may have meant (niceness, scheduling, affinity, limits, namespaces, no_new_privs) stays.
void leave_inheritance() {
  constexpr unsigned long usual_slack = 50'000;  // nanoseconds
  constexpr int weakening_bits = SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS;
  ::personality(PER_LINUX);
  // Of the securebits those that leave rights to who changes its user; others take some from root.
  if (const int bits = ::prctl(PR_GET_SECUREBITS); bits > 0 && (bits & weakening_bits) != 0)
    ::prctl(PR_SET_SECUREBITS, bits & ~weakening_bits);
  ::prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_TIMERSLACK, usual_slack, 0, 0, 0);
  ::prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0);
  constexpr int join_session_keyring = 1;                // KEYCTL_JOIN_SESSION_KEYRING
  ::syscall(SYS_keyctl, join_session_keyring, nullptr);  // root's, if an administrator has started us
}

bool set_up() {
  leave_inheritance();
  raise_limit();
  if (!set_up_descriptors()) return false;
  leave_the_foreground();
  ::umask(022);
  ::unsetenv("SVD_START");  // where an instance has started us, its mark is not for ours (kernel/strays.h)
  set_up_signals();
  find_out_what_works();
  keeper.epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (keeper.epoll < 0 || keeper.signals < 0 || !set_up_births(keeper)) return false;
  watch(keeper, keeper.signals, EPOLLIN, tag_signals);
  return true;
}

void take_signals() {
  signalfd_siginfo info;
  while (::read(keeper.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGCHLD)
      reap(keeper, static_cast<std::int32_t>(info.ssi_pid));
    else if (info.ssi_signo == SIGHUP)
      keeper.outbox.hangup = true;  // kept until an engine serves
    else
      ask_to_stop(keeper);
  }
}

void take_child_event(std::uint64_t number) {
  Entry& entry = keeper.children.begin()[number];
  pollfd state{entry.pidfd, POLLIN, 0};  // the entry may have got another owner since epoll looked
  if (entry.pidfd >= 0 && ::poll(&state, 1, 0) > 0) adopted_ended(keeper, entry);
}

void take(const epoll_event& event) {
  if (event.data.u64 == tag_signals) return take_signals();
  if (event.data.u64 == tag_engine_pidfd) {
    if (keeper.engine.pidfd >= 0) engine_ended(keeper, Ended::unknown, 0);
    return;
  }
  if (event.data.u64 == tag_base) return;  // check_stopped() looks
  if (event.data.u64 >= tag_launcher && event.data.u64 < tag_child)
    return take_reply(keeper, static_cast<std::uint32_t>(event.data.u64 - tag_launcher));
  if (event.data.u64 == tag_manager) return relay_waiting(keeper);
  if (event.data.u64 >= tag_child) return take_child_event(event.data.u64 - tag_child);
  if (keeper.engine.socket < 0) return;
  if ((event.events & EPOLLOUT) != 0) keeper.outbox.blocked = false;
  if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) serve(keeper);
}

void check_timers() {
  const std::int64_t now = now_ms();
  Engine& engine = keeper.engine;
  if (engine.start_at >= 0 && now >= engine.start_at) start_engine(keeper);
  if (engine.kill_at >= 0 && now >= engine.kill_at && engine.pid > 0) {
    ::kill(engine.pid, SIGKILL);
    engine.kill_at = -1;
  }
  check_births(keeper);
  check_stopped(keeper);
}

// Until the next thing that happens by itself; -1: nothing does.
int wait_time() {
  std::int64_t next = -1;
  const bool stopping = keeper.stop.phase > Stop::Phase::asked || keeper.stop.force;
  for (const std::int64_t at : {keeper.engine.start_at, keeper.engine.kill_at,
                                stopping ? keeper.stop.deadline : -1, next_birth_check(keeper)})
    if (at >= 0 && (next < 0 || at < next)) next = at;
  if (next < 0) return -1;
  const std::int64_t left = next - now_ms();
  return left < 0 ? 0 : left > 60'000 ? 60'000 : static_cast<int>(left);
}

void run() {
  epoll_event events[64];
  while (!keeper.ended) {
    flush(keeper);
    rewatch(keeper);
    const int count = ::epoll_wait(keeper.epoll, events, 64, wait_time());
    // Ends first: who saw one must not be able to ask for the next start before it is on record.
    for (int i = 0; i < count; ++i)
      if (events[i].data.u64 == tag_signals) take(events[i]);
    for (int i = 0; i < count; ++i)
      if (events[i].data.u64 != tag_signals) take(events[i]);
    check_timers();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (const int code = read_options(argc, argv, keeper.options); code >= 0) return code;
  if (keeper.options.command.argv != nullptr) return run_command(keeper.options.command);
  if (!set_up()) {
    note("cannot start", errno);
    return 1;
  }
  if (keeper.options.adopt)
    adopt_engine(keeper, wanted_fd);
  else
    start_engine(keeper);
  run();
  return keeper.code;
}

}  // namespace svd::keeper

int main(int argc, char** argv) { return svd::keeper::main(argc, argv); }
