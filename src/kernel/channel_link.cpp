// SPDX-License-Identifier: Apache-2.0
#include "kernel/channel_link.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace svd {
namespace {

// Never taken apart by the kernel: it makes one buffer of it (unix_stream_sendmsg() takes up to 32 KiB and a
// bit).
constexpr std::size_t largest_piece = 16U << 10U;
// Wanted for our end; root gets it, others get net.core.wmem_max.
constexpr int wanted_buffer = 2 << 20;
constexpr std::size_t most_fds = 64;  // that one recvmsg(2) takes; Node sends one at a time

ChannelLink::Flushed outcome_of(int err) {
  if (err == EAGAIN || err == EINTR) return ChannelLink::Flushed::blocked;
  if (err == EPIPE || err == ECONNRESET) return ChannelLink::Flushed::closed;
  return ChannelLink::Flushed::later;
}

}  // namespace

ChannelLink::ChannelLink(UniqueFd socket, ipc::Spool& in, ipc::Spool& out)
    : socket_{std::move(socket)}, in_{in}, out_{out} {
  int size = 0;
  socklen_t length = sizeof size;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &size, &length);
  buffer_ = static_cast<std::size_t>(std::max(size, 0));
}

std::optional<std::pair<UniqueFd, UniqueFd>> ChannelLink::make_pair() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) < 0)
    return std::nullopt;
  if (::setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &wanted_buffer, sizeof wanted_buffer) < 0)
    ::setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &wanted_buffer, sizeof wanted_buffer);
  return std::pair{UniqueFd{pair[0]}, UniqueFd{pair[1]}};
}

void ChannelLink::take_over(const std::function<int(std::string_view)>& find) {
  const auto content = out_.content();
  for (std::size_t at = 0; at < content.size();) {
    const auto end = content.find('\n', at);
    const auto line = content.substr(at, end == content.npos ? content.npos : end + 1 - at);
    if (const int fd = find(line); fd >= 0)
      attached_.push_back({at, UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)}});
    at += line.size();
  }
}

ChannelLink::Got ChannelLink::read(std::size_t most) {
  const auto room = in_.free(most);
  if (room.empty()) return Got::nothing;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_fds)> control{};
  iovec part{room.data(), std::min(most, room.size())};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control.data();
  head.msg_controllen = control.size();
  const auto got = ::recvmsg(socket_.get(), &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Got::nothing : Got::closed;
  in_.commit(static_cast<std::size_t>(got));
  // Where there is no room for a descriptor (MSG_CTRUNC) the kernel has closed it, and its line is refused.
  for (cmsghdr* message = CMSG_FIRSTHDR(&head); message != nullptr; message = CMSG_NXTHDR(&head, message)) {
    if (message->cmsg_level != SOL_SOCKET || message->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= message->cmsg_len; at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, reinterpret_cast<const char*>(message) + at, sizeof fd);
      arrived_.emplace_back(fd);
    }
  }
  return got == 0 ? Got::closed : Got::bytes;
}

UniqueFd ChannelLink::take_fd() {
  if (arrived_.empty()) return {};
  auto fd = std::move(arrived_.front());
  arrived_.pop_front();
  return fd;
}

bool ChannelLink::write(std::string_view line, int fd) {
  const auto at = sent_ + out_.size();
  if (!out_.append(line)) return false;
  if (fd >= 0) attached_.push_back({at, UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)}});
  return true;
}

// Whole lines up to largest_piece, or one longer line; a descriptor's line begins a piece.
std::string_view ChannelLink::next_piece() const {
  const auto content = out_.content();
  std::size_t stop = content.size();
  for (const auto& attached : attached_) {
    if (attached.at == sent_) continue;
    stop = std::min<std::size_t>(stop, attached.at - sent_);
    break;
  }
  const auto first = std::min(content.find('\n'), stop - 1) + 1;
  if (first >= std::min(stop, largest_piece)) return content.substr(0, first);
  const auto last = content.substr(0, std::min(stop, largest_piece)).rfind('\n');
  return content.substr(0, std::max(first, last + 1));
}

// Whether the socket takes all of it now. The kernel counts what it allocates: up to twice as much.
bool ChannelLink::fits(std::size_t size) const {
  int queued = 0;
  if (::ioctl(socket_.get(), SIOCOUTQ, &queued) < 0) return true;
  return static_cast<std::size_t>(queued) + 2 * size <= buffer_;
}

ChannelLink::Flushed ChannelLink::send_piece(std::string_view piece, int fd) {
  // What is larger than three quarters of the buffer would never fit: EPOLLOUT comes when that much is free.
  if (piece.size() > largest_piece) {
    if (2 * piece.size() > buffer_ / 4 * 3)
      piece = piece.substr(0, largest_piece);
    else if (!fits(piece.size()))
      return Flushed::blocked;
  }
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec part{const_cast<char*>(piece.data()), piece.size()};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  if (fd >= 0) {
    head.msg_control = control.data();
    head.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  const auto done = ::sendmsg(socket_.get(), &head, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (done < 0) return outcome_of(errno);
  sent_ += static_cast<std::size_t>(done);
  out_.consume(static_cast<std::size_t>(done));
  return Flushed::all;
}

ChannelLink::Flushed ChannelLink::flush() {
  while (!out_.empty()) {
    const bool carries = !attached_.empty() && attached_.front().at == sent_;
    if (const auto sent = send_piece(next_piece(), carries ? attached_.front().fd.get() : -1);
        sent != Flushed::all)
      return sent;
    if (carries) attached_.pop_front();
  }
  return Flushed::all;
}

}  // namespace svd
