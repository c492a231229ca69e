// SPDX-License-Identifier: Apache-2.0
#include "kernel/connect_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace svd {
namespace {

constexpr Millis first_pause{10}, longest_pause{1'000};
constexpr Millis patience{2'000};  // with one attempt: a full accept queue drops what comes

struct Address {
  sockaddr_in6 storage{};  // the larger one
  socklen_t size = 0;
  int family = AF_INET;
};

bool parse(const std::string& text, std::uint16_t port, Address& out) {
  if (text.find(':') != std::string::npos) {
    out.family = AF_INET6;
    out.size = sizeof(sockaddr_in6);
    out.storage.sin6_family = AF_INET6;
    out.storage.sin6_port = ::htons(port);
    return ::inet_pton(AF_INET6, text.c_str(), &out.storage.sin6_addr) == 1;
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(out.storage);
  out.size = sizeof v4;
  v4.sin_family = AF_INET;
  v4.sin_port = ::htons(port);
  return ::inet_pton(AF_INET, text.empty() ? "127.0.0.1" : text.c_str(), &v4.sin_addr) == 1;
}

}  // namespace

Result<> ConnectProbe::start(const Loop& loop, const std::string& address, std::uint16_t port,
                             std::function<void()> accepted) {
  loop_ = &loop;
  address_ = address;
  port_ = port;
  accepted_ = std::move(accepted);
  pause_ = first_pause;
  SVD_CHECK(timer_.arm(loop, Priority::message, [this] { ask(); }));
  return timer_.set(Loop::now().mono);
}

void ConnectProbe::ask() {
  watch_.disarm();
  Address address;
  socket_ = UniqueFd{};
  if (!parse(address_, port_, address)) return;
  socket_ = UniqueFd{::socket(address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket_) return ask_later();
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0)
    return answered();
  if (errno != EINPROGRESS) return ask_later();
  if (!watch_.arm(*loop_, socket_.get(), EPOLLOUT, Priority::message, [this](std::uint32_t) { answered(); }))
    return ask_later();
  (void)timer_.set(Loop::now().mono + patience);
}

void ConnectProbe::answered() {
  int err = 0;
  socklen_t size = sizeof err;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &err, &size);
  watch_.disarm();
  socket_.reset();
  if (err != 0) return ask_later();
  (void)timer_.set(std::nullopt);
  const auto accepted = std::move(accepted_);
  accepted();  // last: this may be gone behind it
}

void ConnectProbe::ask_later() {
  socket_.reset();
  (void)timer_.set(Loop::now().mono + pause_);
  pause_ = std::min(pause_ * 3 / 2, longest_pause);
}

}  // namespace svd
