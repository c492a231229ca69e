// SPDX-License-Identifier: Apache-2.0
// Runs in a process that may share its memory with its suspended launcher: nothing here may allocate, lock,
// or leave anything changed but the Crib (and errno, which belongs to the launcher's thread). setresuid(2)
// and friends are called raw, since libc's wrappers synchronise threads; the signal mask, too, since libc
// keeps signals for itself.
//
// Everything that touches a file of somebody else (the log, the working directory, the program) may take for
// ever. Each step is told before it is taken, so that the keeper can say what it waited for in vain.
#include "keeper/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "keeper/harden.h"
#include "keeper/log_file.h"

namespace svd::keeper {
namespace {

constexpr int join_session_keyring = 1;  // KEYCTL_JOIN_SESSION_KEYRING: a new one, without a name

[[noreturn]] void give_up(const Birth& birth, Stage stage, int err, int detail = 0) {
  Crib& crib = *birth.nursery->crib;
  crib.stage = stage;
  crib.detail = detail;
  crib.err = err;
  ::_exit(127);
}

void begin(const Birth& birth, Stage stage) { birth.nursery->crib->stage = stage; }

// Until it runs its program a child goes with the keeper: who comes after would not know of it. A change of
// identity takes the wish back.
void die_with_the_keeper(const Birth& birth) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != birth.nursery->keeper) ::_exit(127);  // it was dead before
}

// The table of descriptors is the child's own already. What is passed comes to its places by way of others,
// since one may be where another is to go.
int move_away(const Birth& birth, int fd) {
  constexpr int above = first_passed + static_cast<int>(max_passed);
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, above);
  if (moved < 0) give_up(birth, Stage::stdio, errno == EINVAL ? EMFILE : errno);
  return moved;
}

// The copies are not close-on-exec, and nothing else is left.
void pass_descriptors(const Birth& birth) {
  const int count = static_cast<int>(birth.launch->spawn->passed_count);
  int passed[max_passed];
  for (int i = 0; i < count; ++i) passed[i] = move_away(birth, birth.handover->passed[i]);
  for (int i = 0; i < count; ++i)
    if (::dup2(passed[i], first_passed + i) < 0) give_up(birth, Stage::stdio, errno);
  const auto rest = static_cast<unsigned>(first_passed + count);
  if (::syscall(SYS_close_range, rest, ~0U, 0U) == 0) return;
  // Linux before 5.9, or a filter: all of the launcher's descriptors are close-on-exec anyway.
  if (errno != ENOSYS && errno != EPERM) give_up(birth, Stage::stdio, errno);
}

void join_cgroup(const Birth& birth) {
  if (birth.procs_fd >= 0 && ::write(birth.procs_fd, "0", 1) < 0) give_up(birth, Stage::cgroup, errno);
}

