// SPDX-License-Identifier: Apache-2.0
#include "keeper/terminal.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <initializer_list>

namespace svd::keeper {
namespace {

// The foreground group is ours. Both are 0 where a terminal was set up outside of our pid namespace.
bool has_foreground(int fd, int group) { return ::tcgetpgrp(fd) == group; }

// Signals were blocked raw, so this is raw, too: libc would hide two of them.
void change_mask(int how, std::uint64_t signals) {
  ::syscall(SYS_rt_sigprocmask, how, &signals, nullptr, sizeof signals);
}

}  // namespace

void Terminal::find() {
  own_group_ = ::getpgrp();
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (has_foreground(fd, own_group_)) {
      fd_ = fd;
      return;
    }
  // All three may be redirected.
  const int fd = ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return;
  if (has_foreground(fd, own_group_))
    fd_ = fd;
  else
    ::close(fd);
}

void Terminal::give_to_self() const {
  if (fd_ >= 0) ::tcsetpgrp(fd_, ::getpgrp());
}

// SIGTSTP with its default action stops exactly those processes that can be continued again: not an init, and
// not a group without a shell above it (an orphaned one).
void Terminal::command_stopped() {
  if (fd_ < 0) return;
  stopped_ = true;
  constexpr std::uint64_t stop = 1ULL << (SIGTSTP - 1);
  ::kill(::getpid(), SIGTSTP);
  change_mask(SIG_UNBLOCK, stop);
  change_mask(SIG_BLOCK, stop);
}

bool Terminal::command_continues(int group) {
  if (!stopped_) return false;
  stopped_ = false;
  if (has_foreground(fd_, own_group_)) ::tcsetpgrp(fd_, group);
  return true;
}

void Terminal::take_back(int group) const {
  if (fd_ >= 0 && own_group_ > 0 && ::tcgetpgrp(fd_) == group) ::tcsetpgrp(fd_, own_group_);
}

}  // namespace svd::keeper
