// SPDX-License-Identifier: Apache-2.0
#include "kernel/keeper_client.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace svd {
namespace {

using keeper::Type;

constexpr Millis longest_wait{10'000};
constexpr int socket_buffer = 1 << 20;

Error lost() { return {std::errc::connection_reset, "cannot talk to the keeper: it has hung up"}; }

int milliseconds_until(TimePoint deadline) {
  const auto left = std::chrono::ceil<Millis>(deadline - Loop::now().mono).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

void put_rights(msghdr& head, char* control, std::span<const int> fds) {
  head.msg_control = control;
  head.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* const rights = CMSG_FIRSTHDR(&head);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
}

std::vector<UniqueFd> take_rights(msghdr& head) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&head); part != nullptr; part = CMSG_NXTHDR(&head, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, reinterpret_cast<const char*>(part) + at, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

// Returns when the keeper has put itself into the background (its first process has ended).
Result<> start_keeper(const std::string& program, const std::vector<std::string>& arguments, int socket) {
  std::vector<std::string> words{program, "--adopt"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&files, socket, keeper::engine_fd);
  ::posix_spawn_file_actions_addclosefrom_np(&files, keeper::engine_fd + 1);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int err = ::posix_spawn(&pid, program.c_str(), &files, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (err != 0) return fail_errno(err, "cannot start a new keeper");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (status != 0) return fail(std::errc::io_error, "cannot start a new keeper: it failed");
  return {};
}

}  // namespace

KeeperClient::Received KeeperClient::receive(Incoming& out) {
  static thread_local std::array<char, keeper::max_message> buffer;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * keeper::max_attached)> control{};
  iovec part{buffer.data(), buffer.size()};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control.data();
  head.msg_controllen = control.size();
  auto got = ::recvmsg(socket_.get(), &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  // A keeper that died with something of ours unread: told once, before what it had still sent.
  if (got < 0 && errno == ECONNRESET) got = ::recvmsg(socket_.get(), &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::lost;
  if (got == 0) return Received::lost;
  out = {};
  out.fds = take_rights(head);
  std::string_view bytes{buffer.data(), static_cast<std::size_t>(got)};
  if (!take(bytes, out.header)) return Received::lost;
  out.body = bytes;
  return Received::message;
}

Result<KeeperClient::Incoming> KeeperClient::await(Type type, TimePoint deadline) {
  for (;;) {
    Incoming message;
    switch (receive(message)) {
      case Received::lost:
        return tl::make_unexpected(lost());
      case Received::message:
        if (message.header.type == type || message.header.type == Type::listed) return message;
        before_.push_back(std::move(message));
        continue;
      case Received::nothing:
        break;
    }
    pollfd state{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&state, 1, milliseconds_until(deadline));
    if (ready == 0) return fail(std::errc::timed_out, "cannot talk to the keeper: it does not answer");
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "cannot talk to the keeper");
  }
}

Result<KeeperClient::Listing> KeeperClient::list() {
  const auto deadline = Loop::now().mono + longest_wait;
  SVD_TRY(const auto hello, await(Type::hello, deadline));
  if (hello.header.type != Type::hello || hello.header.version != keeper::version ||
      hello.body.size() + sizeof(keeper::Header) != sizeof hello_)
    return fail(std::errc::protocol_not_supported, "cannot talk to the keeper: it is of another version");
  hello_.header = hello.header;
  std::memcpy(reinterpret_cast<char*>(&hello_) + sizeof(keeper::Header), hello.body.data(),
              hello.body.size());

  send(Type::list, 0, {});
  Listing listing;
  std::deque<Incoming> kept;
  for (;;) {
    SVD_TRY(auto message, await(Type::children, deadline));
    if (message.header.type == Type::children)
      add_children(message.body, message.header.count, listing.children);
    else
      break;
  }
  // What await() put aside meanwhile: descriptors belong to the listing, the rest is handed out later.
  for (auto& message : before_) {
    if (message.header.type == Type::held)
      add_held(message.body, message.header.count, std::move(message.fds), listing.held);
    else
      kept.push_back(std::move(message));
  }
  before_ = std::move(kept);
  return listing;
}

Result<KeeperClient::Listing> KeeperClient::greet(UniqueFd socket) {
  watch_.disarm();
  end_.disarm();
  queue_.clear();
  before_.clear();
  socket_ = std::move(socket);
  ::fcntl(socket_.get(), F_SETFD, FD_CLOEXEC);
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &socket_buffer, sizeof socket_buffer);
  auto listing = list();
  if (!listing) return listing;
  SVD_CHECK(watch_.arm(loop_, socket_.get(), queue_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT, Priority::exit,
                       [this](std::uint32_t revents) { on_ready(revents); }));
  SVD_CHECK(watch_process());
  if (before_.empty()) return listing;
  SVD_CHECK(early_.arm(loop_, Priority::exit, [this] {
    for (const auto messages = std::move(before_); const auto& message : messages) hand_out(message);
    handlers_.settled();
  }));
  early_.request();
  return listing;
}

Result<> KeeperClient::watch_process() {
  process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, hello_.pid, 0)));
  if (!process_) return {};  // it is dead already, or descriptors are short: the socket tells
  return end_.arm(loop_, process_.get(), EPOLLIN, Priority::exit, [this](std::uint32_t) {
    on_ready(0);  // what it had still sent
    if (socket_) hung_up();
  });
}

