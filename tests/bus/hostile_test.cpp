// SPDX-License-Identifier: Apache-2.0
// A client that misbehaves costs itself the connection, and nobody else anything.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>

#include "bus/harness.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

std::string own_uid_in_hex() {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out;
  for (const char c : std::to_string(::getuid()))
    out += {hex[static_cast<unsigned char>(c) >> 4U], hex[static_cast<unsigned char>(c) & 15U]};
  return out;
}

// Connected and authenticated; from here on plain bytes.
UniqueFd authenticated(Harness& harness) {
  UniqueFd fd = harness.raw();
  const std::string hello = std::string{"\0AUTH EXTERNAL ", 15} + own_uid_in_hex() + "\r\nBEGIN\r\n";
  REQUIRE(::send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(hello.size()));
  return fd;
}

// A complete call of Peer.Ping, or of ListInstances, as bytes.
std::string call_bytes(const char* interface, const char* member, std::string_view body = {},
                       const char* signature = "") {
  std::string bytes;
  const auto u32 = [&](std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>((value >> static_cast<unsigned>(shift)) & 255U);
  };
  const auto align = [&](std::size_t to) { bytes.resize((bytes.size() + to - 1) / to * to); };
  const auto field = [&](char code, char type, std::string_view text) {
    align(8);
    bytes += {code, 1, type, 0};
    if (type == 'g')
      bytes += static_cast<char>(text.size());
    else
      u32(static_cast<std::uint32_t>(text.size()));
    bytes += text;
    bytes += '\0';
  };
  bytes = {'l', 1, 0, 1};
  u32(static_cast<std::uint32_t>(body.size()));
  u32(1);
  u32(0);  // length of the fields, below
  field(1, 'o', "/org/svd1");
  field(2, 's', interface);
  field(3, 's', member);
  field(6, 's', "org.svd1");
  if (!body.empty()) field(8, 'g', signature);
  const auto length = static_cast<std::uint32_t>(bytes.size() - 16);
  for (unsigned i = 0; i < 4; ++i) bytes[12 + i] = static_cast<char>((length >> (8 * i)) & 255U);
  align(8);
  bytes += body;
  return bytes;
}

bool is_closed(int fd) {
  char byte = 0;
  for (;;) {
    const auto got = ::recv(fd, &byte, 1, MSG_DONTWAIT);
    if (got == 0) return true;
    if (got < 0) return errno == ECONNRESET;
  }
}

bool serves(Harness& harness) {
  const auto client = harness.connect();
  return error_name(harness.call_manager(client.get(), "ListApps",
                                         [](auto* m) { sd_bus_message_append(m, "as", 0); }))
      .empty();
}

}  // namespace

