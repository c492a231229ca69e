// SPDX-License-Identifier: Apache-2.0
// The programs that spread connections, run by the kernel over real groups of sockets.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cmath>
#include <numeric>
#include <random>

#include "listeners_support.h"

using namespace svd;
using namespace svd::test;

namespace {

std::vector<std::uint32_t> all_of(std::uint32_t count) {
  std::vector<std::uint32_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0U);
  return indices;
}

// A group on a port of its own, in order.
struct Group {
  explicit Group(std::size_t size, int type = SOCK_STREAM) {
    for (std::size_t i = 0; i < size; ++i) join(type);
  }
  void join(int type = SOCK_STREAM) {
    UniqueFd fd{::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const int on = 1;
    REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    const auto address = loopback(port);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    if (type == SOCK_STREAM) REQUIRE(::listen(fd.get(), 4096) == 0);
    port = port_of(fd.get());
    sockets.push_back(std::move(fd));
  }
  void steer(Steering how, const std::vector<std::uint32_t>& ready) {
    auto program = steering_program(how, ready, static_cast<std::uint32_t>(sockets.size()));
    REQUIRE(attach_steering(sockets.front().get(), program).has_value());
  }
  // Which index gets a connection from this address.
  std::size_t hit(const std::string& from = "127.0.0.1") {
    const UniqueFd client = connect_from(from, port);
    return taker(sockets);
  }
  std::uint16_t port = 0;
  std::vector<UniqueFd> sockets;
};

}  // namespace

TEST_CASE("connections are spread evenly over the ready indices, and no other gets one", "[steering]") {
  constexpr int connections = 4'000;
  const auto ready = GENERATE(std::vector<std::uint32_t>{0, 1, 2, 3}, std::vector<std::uint32_t>{1, 3},
                              std::vector<std::uint32_t>{0, 1, 3}, std::vector<std::uint32_t>{2});
  Group group{4};
  group.steer(Steering::random, ready);
  std::array<int, 4> hits{};
  for (int i = 0; i < connections; ++i) ++hits.at(group.hit());
  CAPTURE(hits);
  // Seven standard deviations: once in 10^11 runs by chance.
  const double share = 1.0 / static_cast<double>(ready.size());
  const double bound = 7 * std::sqrt(connections * share * (1 - share));
  for (std::uint32_t index = 0; index < 4; ++index) {
    if (std::ranges::find(ready, index) == ready.end())
      CHECK(hits.at(index) == 0);
    else
      CHECK(std::abs(hits.at(index) - connections * share) <= bound);
  }
}

TEST_CASE("a peer keeps its index as long as that is ready, and comes back to it", "[steering]") {
  Group group{4};
  std::map<std::string, std::size_t> homes;
  group.steer(Steering::by_peer, all_of(4));
  for (int i = 1; i <= 60; ++i) {
    const auto peer = "127.0.0." + std::to_string(i);
    homes[peer] = group.hit(peer);
    CHECK(group.hit(peer) == homes[peer]);
  }
  std::set<std::size_t> used;
  for (const auto& [peer, home] : homes) used.insert(home);
  CHECK(used.size() == 4);

  group.steer(Steering::by_peer, {0, 1, 3});
  std::set<std::size_t> refuges;
  for (const auto& [peer, home] : homes) {
    const auto now = group.hit(peer);
    CHECK(now != 2);
    if (home != 2)
      CHECK(now == home);
    else
      refuges.insert(now);
  }
  CHECK(refuges.size() > 1);  // they do not all go to one

  group.steer(Steering::by_peer, all_of(4));
  for (const auto& [peer, home] : homes) CHECK(group.hit(peer) == home);
}

TEST_CASE("datagrams are steered as connections are", "[steering]") {
  Group group{3, SOCK_DGRAM};
  group.steer(Steering::random, {0, 2});
  const UniqueFd client{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const auto to = loopback(group.port);
  std::array<int, 3> hits{};
  for (int i = 0; i < 600; ++i) {
    REQUIRE(::sendto(client.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 1);
    char byte = 0;
    const auto index = readable(group.sockets);
    REQUIRE(::recv(group.sockets[index].get(), &byte, 1, 0) == 1);
    ++hits.at(index);
  }
  CHECK(hits[1] == 0);
  CHECK(hits[0] > 150);
  CHECK(hits[2] > 150);
}

TEST_CASE("a program for any set of indices is one that the kernel takes", "[steering]") {
  Group group{1};
  for (const auto how : {Steering::random, Steering::by_peer}) {
    std::vector<std::uint32_t> odd;
    for (std::uint32_t index = 1; index < 10'000; index += 2) odd.push_back(index);
    auto program = steering_program(how, odd, 10'000);
    CHECK(attach_steering(group.sockets.front().get(), program).has_value());
    program = steering_program(how, all_of(10'000), 10'000);
    CHECK(program.size() < 50);
    CHECK(attach_steering(group.sockets.front().get(), program).has_value());
  }
}

// What Listeners rests on: the kernel's numbering.
TEST_CASE("a group numbers its sockets as they join, and the last one takes the place of one that leaves",
          "[steering][property]") {
  const auto seed = Catch::rngSeed();
  CAPTURE(seed);
  std::mt19937 random{seed};
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
  };
  for (int history = 0; history < 20; ++history) {
    Group group{1 + below(4)};
    for (int step = 0; step < 20; ++step) {
      if (group.sockets.size() == 1 || (below(2) == 0 && group.sockets.size() < 8)) {
        group.join();
      } else {
        const auto leaver = below(group.sockets.size());
        group.sockets[leaver] = std::move(group.sockets.back());
        group.sockets.pop_back();
      }
      const auto wanted = below(group.sockets.size());
      group.steer(Steering::random, {static_cast<std::uint32_t>(wanted)});
      REQUIRE(group.hit() == wanted);
    }
  }
}