Result<> KeeperClient::replace_keeper(const std::string& program, const std::vector<std::string>& arguments) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) < 0)
    return fail_errno(errno, "cannot start a new keeper");
  UniqueFd ours{pair[0]};
  const UniqueFd theirs{pair[1]};
  SVD_CHECK(start_keeper(program, arguments, theirs.get()));
  const auto listing = greet(std::move(ours));
  if (!listing) return tl::make_unexpected(listing.error());
  return {};
}

bool KeeperClient::send_now(std::string_view bytes, std::span<const int> fds) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * keeper::max_attached)> control{};
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  if (!fds.empty()) put_rights(head, control.data(), fds);
  if (::sendmsg(socket_.get(), &head, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
  // To a dead keeper nothing is sent any more; lost() follows.
  return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN || errno == EBADF;
}

void KeeperClient::send(Type type, std::uint32_t count, std::string_view records, std::span<const int> fds) {
  const keeper::Header header{type, keeper::version, count};
  std::string bytes(sizeof header, '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  bytes += records;
  if (queue_.empty() && send_now(bytes, fds)) return;
  Outgoing waiting{std::move(bytes), {}};
  for (const int fd : fds) waiting.fds.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!std::ranges::all_of(waiting.fds, [](const UniqueFd& fd) { return static_cast<bool>(fd); }))
    return send_patiently(waiting.bytes, fds);
  queue_.push_back(std::move(waiting));
  if (watch_.armed() && queue_.size() == 1) (void)watch_.set_events(EPOLLIN | EPOLLOUT);
}

// No descriptors are left to keep theirs for later. The keeper reads as long as it lives.
void KeeperClient::send_patiently(std::string_view bytes, std::span<const int> fds) {
  for (send_queued(); !queue_.empty() || !send_now(bytes, fds); send_queued()) {
    pollfd state{socket_.get(), POLLOUT, 0};
    ::poll(&state, 1, -1);
  }
}

void KeeperClient::send_queued() {
  while (!queue_.empty()) {
    std::vector<int> fds;
    for (const auto& fd : queue_.front().fds) fds.push_back(fd.get());
    if (!send_now(queue_.front().bytes, fds)) return;
    queue_.pop_front();
  }
  if (watch_.armed()) (void)watch_.set_events(EPOLLIN);
}

void KeeperClient::drain() {
  const auto deadline = Loop::now().mono + Millis{1'000};
  for (send_queued(); !queue_.empty() && Loop::now().mono < deadline; send_queued()) {
    pollfd state{socket_.get(), POLLOUT, 0};
    ::poll(&state, 1, milliseconds_until(deadline));
  }
}

void KeeperClient::on_ready(std::uint32_t revents) {
  if ((revents & EPOLLOUT) != 0) send_queued();
  for (;;) {
    Incoming message;
    const auto received = receive(message);
    if (received == Received::message) {
      hand_out(message);
      continue;
    }
    handlers_.settled();
    if (received == Received::lost) hung_up();
    return;
  }
}

void KeeperClient::hung_up() {
  watch_.disarm();
  end_.disarm();
  socket_.reset();
  queue_.clear();
  handlers_.lost();
}

void KeeperClient::hand_out(const Incoming& message) {
  std::string_view body = message.body;
  std::uint32_t number = 0;
  switch (message.header.type) {
    case Type::reports:
      return handlers_.reports(read_reports(body, message.header.count));
    case Type::notice:
      if (take(body, number)) handlers_.notice(number);
      return;
    case Type::shutdown:
      if (take(body, number)) handlers_.shutdown(number != 0);
      return;
    case Type::hangup:
      return handlers_.hangup();
    case Type::notified:
      if (handlers_.notified && take(body, number)) handlers_.notified(number);
      return;
    case Type::hello:
    case Type::children:
    case Type::held:
    case Type::listed:
    case Type::list:
    case Type::configure:
    case Type::spawn:
    case Type::spawn_file:
    case Type::signal:
    case Type::forget:
    case Type::hold:
    case Type::release:
    case Type::adopt:
    case Type::ready:
    case Type::redirect:
    case Type::quit:
    case Type::cancel:
    case Type::notify:
      return;  // not ours to get
  }
}

}  // namespace svd
