// SPDX-License-Identifier: Apache-2.0
#include "keeper/command.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "keeper/log.h"
#include "keeper/terminal.h"

namespace svd::keeper {
namespace {

// What svd itself could not do has a code of its own, as with env(1) and timeout(1).
constexpr int exit_own_failure = 125, exit_not_executable = 126, exit_not_found = 127;

// Signals, as the kernel counts them. libc keeps 32 and 33 for its threads and leaves them out of its sets,
// but others may send them, and a command may use them.
constexpr std::uint64_t every_signal = ~0ULL;

struct Command {
  const CommandOptions& options;
  Terminal terminal;
  std::uint64_t mask = 0;        // that we were started with
  struct sigaction on_child {};  // likewise; an ignored SIGCHLD would lose the exit code
  pid_t pid = 0;
  bool ended = false;
  int code = 0;
};

void block_signals(Command& command) {
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every_signal, &command.mask, sizeof every_signal);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &standard, &command.on_child);
}

// Who was handed sockets by LISTEN_FDS is told so by its pid (sd_listen_fds(3)); they are for the command.
void inherit_sockets(pid_t parent) {
  char text[16];
  std::snprintf(text, sizeof text, "%d", static_cast<int>(parent));
  const char* const owner = std::getenv("LISTEN_PID");
  if (owner == nullptr || std::strcmp(owner, text) != 0) return;
  std::snprintf(text, sizeof text, "%d", static_cast<int>(::getpid()));
  ::setenv("LISTEN_PID", text, 1);
}

[[noreturn]] void become(const Command& command, pid_t parent) {
  ::setpgid(0, 0);
  command.terminal.give_to_self();
  // SIGKILL is the one that we could not pass on.
  if (command.options.parent_death == SIGKILL && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
      ::getppid() != parent)
    ::_exit(128 + SIGKILL);
  inherit_sockets(parent);
  ::sigaction(SIGCHLD, &command.on_child, nullptr);
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &command.mask, nullptr, sizeof command.mask);
  ::execvp(command.options.argv[0], command.options.argv);
  const int err = errno;
  char text[400];
  std::snprintf(text, sizeof text, "cannot execute '%s'", command.options.argv[0]);
  note(text, err);
  ::_exit(err == ENOENT || err == ENOTDIR ? exit_not_found : exit_not_executable);
}

// The command has them now. A pipe or socket among them would seem in use after the command closed it.
void close_inherited(const Terminal& terminal) {
  const auto kept = static_cast<unsigned>(terminal.fd() > STDERR_FILENO ? terminal.fd() : STDERR_FILENO);
  if (kept > STDERR_FILENO + 1) ::syscall(SYS_close_range, STDERR_FILENO + 1, kept - 1, 0U);
  ::syscall(SYS_close_range, kept + 1, ~0U, 0U);
}

bool start(Command& command) {
  command.terminal.find();
  const pid_t self = ::getpid();
  command.pid = ::fork();
  if (command.pid == 0) become(command, self);
  if (command.pid < 0) {
    note("cannot start a process", errno);
    return false;
  }
  ::setpgid(command.pid, command.pid);  // both do it: neither may come too late for a signal to the group
  close_inherited(command.terminal);
  return true;
}

// As long as the command was not waited for, its pid is nobody else's.
void pass_on(Command& command, const siginfo_t& info) {
  const CommandOptions& options = command.options;
  const int number = options.rewrite[info.si_signo];
  if (number == 0) return;
  if (options.verbose) {
    note_number("passing on signal", info.si_signo);
    if (number != info.si_signo) note_number("as signal", number);
  }
  const bool resumed = info.si_signo == SIGCONT && command.terminal.command_continues(command.pid);
  if ((options.group || resumed) && ::kill(-command.pid, number) == 0) return;
  if (info.si_code == SI_QUEUE)
    ::sigqueue(command.pid, number, info.si_value);
  else
    ::kill(command.pid, number);
}

int code_of(const siginfo_t& info) {
  return info.si_code == CLD_EXITED ? info.si_status & 255 : 128 + info.si_status;
}

// Everything that has ended, or, for the command, was stopped.
void reap(Command& command) {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG) < 0 || info.si_pid == 0) return;
    const bool stopped = info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED;
    if (info.si_pid != command.pid) {
      if (command.options.warn && !stopped) note_number("reaped orphan", info.si_pid);
    } else if (stopped) {
      command.terminal.command_stopped();
    } else {
      command.ended = true;
      command.code = code_of(info);
      return;
    }
  }
}

void adopt_orphans() {
  if (::getpid() != 1 && ::prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
    note("cannot become the reaper of orphans", errno);
}

// The parent may have died already; its pid was read first of all.
void follow_parent(int number, pid_t parent) {
  if (number == 0) return;
  if (::prctl(PR_SET_PDEATHSIG, number) < 0) return note("cannot follow the parent process", errno);
  if (::getppid() != parent) ::kill(::getpid(), number);
}

}  // namespace

int run_command(const CommandOptions& options) {
  const pid_t parent = ::getppid();
  Command command{options, {}, 0, {}, 0, false, 0};
  block_signals(command);
  follow_parent(options.parent_death, parent);
  adopt_orphans();
  if (!start(command)) return exit_own_failure;
  while (!command.ended) {
    siginfo_t info{};
    const auto number = ::syscall(SYS_rt_sigtimedwait, &every_signal, &info, nullptr, sizeof every_signal);
    if (number < 0) continue;  // EINTR: stopped and continued
    // A SIGCHLD is news of a child, unless a process sent it.
    if (info.si_signo != SIGCHLD || info.si_code <= 0) pass_on(command, info);
    reap(command);
  }
  command.terminal.take_back(command.pid);
  return options.success[command.code] ? 0 : command.code;
}

}  // namespace svd::keeper