TEST_CASE("garbage costs only its sender the connection", "[bus][hostile]") {
  Harness harness;
  const auto bystander = harness.connect();
  std::mt19937 random{Catch::rngSeed()};
  for (int round = 0; round < 100; ++round) {
    const auto fd = round % 2 == 0 ? harness.raw() : authenticated(harness);
    std::string bytes(1 + random() % 4000, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    if (round % 4 == 3) bytes[0] = 'l';
    (void)::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::shutdown(fd.get(), SHUT_WR);
    harness.until([&] { return is_closed(fd.get()); });
  }
  CHECK(error_name(harness.call(bystander.get(), "/org/svd1", "org.freedesktop.DBus.Peer", "Ping")).empty());
  CHECK(serves(harness));
}

TEST_CASE("a message of an impossible length costs only its sender the connection", "[bus][hostile]") {
  Harness harness;
  const auto fd = authenticated(harness);
  auto bytes = call_bytes("org.freedesktop.DBus.Peer", "Ping");
  bytes[7] = 0x7f;  // the body has 2 GiB, it says
  REQUIRE(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0);
  harness.until([&] { return is_closed(fd.get()); });
  CHECK(serves(harness));
}

TEST_CASE("a call that comes in one piece with the end of the handshake is answered", "[bus]") {
  Harness harness;
  const auto fd = harness.raw();
  auto bytes = std::string{"\0AUTH EXTERNAL ", 15} + own_uid_in_hex() + "\r\nBEGIN\r\n";
  for (int i = 0; i < 3; ++i) bytes += call_bytes("org.freedesktop.DBus.Peer", "Ping");
  REQUIRE(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  std::string got;
  // An empty reply of 1.0 to us: 'l', method return.
  const auto replies = [&] {
    std::size_t count = 0;
    for (auto at = got.find("l\x02"); at != std::string::npos; at = got.find("l\x02", at + 1)) ++count;
    return count;
  };
  harness.until([&] {
    char buffer[4096];
    const auto n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0) got.append(buffer, static_cast<std::size_t>(n));
    return replies() == 3;
  });
  CHECK(replies() == 3);
}

TEST_CASE("a client that does not read its replies is disconnected", "[bus][hostile]") {
  // By bytes, and by messages: the smaller of the two limits is what counts.
  const auto limits = GENERATE(bus::Limits{.queued_bytes = 256U << 10}, bus::Limits{.queued_messages = 4});
  Harness harness{limits};
  harness.control.add_app(app_id("shop", "web"), 200);
  const auto fd = authenticated(harness);
  REQUIRE(::fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0);
  const auto call = call_bytes("org.svd1.Manager", "ListInstances", std::string_view{"\0\0\0\0", 4}, "as");
  const auto is_dropped = [&] {
    return !harness.host.lines.empty() &&
           harness.host.lines.back().find("asks for more than it reads") != std::string::npos;
  };
  harness.until([&] {
    (void)::send(fd.get(), call.data(), call.size(), MSG_NOSIGNAL);
    return is_dropped();
  });
  CHECK(serves(harness));
}

TEST_CASE("a client that does not read its signals is disconnected", "[bus][hostile]") {
  Harness harness;
  const auto web = app_id("shop", "web");
  harness.control.add_app(web, 1);
  const auto lazy = harness.connect();
  REQUIRE(
      error_name(harness.call(
                     lazy.get(), "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch",
                     [](auto* m) { sd_bus_message_append(m, "s", "type='signal'"); }, "org.freedesktop.DBus"))
          .empty());
  sd_bus_detach_event(lazy.get());
  for (int sent = 0; sent < 100'000 && harness.host.lines.empty(); ++sent) {
    harness.server->instance_changed({web, 0});
    harness.settle();
  }
  REQUIRE_FALSE(harness.host.lines.empty());
  CHECK_THAT(harness.host.lines[0], ContainsSubstring("does not read its signals"));
  harness.server->instance_changed({web, 0});
  harness.settle();
  CHECK(harness.host.lines.size() == 1);
  CHECK(serves(harness));
}

TEST_CASE("a thousand connections harm nobody", "[bus][hostile]") {
  Harness harness;
  const bool says_who_it_is = GENERATE(false, true);
  std::vector<UniqueFd> crowd;
  for (int i = 0; i < 1000; ++i) crowd.push_back(says_who_it_is ? authenticated(harness) : harness.raw());
  harness.settle();
  const auto newcomer = harness.in_child([&] {
    const auto fd = authenticated(harness);
    const auto call = call_bytes("org.freedesktop.DBus.Peer", "Ping");
    if (::send(fd.get(), call.data(), call.size(), MSG_NOSIGNAL) < 0) return 1;
    std::string got;
    char byte = 0;
    while (got.find("l\x02") == std::string::npos && ::read(fd.get(), &byte, 1) == 1) got += byte;
    return got.find("l\x02") == std::string::npos ? 2 : 0;
  });
  CHECK(newcomer.status == 0);
  std::size_t open = 0;
  for (const auto& fd : crowd) open += is_closed(fd.get()) ? 0U : 1U;
  CHECK(open == bus::Limits{}.connections - 1);
  CHECK_FALSE(is_closed(crowd.back().get()));  // the newest are what is left
  CHECK(harness.host.lines.size() == 1);       // not a line for each
}

TEST_CASE("who has few connections keeps them, however long they are quiet", "[bus][hostile]") {
  Harness harness;
  const auto bystander = harness.connect();
  const auto crowd = harness.in_child([&] {
    std::vector<UniqueFd> mine;
    for (int i = 0; i < 300; ++i) mine.push_back(authenticated(harness));
    for (std::size_t i = 0; i < 300 - bus::Limits{}.connections; ++i) {
      char byte = 0;
      while (::read(mine[i].get(), &byte, 1) > 0) {
      }
    }
    return 0;
  });
  CHECK(crowd.status == 0);
  CHECK(error_name(harness.call(bystander.get(), "/org/svd1", "org.freedesktop.DBus.Peer", "Ping")).empty());
}

TEST_CASE("a crowd loses what it does not use before what it listens on", "[bus][hostile]") {
  Harness harness;
  const auto listener = harness.connect();
  bool heard = false;
  const auto note = [](sd_bus_message*, void* into, sd_bus_error*) -> int {
    *static_cast<bool*>(into) = true;
    return 0;
  };
  REQUIRE(sd_bus_match_signal_async(listener.get(), nullptr, "org.svd1", "/org/svd1", "org.svd1.Manager",
                                    "InstanceChanged", note, nullptr, &heard) >= 0);
  harness.settle();
  std::vector<UniqueFd> crowd;
  for (int i = 0; i < 300; ++i) crowd.push_back(authenticated(harness));
  harness.settle();
  CHECK(is_closed(crowd.front().get()));
  const auto web = app_id("shop", "web");
  harness.control.add_app(web, 1);
  harness.server->instance_changed({web, 0});
  harness.until([&] { return heard; });
  CHECK(serves(harness));
}

TEST_CASE("a crowd that listens on all of its connections locks nobody out either", "[bus][hostile]") {
  Harness harness{bus::Limits{.connections = 16}};
  std::vector<Bus> crowd;
  for (int i = 0; i < 16; ++i) {
    crowd.push_back(harness.connect());
    REQUIRE(error_name(harness.call(
                           crowd.back().get(), "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch",
                           [](auto* m) { sd_bus_message_append(m, "s", "type='signal'"); },
                           "org.freedesktop.DBus"))
                .empty());
  }
  CHECK(harness.busctl({"call", "org.svd1", "/org/svd1", "org.freedesktop.DBus.Peer", "Ping"}).status == 0);
  harness.until([&] { return sd_bus_is_ready(crowd.front().get()) <= 0; });
}

TEST_CASE("who does not authenticate in time is disconnected, who has is not", "[bus][hostile]") {
  Harness harness{bus::Limits{.authentication = Millis{300}}};
  const auto client = harness.connect();
  const auto silent = harness.raw();
  const auto slow = harness.raw();
  REQUIRE(::send(slow.get(), "\0AUTH", 5, MSG_NOSIGNAL) == 5);
  harness.until([&] { return is_closed(silent.get()) && is_closed(slow.get()); });
  CHECK(error_name(harness.call(client.get(), "/org/svd1", "org.freedesktop.DBus.Peer", "Ping")).empty());
  CHECK(harness.host.lines.size() == 2);
}

TEST_CASE("a client that never pauses does not keep signals from the others", "[bus][hostile]") {
  Harness harness;
  const auto web = app_id("shop", "web");
  harness.control.add_app(web, 1);
  const auto listener = harness.connect();
  bool heard = false;
  const auto note = [](sd_bus_message*, void* into, sd_bus_error*) -> int {
    *static_cast<bool*>(into) = true;
    return 0;
  };
  REQUIRE(sd_bus_match_signal_async(listener.get(), nullptr, "org.svd1", "/org/svd1", "org.svd1.Manager",
                                    "InstanceChanged", note, nullptr, &heard) >= 0);
  harness.settle();
  const auto fd = authenticated(harness);
  REQUIRE(::fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0);
  const auto ping = call_bytes("org.freedesktop.DBus.Peer", "Ping");
  std::string many;
  for (int i = 0; i < 50; ++i) many += ping;
  harness.server->instance_changed({web, 0});
  harness.until([&] {
    (void)::send(fd.get(), many.data(), many.size(), MSG_NOSIGNAL);  // never lets the loop be idle
    (void)is_closed(fd.get());                                       // and reads what comes back
    return heard;
  });
  CHECK(heard);
}

TEST_CASE("a connection may have only so many match rules", "[bus][hostile]") {
  Harness harness;
  const auto client = harness.connect();
  std::string last;
  for (int i = 0; i < 600 && last.empty(); ++i) {
    last = error_name(harness.call(
        client.get(), "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch",
        [&](auto* m) { sd_bus_message_append(m, "s", ("arg0='" + std::to_string(i) + "'").c_str()); },
        "org.freedesktop.DBus"));
  }
  CHECK(last == SD_BUS_ERROR_LIMITS_EXCEEDED);
}
