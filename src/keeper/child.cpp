// SPDX-License-Identifier: Apache-2.0
// Runs in a process that shares its memory with the suspended keeper: nothing here may allocate, lock, or
// leave anything changed but the Birth (and errno, which belongs to the keeper's thread). setresuid(2) and
// friends are called raw, since libc's wrappers synchronise threads; the signal mask, too, since libc keeps
// signals for itself.
#include "keeper/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "keeper/log_file.h"

namespace svd::keeper {
namespace {

[[noreturn]] void give_up(Birth& birth, Stage stage, int err, int detail = 0) {
  birth.stage = stage;
  birth.err = err;
  birth.detail = detail;
  ::_exit(127);
}

// Until it runs its program a child goes with the keeper: who comes after would not know of it. A change of
// identity takes the wish back.
void die_with_the_keeper(const Birth& birth) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != birth.keeper) ::_exit(127);  // it was dead before
}

// First of all, and before anything is opened or closed: a table of descriptors of its own that has 0 to 3
// and what is passed only.
void leave_descriptors(Birth& birth) {
  const unsigned flags = birth.shares_files ? CLOSE_RANGE_UNSHARE : 0;
  const unsigned rest = passed_slot + birth.launch->spawn->passed_count;
  if (::syscall(SYS_close_range, rest, ~0U, flags) == 0) return;
  if (birth.shares_files || (errno != ENOSYS && errno != EPERM)) give_up(birth, Stage::stdio, errno);
  // Linux before 5.9, or a filter: all of the keeper's descriptors are close-on-exec anyway.
}

void join_cgroup(Birth& birth) {
  if (birth.procs_fd >= 0 && ::write(birth.procs_fd, "0", 1) < 0) give_up(birth, Stage::cgroup, errno);
}

void set_limits(Birth& birth) {
  const Nursery& nursery = *birth.nursery;
  if (nursery.restore_nofile) ::prlimit(0, RLIMIT_NOFILE, &nursery.nofile, nullptr);
  const Launch& launch = *birth.launch;
  for (std::uint32_t i = 0; i < launch.spawn->rlimit_count; ++i) {
    const Limit& limit = launch.limits[i];
    const rlimit value{limit.soft, limit.hard};
    if (::prlimit(0, static_cast<__rlimit_resource>(limit.resource), &value, nullptr) < 0)
      give_up(birth, Stage::rlimit, errno, static_cast<int>(limit.resource));
  }
}

void set_oom_score(Birth& birth, int score) {
  char text[12];
  char* at = text + sizeof text;
  unsigned left = score < 0 ? 0U - static_cast<unsigned>(score) : static_cast<unsigned>(score);
  do *--at = static_cast<char>('0' + left % 10);
  while ((left /= 10) != 0);
  if (score < 0) *--at = '-';
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, at, static_cast<std::size_t>(text + sizeof text - at)) < 0)
    give_up(birth, Stage::scheduling, errno, 1);
}

void set_scheduling(Birth& birth) {
  const Spawn& spawn = *birth.launch->spawn;
  if ((spawn.given & given_nice) != 0 && ::setpriority(PRIO_PROCESS, 0, spawn.nice) < 0)
    give_up(birth, Stage::scheduling, errno, 0);
  if ((spawn.given & given_oom) != 0) set_oom_score(birth, spawn.oom_score_adj);
  if ((spawn.given & given_umask) != 0) ::umask(static_cast<mode_t>(spawn.umask));
}

// Opened without blocking, then made blocking: a FIFO without a reader would suspend the keeper with us.
int open_log(Birth& birth) {
  const int fd = open_log_file(birth.launch->stdio_path);
  if (fd < 0) give_up(birth, Stage::log, -fd);
  if (::fcntl(fd, F_SETFL, O_APPEND) < 0) give_up(birth, Stage::log, errno);
  return fd;
}

