// SPDX-License-Identifier: Apache-2.0
#include "kernel/service_manager.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace svd {
namespace {

constexpr std::size_t longest_stored = 255;  // FDNAME_MAX

Result<UniqueFd> connect_to(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(std::errc::filename_too_long, "cannot notify the service manager: NOTIFY_SOCKET is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  if (path.front() == '@') {
    address.sun_path[0] = '\0';
    --size;
  }
  UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) < 0)
    return fail_errno(errno, "cannot notify the service manager");
  return socket;
}

}  // namespace

Result<std::unique_ptr<ServiceManager>> ServiceManager::find(const Loop& loop) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return nullptr;
  std::unique_ptr<ServiceManager> found{new ServiceManager{loop}};
  SVD_TRY(found->socket_, connect_to(path));
  SVD_CHECK(found->watch_.arm(loop, found->socket_.get(), 0, Priority::client,
                              [manager = found.get()](std::uint32_t) { manager->send(); }));
  return found;
}

void ServiceManager::tell(std::string text) { queue(std::move(text), {}); }

Result<> ServiceManager::feed_watchdog() {
  const char* text = std::getenv("WATCHDOG_USEC");
  std::int64_t micros = 0;
  if (text == nullptr || std::from_chars(text, text + std::strlen(text), micros).ec != std::errc{}) return {};
  interval_ = Millis{micros / 2000};
  if (interval_.count() <= 0) return {};
  SVD_CHECK(watchdog_.arm(loop_, Priority::client, [this] {
    tell("WATCHDOG=1");
    (void)watchdog_.set(Loop::now().mono + interval_);  // fails as the loop does; then the watchdog is right
  }));
  return watchdog_.set(Loop::now().mono + interval_);
}

std::string StoredNames::encode(std::string_view name) {
  std::string text;
  for (const unsigned char c : name) {
    std::array<char, 4> escaped{static_cast<char>(c)};
    if (c <= ' ' || c >= 127 || c == ':' || c == '%')
      std::snprintf(escaped.data(), escaped.size(), "%%%02X", unsigned{c});
    text += escaped.data();
  }
  return text;
}

bool StoredNames::note(const std::string& name) {
  if (names_.contains(name)) return true;
  const auto size = encode(name).size();
  if (names_.size() >= most || size > longest_stored || bytes_ + size + 1 > most_bytes) return false;
  bytes_ += size + 1;
  names_.insert(name);
  return true;
}

bool StoredNames::forget(const std::string& name) {
  if (names_.erase(name) == 0) return false;
  bytes_ -= encode(name).size() + 1;
  return true;
}

void ServiceManager::store(const std::string& name, int fd) {
  forget(name);
  UniqueFd copy{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
  if (copy && stored_.note(name))
    queue("FDSTORE=1\nFDPOLL=0\nFDNAME=" + StoredNames::encode(name), std::move(copy));
}

void ServiceManager::forget(const std::string& name) {
  if (stored_.forget(name)) queue("FDSTOREREMOVE=1\nFDNAME=" + StoredNames::encode(name), {});
}

void ServiceManager::queue(std::string text, UniqueFd fd) {
  if (queue_.size() >= max_queued) return;
  queue_.push_back({std::move(text), std::move(fd)});
  send();
}

// False: not now.
bool ServiceManager::send_first() {
  auto& note = queue_.front();
  iovec text{note.text.data(), note.text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  if (note.fd) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = note.fd.get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) < 0 && (errno == EAGAIN || errno == ENOBUFS))
    return false;
  queue_.pop_front();
  return true;
}

void ServiceManager::send() {
  while (!queue_.empty() && send_first()) {
  }
  (void)watch_.set_events(queue_.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
}

}  // namespace svd
