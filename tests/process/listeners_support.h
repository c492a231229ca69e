// SPDX-License-Identifier: Apache-2.0
// Clients of loopback sockets, and a keeper that is a map.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kernel/listeners.h"
#include "kernel/steering.h"
#include "processes_support.h"

namespace svd::test {

inline sockaddr_in loopback(std::uint16_t port, const std::string& host = "127.0.0.1") {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  REQUIRE(::inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1);
  return address;
}

inline std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// A port that nobody has, of every address.
inline std::uint16_t free_port(int type = SOCK_STREAM) {
  const UniqueFd fd{::socket(AF_INET6, type | SOCK_CLOEXEC, 0)};
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return port_of(fd.get());
}

// An empty one: refused.
inline UniqueFd connect_from(const std::string& from, std::uint16_t port,
                             const std::string& to = "127.0.0.1") {
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const linger reset{1, 0};  // no TIME_WAIT: ports are not to run out
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  const auto own = loopback(0, from), address = loopback(port, to);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) fd.reset();
  return fd;
}
inline bool can_connect6(std::uint16_t port) {
  const UniqueFd fd{::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// The first of these with something to take.
template <class Sockets>
std::size_t readable(const Sockets& sockets) {
  std::vector<pollfd> states;
  for (const auto& fd : sockets) states.push_back({fd.get(), POLLIN, 0});
  REQUIRE(::poll(states.data(), states.size(), 20'000) == 1);
  return static_cast<std::size_t>(
      std::ranges::find_if(states, [](const pollfd& state) { return state.revents != 0; }) - states.begin());
}
// And takes the connection.
template <class Sockets>
std::size_t taker(const Sockets& sockets) {
  const auto index = readable(sockets);
  const UniqueFd connection{::accept4(sockets[index].get(), nullptr, nullptr, SOCK_CLOEXEC)};
  REQUIRE(connection);
  return index;
}

class FakeHolder final : public Holder {
 public:
  Result<> hold(const std::string& name, int fd) override {
    if (held.size() >= room && !held.contains(name))
      return fail(std::errc::no_buffer_space, "cannot hold: full");
    struct stat found {};
    REQUIRE(::fstat(fd, &found) == 0);
    held.insert_or_assign(name, UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)});
    stored.erase(name);
    if (std::ranges::none_of(stored, [&](const auto& entry) { return entry.second == found.st_ino; }))
      stored.emplace(name, found.st_ino);
    return {};
  }
  [[nodiscard]] int borrow(const std::string& name) const override {
    const auto found = held.find(name);
    return found == held.end() ? -1 : found->second.get();
  }
  [[nodiscard]] std::vector<std::string> held_names() const override {
    std::vector<std::string> names;
    for (const auto& [name, fd] : held) names.push_back(name);
    return names;
  }
  void release(const std::string& name) override {
    held.erase(name);
    stored.erase(name);
  }
  // What is held is stored, too.
  [[nodiscard]] bool is_stored() const {
    return std::ranges::all_of(held, [&](const auto& entry) { return stored.contains(entry.first); });
  }

  std::map<std::string, UniqueFd> held;
  std::map<std::string, ino_t> stored;  // by the service manager, which keeps none twice
  std::size_t room = 1'000;
};

}  // namespace svd::test