void set_limits(const Birth& birth) {
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

void set_oom_score(const Birth& birth, int score) {
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

void set_scheduling(const Birth& birth) {
  const Spawn& spawn = *birth.launch->spawn;
  if ((spawn.given & given_nice) != 0 && ::setpriority(PRIO_PROCESS, 0, spawn.nice) < 0)
    give_up(birth, Stage::scheduling, errno, 0);
  if ((spawn.given & given_oom) != 0) set_oom_score(birth, spawn.oom_score_adj);
  if ((spawn.given & given_umask) != 0) ::umask(static_cast<mode_t>(spawn.umask));
}

// Opened without blocking, then made blocking: a FIFO without a reader is an error at once.
int open_log(const Birth& birth) {
  const int fd = open_log_file(birth.launch->stdio_path);
  if (fd < 0) give_up(birth, Stage::log, -fd);
  if (::fcntl(fd, F_SETFL, O_APPEND) < 0) give_up(birth, Stage::log, errno);
  return fd;
}

// The keeper's descriptor 0 is /dev/null, open for both.
void set_stdio(const Birth& birth) {
  int out = -1;
  switch (birth.launch->spawn->stdio) {
    case Stdio::null:
      out = STDIN_FILENO;
      break;
    case Stdio::path:
      out = open_log(birth);
      break;
    case Stdio::fd:
      out = birth.handover->stdio;
      break;
    case Stdio::inherit:
      return;
  }
  if (::dup2(out, STDOUT_FILENO) < 0 || ::dup2(out, STDERR_FILENO) < 0) give_up(birth, Stage::stdio, errno);
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

void set_listen_pid(const Birth& birth) {
  const Launch& launch = *birth.launch;
  if (launch.spawn->passed_count == 0) return;
  for (char** variable = launch.envp; *variable != nullptr; ++variable)
    if (std::strcmp(*variable, listen_pid) == 0) put_own_pid(*variable + sizeof "LISTEN_PID=" - 1);
}

bool keeps_capabilities(const Launch& launch) {
  for (std::uint32_t i = 0; i < launch.spawn->step_count; ++i)
    if (launch.steps[i].op == Op::keep_capabilities) return true;
  return false;
}

// Who becomes another user takes nothing of ours along: no groups that were not asked for, no keys of our
// session's keyring, and no capabilities, whatever the securebits say that we were started with.
void set_identity(const Birth& birth) {
  const Launch& launch = *birth.launch;
  const Spawn& spawn = *launch.spawn;
  const bool is_other = (spawn.given & given_user) != 0 && spawn.uid != 0;
  if (is_other) ::syscall(SYS_keyctl, join_session_keyring, nullptr);  // may be filtered out in a container
  if ((spawn.given & (given_groups | given_user)) != 0 &&
      ::syscall(SYS_setgroups, static_cast<std::size_t>(spawn.group_count), launch.groups) < 0)
    give_up(birth, Stage::groups, errno);
  if ((spawn.given & given_group) != 0 && ::syscall(SYS_setresgid, spawn.gid, spawn.gid, spawn.gid) < 0)
    give_up(birth, Stage::group, errno);
  if ((spawn.given & given_user) != 0 && ::syscall(SYS_setresuid, spawn.uid, spawn.uid, spawn.uid) < 0)
    give_up(birth, Stage::identity, errno);
  if (is_other && !keeps_capabilities(launch))
    if (const int err = drop_capabilities(); err != 0) give_up(birth, Stage::identity, err);
  if ((spawn.given & (given_group | given_user)) != 0) die_with_the_keeper(birth);
}

void harden(const Birth& birth, bool late) {
  const Launch& launch = *birth.launch;
  for (std::uint32_t i = 0; i < launch.spawn->step_count; ++i) {
    if ((launch.steps[i].late != 0) != late) continue;
    birth.nursery->crib->detail = static_cast<int>(i);
    begin(birth, Stage::hardening);
    if (const int err = run_step(launch, launch.steps[i]); err != 0)
      give_up(birth, Stage::hardening, err, static_cast<int>(i));
  }
}

// As execvp(3): what cannot be found or looked at is passed over, and "permission denied" is told rather than
// "not found".
[[noreturn]] void execute(const Birth& birth) {
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
  const Birth& birth = *static_cast<const Birth*>(argument);
  birth.nursery->crib->ran = true;
  die_with_the_keeper(birth);
  begin(birth, Stage::cgroup);
  join_cgroup(birth);
  begin(birth, Stage::session);
  if ((birth.launch->spawn->given & given_session) != 0 && ::setsid() < 0)
    give_up(birth, Stage::session, errno);
  set_scheduling(birth);
  begin(birth, Stage::log);
  set_stdio(birth);
  pass_descriptors(birth);
  set_listen_pid(birth);
  set_limits(birth);
  harden(birth, false);
  set_identity(birth);
  begin(birth, Stage::directory);
  if (birth.launch->cwd != nullptr && ::chdir(birth.launch->cwd) < 0) give_up(birth, Stage::directory, errno);
  harden(birth, true);
  // All dispositions are default in the keeper already (main.cpp); only its mask is not.
  const std::uint64_t nothing = 0;
  ::syscall(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &nothing, nullptr, sizeof nothing);
  begin(birth, Stage::exec);
  execute(birth);
}

}  // namespace svd::keeper
