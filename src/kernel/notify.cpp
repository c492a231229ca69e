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
constexpr int at_once = 16;                    // then others have their turn
constexpr std::size_t most_fds = 253;          // that the kernel lets anybody send; all are closed

constexpr Millis rest_time{10};     // after a stranger
constexpr int most_waiting = 1024;  // more than net.unix.max_dgram_qlen as anybody sets it

// The sender; pid 0: the kernel did not say.
ucred take_sender(msghdr& head) {
  ucred sender{};
  for (cmsghdr* part = CMSG_FIRSTHDR(&head); part != nullptr; part = CMSG_NXTHDR(&head, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len >= CMSG_LEN(sizeof(ucred))) {
      std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
    } else if (part->cmsg_type == SCM_RIGHTS) {
      for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, reinterpret_cast<const char*>(part) + at, sizeof fd);
        ::close(fd);
      }
    }
  }
  return sender;
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

NotifySocket::NotifySocket(const Loop& loop, Holder& holder, std::string name, Given given)
    : loop_{loop}, holder_{holder}, name_{std::move(name)}, given_{std::move(given)} {}

Result<> NotifySocket::open(const std::string& path, Handlers handlers) {
  path_ = path;
  handlers_ = std::move(handlers);
  struct stat status {};
  // A socket whose name was removed reaches nobody.
  if (const int held = holder_.borrow(name_);
      held >= 0 && (is_abstract() || ::lstat(path.c_str(), &status) == 0))
    socket_ = UniqueFd{::fcntl(held, F_DUPFD_CLOEXEC, 3)};
  if (!socket_) {
    SVD_CHECK(make());
    SVD_CHECK(holder_.hold(name_, socket_.get()));
  }
  SVD_CHECK(read_name());
  SVD_CHECK(rest_.arm(loop_, Priority::message, [this] { (void)watch_.set_events(EPOLLIN); }));
  return watch_.arm(loop_, socket_.get(), EPOLLIN, Priority::message, [this](std::uint32_t) { read_turn(); });
}

Result<> NotifySocket::make() {
  socket_ = UniqueFd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const int on = 1;
  if (!socket_ || ::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
    return fail_errno(errno, "cannot make a socket for sd_notify");
  if (!path_.empty()) return make_file();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;  // and nothing else: a name that nobody has
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address.sun_family) < 0)
    return fail_errno(errno, "cannot make a socket for sd_notify");
  return {};
}

// It is born with its mode: that of the socket's own inode, less the umask.
Result<> NotifySocket::make_file() {
  const auto what = "cannot listen on '" + path_ + "'";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return fail_errno(ENAMETOOLONG, what);
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  ::unlink(path_.c_str());
  ::fchmod(socket_.get(), given_.may_change_user() ? 0666 : 0600);
  const mode_t mask = ::umask(0);
  const bool bound = ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int err = errno;
  ::umask(mask);
  if (!bound) return fail_errno(err, what);
  if (given_.uid != ::geteuid() && ::lchown(path_.c_str(), given_.uid, given_.gid) < 0)
    return fail_errno(errno, what);
  return {};
}

Result<> NotifySocket::read_name() {
  if (!path_.empty()) return {};
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0)
    return fail_errno(errno, "cannot tell the name of a socket");
  const auto length = size - offsetof(sockaddr_un, sun_path);
  path_ = length > 1 ? "@" + std::string{address.sun_path + 1, length - 1} : std::string{};
  return {};
}

bool NotifySocket::may_be(std::uint32_t uid) const {
  return uid == 0 || uid == given_.uid || given_.may_change_user();
}

NotifySocket::Got NotifySocket::receive() {
  std::array<char, largest_message> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * most_fds)> control{};
  iovec part{text.data(), text.size()};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control.data();
  head.msg_controllen = control.size();
  const auto got = ::recvmsg(socket_.get(), &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == EINTR ? Got::news : Got::nothing;
  const auto sender = take_sender(head);
  if (sender.pid <= 0 || !may_be(sender.uid) || !handlers_.is_sender(sender.pid)) return Got::stranger;
  if ((head.msg_flags & MSG_TRUNC) == 0)
    handlers_.said(parse_notification({text.data(), static_cast<std::size_t>(got)}));
  return Got::news;
}

void NotifySocket::read_turn() {
  bool has_stranger = false;
  for (int i = 0; i < at_once; ++i) {
    const auto got = receive();
    if (got == Got::nothing) break;
    has_stranger = has_stranger || got == Got::stranger;
  }
  if (has_stranger) rest();
}

void NotifySocket::rest() {
  if (watch_.set_events(0) && rest_.set(Loop::now().mono + rest_time)) return;
  (void)watch_.set_events(EPOLLIN);
}

void NotifySocket::drain() {
  for (int i = 0; i < most_waiting && receive() != Got::nothing; ++i) continue;
}

void NotifySocket::remove() {
  watch_.disarm();
  if (!is_abstract()) ::unlink(path_.c_str());
  holder_.release(name_);
  socket_.reset();
}

}  // namespace svd