// The keeper's descriptor 0 is /dev/null, open for both.
void set_stdio(Birth& birth) {
  int out = -1;
  switch (birth.launch->spawn->stdio) {
    case Stdio::null:
      out = STDIN_FILENO;
      break;
    case Stdio::path:
      out = open_log(birth);
      break;
    case Stdio::fd:
      out = stdio_slot;
      break;
    case Stdio::inherit:
      return;
  }
  if (::dup2(out, STDOUT_FILENO) < 0 || ::dup2(out, STDERR_FILENO) < 0) give_up(birth, Stage::stdio, errno);
}

// Down by one each, in order, since the log's place is free by now. The copies are not close-on-exec; what is
// left of the last one is.
void pass_descriptors(Birth& birth) {
  const int count = static_cast<int>(birth.launch->spawn->passed_count);
  for (int i = 0; i < count; ++i)
    if (::dup2(passed_slot + i, first_passed + i) < 0) give_up(birth, Stage::stdio, errno);
}

// In place, in the message's memory: the text is the child's alone.
void put_own_pid(char* digits) {
  char text[12];
  char* at = text + sizeof text;
  *--at = '\0';
  for (auto left = static_cast<unsigned>(::getpid()); left > 0; left /= 10)
    *--at = static_cast<char>('0' + left % 10);
  std::memcpy(digits, at, static_cast<std::size_t>(text + sizeof text - at));
}

void set_listen_pid(Birth& birth) {
  const Launch& launch = *birth.launch;
  if (launch.spawn->passed_count == 0) return;
  for (char** variable = launch.envp; *variable != nullptr; ++variable)
    if (std::strcmp(*variable, listen_pid) == 0) put_own_pid(*variable + sizeof "LISTEN_PID=" - 1);
}

void set_identity(Birth& birth) {
  const Launch& launch = *birth.launch;
  const Spawn& spawn = *launch.spawn;
  if ((spawn.given & given_groups) != 0 &&
      ::syscall(SYS_setgroups, static_cast<std::size_t>(spawn.group_count), launch.groups) < 0)
    give_up(birth, Stage::groups, errno);
  if ((spawn.given & given_group) != 0 && ::syscall(SYS_setresgid, spawn.gid, spawn.gid, spawn.gid) < 0)
    give_up(birth, Stage::group, errno);
  if ((spawn.given & given_user) != 0 && ::syscall(SYS_setresuid, spawn.uid, spawn.uid, spawn.uid) < 0)
    give_up(birth, Stage::identity, errno);
  if ((spawn.given & (given_group | given_user)) != 0) die_with_the_keeper(birth);
}

// As execvp(3): what cannot be found or looked at is passed over, and "permission denied" is told rather than
// "not found".
[[noreturn]] void execute(Birth& birth) {
  const Launch& launch = *birth.launch;
  ::prctl(PR_SET_PDEATHSIG, 0);
  int err = ENOENT;
  for (std::uint32_t i = 0; i < launch.spawn->execc; ++i) {
    ::execve(launch.exec[i], launch.argv, launch.envp);
    if (errno == EACCES) {
      err = EACCES;
      continue;
    }
    if (errno == ENOENT || errno == ENOTDIR || errno == ESTALE || errno == ENODEV || errno == ETIMEDOUT)
      continue;
    err = errno;
    break;
  }
  give_up(birth, Stage::exec, err);
}

}  // namespace

int run_child(void* argument) {
  Birth& birth = *static_cast<Birth*>(argument);
  birth.ran = true;
  die_with_the_keeper(birth);
  join_cgroup(birth);
  leave_descriptors(birth);
  if ((birth.launch->spawn->given & given_session) != 0 && ::setsid() < 0)
    give_up(birth, Stage::session, errno);
  set_scheduling(birth);
  set_stdio(birth);
  pass_descriptors(birth);
  set_listen_pid(birth);
  set_limits(birth);
  set_identity(birth);
  if (birth.launch->cwd != nullptr && ::chdir(birth.launch->cwd) < 0) give_up(birth, Stage::directory, errno);
  // All dispositions are default in the keeper already (main.cpp); only its mask is not.
  const std::uint64_t nothing = 0;
  ::syscall(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &nothing, nullptr, sizeof nothing);
  execute(birth);
}

}  // namespace svd::keeper
