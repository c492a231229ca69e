// SPDX-License-Identifier: Apache-2.0
// What a service manager passes to us (sd_listen_fds(3)): the socket of svd.socket, and what an engine stored
// there before the whole service ended (kernel/service_manager.h). Whoever started us may have put anything
// there: until an engine has looked at it (kernel/passed.h) it is held by a name of its own, which nothing
// else is known by.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <initializer_list>

#include "keeper/fd_names.h"
#include "keeper/keeper.h"

namespace svd::keeper {
namespace {

constexpr int first_listen = 3;  // SD_LISTEN_FDS_START

// Digits and nothing else; -1: it is not there, or no such number.
long number_in(const char* variable) {
  const char* at = ::getenv(variable);
  if (at == nullptr || *at == '\0') return -1;
  long number = 0;
  for (; *at >= '0' && *at <= '9' && number < 1'000'000'000; ++at) number = number * 10 + (*at - '0');
  return *at == '\0' ? number : -1;
}

int count_for_us() {
  const long count = number_in("LISTEN_PID") == ::getpid() ? number_in("LISTEN_FDS") : 0;
  return count < 0                             ? 0
         : count > static_cast<long>(max_held) ? static_cast<int>(max_held)
                                               : static_cast<int>(count);
}

void close_from_to(int first, int last) {
  if (first <= last) ::syscall(SYS_close_range, first, last, 0U);
}

}  // namespace

void take_passed(Keeper& keeper, int lowest) {
  const int count = count_for_us();
  const char* names = ::getenv("LISTEN_FDNAMES");
  if (names == nullptr) names = "";
  const int behind = first_listen + count;
  int next = behind > lowest ? behind : lowest;
  for (int i = 0; i < count; ++i) {
    char name[max_name];
    const std::uint32_t size = take_fd_name(names, name);
    const int fd = size == 0 ? -1 : ::fcntl(first_listen + i, F_DUPFD_CLOEXEC, next);
    if (fd < 0) continue;
    close_from_to(next, fd - 1);
    next = fd + 1;
    keeper.held.put(keeper.children.blobs(), name, size, fd);
  }
  ::syscall(SYS_close_range, next, ~0U, 0U);
  close_from_to(lowest, behind - 1);
  for (const char* const variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"})
    ::unsetenv(variable);  // the engine finds it all with us
}

}  // namespace svd::keeper
