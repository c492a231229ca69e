// SPDX-License-Identifier: Apache-2.0
#include "keeper/launchers.h"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "keeper/keeper.h"

namespace svd::keeper {
namespace {

[[noreturn]] void become_launcher(Keeper& keeper, std::uint32_t number, int socket) {
  Crib* const all = keeper.births.cribs;
  Nursery nursery = keeper.nursery;
  nursery.crib = all + number;
  if (number > 0) ::munmap(all, number * sizeof(Crib));
  if (number + 1 < max_launchers) ::munmap(all + number + 1, (max_launchers - number - 1) * sizeof(Crib));
  run_launcher(socket, nursery, keeper.options);
}

bool send_order(Launcher& launcher, const Order& order, const char* record, std::size_t size, const int* fds,
                std::uint32_t fd_count) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_handed)];
  iovec parts[2] = {{const_cast<Order*>(&order), sizeof order}, {const_cast<char*>(record), size}};
  msghdr head{};
  head.msg_iov = parts;
  head.msg_iovlen = 2;
  if (fd_count > 0) {
    head.msg_control = control;
    head.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    cmsghdr* const rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    std::memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
  }
  return ::sendmsg(launcher.socket, &head, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

}  // namespace

void end_launcher(Keeper& keeper, Launcher& launcher) {
  unwatch(keeper, launcher.socket);
  launcher.socket = -1;
  launcher.outdated = true;
}

Launcher* fork_launcher(Keeper& keeper) {
  Births& births = keeper.births;
  std::uint32_t number = 0;
  while (number < max_launchers && births.launchers.places[number].pid != 0) ++number;
  errno = EAGAIN;
  int pair[2];
  if (number == max_launchers || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return nullptr;
  Launcher& launcher = births.launchers.places[number];
  launcher = {};
  launcher.crib = births.cribs + number;
  const int pid = static_cast<int>(::fork());
  if (pid == 0) become_launcher(keeper, number, pair[1]);
  ::close(pair[1]);
  if (pid < 0) {
    const int err = errno;
    ::close(pair[0]);
    errno = err;
    return nullptr;
  }
  launcher.pid = pid;
  launcher.socket = pair[0];
  if (births.launchers.used <= number) births.launchers.used = number + 1;
  const int size = static_cast<int>(sizeof(Order) + max_message);
  ::setsockopt(launcher.socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  watch(keeper, launcher.socket, EPOLLIN, tag_launcher + number);
  return &launcher;
}

bool is_slow(const Launcher& launcher, std::int64_t now) {
  return launcher.pid != 0 && launcher.busy && (launcher.cut || now - launcher.since >= slow_after);
}

Launcher* find_launcher(Keeper& keeper, std::int64_t now) {
  std::uint32_t quick = 0;
  for (Launcher& launcher : keeper.births.launchers) {
    if (launcher.pid == 0 || launcher.outdated) continue;
    if (!launcher.busy) return &launcher;
    quick += is_slow(launcher, now) ? 0 : 1;
  }
  errno = 0;
  return quick < usual_launchers ? fork_launcher(keeper) : nullptr;
}

bool hand_over(Keeper& keeper, Launcher& launcher, const Start& start, const char* record, std::size_t size,
               const int* fds, std::uint32_t fd_count) {
  launcher.crib->pid = 0;
  launcher.crib->stage = Stage::process;
  launcher.crib->ran = false;
  launcher.crib->err = 0;
  launcher.crib->detail = 0;
  if (!send_order(launcher, {start.kind, keeper.nursery.missing}, record, size, fds, fd_count)) return false;
  launcher.busy = true;
  launcher.cut = false;
  launcher.start = start;
  launcher.since = now_ms();
  launcher.ended_pid = 0;
  ++keeper.births.busy;
  return true;
}

}  // namespace svd::keeper
