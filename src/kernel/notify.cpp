// SPDX-License-Identifier: Apache-2.0
#include "kernel/notify.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/text.h"

namespace svd {
namespace {

constexpr std::size_t largest_message = 4096;  // as systemd has it
constexpr std::size_t longest_status = 256;    // it is for a line on a screen
constexpr int at_once = 64;                    // then others have their turn
constexpr std::size_t most_fds = 253;          // that the kernel lets anybody send; all are closed

bool is_abstract(const std::string& path) { return path.starts_with('@'); }

// The sender's pid; 0: the kernel did not say.
std::int64_t take_sender(msghdr& head) {
  std::int64_t pid = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&head); part != nullptr; part = CMSG_NXTHDR(&head, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len >= CMSG_LEN(sizeof(ucred))) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
      pid = sender.pid;
    } else if (part->cmsg_type == SCM_RIGHTS) {
      for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, reinterpret_cast<const char*>(part) + at, sizeof fd);
        ::close(fd);
      }
    }
  }
  return pid;
}

}  // namespace

Notification parse_notification(std::string_view text) {
  Notification said;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line == "READY=1") said.ready = true;
    if (line == "STOPPING=1") said.stopping = true;
    if (line.starts_with("MAINPID=")) said.names_main_pid = true;
    if (line.starts_with("STATUS=")) said.status = printable(line.substr(7, longest_status));
  }
  return said;
}

Result<> NotifySocket::open(const Loop& loop, const std::string& path, Holder& holder, Handler handler) {
  path_ = path;
  handler_ = std::move(handler);
  struct stat status {};
  // A socket whose name was removed reaches nobody.
  if (const int held = holder.borrow(name);
      held >= 0 && (is_abstract(path) || ::stat(path.c_str(), &status) == 0))
    socket_ = UniqueFd{::fcntl(held, F_DUPFD_CLOEXEC, 3)};
  if (!socket_) {
    SVD_CHECK(make());
    SVD_CHECK(holder.hold(name, socket_.get()));
  }
  return watch_.arm(loop, socket_.get(), EPOLLIN, Priority::message, [this](std::uint32_t) { drain(); });
}

Result<> NotifySocket::make() {
  const auto what = "cannot listen on '" + path_ + "'";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return fail_errno(ENAMETOOLONG, what);
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  socket_ = UniqueFd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const int on = 1;
  if (!socket_ || ::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
    return fail_errno(errno, what);
  auto size = static_cast<socklen_t>(sizeof address);
  if (is_abstract(path_)) {
    address.sun_path[0] = '\0';
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  } else {
    ::unlink(path_.c_str());
  }
  // Instances have users of their own.
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) < 0 ||
      (!is_abstract(path_) && ::chmod(path_.c_str(), 0666) < 0))
    return fail_errno(errno, what);
  return {};
}

bool NotifySocket::receive() {
  std::array<char, largest_message> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * most_fds)> control{};
  iovec part{text.data(), text.size()};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control.data();
  head.msg_controllen = control.size();
  const auto got = ::recvmsg(socket_.get(), &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == EINTR;
  const auto pid = take_sender(head);
  if (pid > 0 && (head.msg_flags & MSG_TRUNC) == 0)
    handler_(pid, parse_notification({text.data(), static_cast<std::size_t>(got)}));
  return true;
}

void NotifySocket::drain() {
  for (int i = 0; i < at_once && receive(); ++i) continue;
}

}  // namespace svd
