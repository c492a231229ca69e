// SPDX-License-Identifier: Apache-2.0
// What is pure about listeners: names at the keeper, tables of sockets, which address is in whose way.
#include "keeper/protocol.h"
#include "kernel/address_owner.h"
#include "kernel/bound_listener.h"
#include "kernel/listener_name.h"
#include "support/catch.h"

using namespace svd;

namespace {

Listener at(const std::string& address, std::uint16_t port = 8080,
            Listener::Kind kind = Listener::Kind::tcp) {
  Listener listener;
  listener.kind = kind;
  listener.address = address;
  listener.port = port;
  return listener;
}

}  // namespace

TEST_CASE("a held socket's name comes back as it went, and fits", "[listeners]") {
  const auto longest = Name::parse(std::string(63, 'n')).value();
  const HeldListener socket{{longest, longest}, longest, ~0ULL, max_instances - 1, ~0ULL};
  const auto name = to_held_name(socket);
  CHECK(name.size() <= keeper::max_name);
  CHECK(parse_held_name(name) == socket);
  for (std::size_t size = 0; size < name.size(); ++size) {
    const auto part = parse_held_name(name.substr(0, size));
    CHECK((!part || part->mark != socket.mark));  // a shorter last number is a number, too
  }
  for (const auto* const other :
       {"lock", "listener:", "listener:a:b:c:1:2", "listener:a:b:c:1:2:3:4", "listener:a:b:c:x:2:3",
        "listener:a:b:c:1:-2:3", "listener::b:c:1:2:3", "listener:a:b:c:1:2:"})
    CHECK_FALSE(parse_held_name(other).has_value());
}

TEST_CASE("a listener's identity is what bind(2) takes, and nothing else", "[listeners]") {
  const auto plain = at("127.0.0.1");
  auto same = plain;
  same.backlog = 1;
  same.balance = Listener::Balance::even;
  same.reuse_port = same.keepalive = true;
  same.mode = 0;
  CHECK(listener_identity(same) == listener_identity(plain));
  auto v6only = at("::"), both = at("::");
  v6only.v6only = true;
  CHECK(listener_identity(v6only) != listener_identity(both));
  CHECK(listener_identity(at("127.0.0.1", 8081)) != listener_identity(plain));
  CHECK(listener_identity(at("127.0.0.2")) != listener_identity(plain));
  CHECK(listener_identity(at("127.0.0.1", 8080, Listener::Kind::udp)) != listener_identity(plain));
}

TEST_CASE("an address is in another one's way when both cannot be bound", "[listeners]") {
  struct Case {
    const char *a, *b;
    bool overlap;
  };
  for (const auto& [a, b, wanted] : {Case{"", "127.0.0.1", true}, Case{"", "::1", true},
                                     Case{"::", "127.0.0.1", true}, Case{"0.0.0.0", "127.0.0.1", true},
                                     Case{"0.0.0.0", "::1", false}, Case{"127.0.0.1", "127.0.0.2", false},
                                     Case{"127.0.0.1", "127.0.0.1", true}, Case{"::1", "::", true}}) {
    CAPTURE(a, b);
    CHECK(overlap(at(a), at(b)) == wanted);
    CHECK(overlap(at(b), at(a)) == wanted);
    CHECK_FALSE(overlap(at(a), at(b, 8081)));
    CHECK_FALSE(overlap(at(a), at(b, 8080, Listener::Kind::udp)));
  }
  auto v6only = at("::");
  v6only.v6only = true;
  CHECK_FALSE(overlap(v6only, at("127.0.0.1")));
  CHECK_FALSE(overlap(at("/a", 0, Listener::Kind::unix_stream), at("/b", 0, Listener::Kind::unix_stream)));
  CHECK(overlap(at("/a", 0, Listener::Kind::unix_stream), at("/a", 0, Listener::Kind::unix_datagram)));
  CHECK_FALSE(overlap(at("/a", 0, Listener::Kind::unix_stream), at("", 0)));
}

TEST_CASE("who listens is read from the kernel's tables", "[listeners]") {
  const std::string table =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 111 1 0 "
      "100 0 0 10 0\n"
      "   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 "
      "100 0 0 10 0\n"
      "   2: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 333 1 0 20 "
      "4 30 10 -1\n";
  const auto inodes = [](const std::vector<SocketEntry>& found) {
    std::vector<std::uint64_t> all;
    for (const auto& one : found) all.push_back(one.inode);
    return all;
  };
  using Inodes = std::vector<std::uint64_t>;
  CHECK(inodes(find_in_inet_table(table, at("127.0.0.1"))) == Inodes{111});
  CHECK(find_in_inet_table(table, at("127.0.0.1")).front().uid == 33);
  CHECK(inodes(find_in_inet_table(table, at(""))) == Inodes{111});
  CHECK(inodes(find_in_inet_table(table, at("127.0.0.2"))).empty());
  CHECK(inodes(find_in_inet_table(table, at("127.0.0.2", 8081))) == Inodes{222});
  CHECK(inodes(find_in_inet_table("heading\nnonsense\n\n: : :\n", at(""))).empty());
  const std::string table6 =
      "  sl  local_address                         remote_address                        st …\n"
      "   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 "
      "00:00000000 00000000     0        0 444 1 0 100 0 0 10 0\n"
      "   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 "
      "00:00000000 00000000     0        0 555 1 0 100 0 0 10 0\n";
  CHECK(inodes(find_in_inet_table(table6, at("127.0.0.1"))) == Inodes{444});
  CHECK(inodes(find_in_inet_table(table6, at("::1"))) == Inodes{444, 555});

  const std::string unix_table =
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 666 /run/a b\n"
      "0000000000000000: 00000003 00000000 00000000 0001 03 777\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 888 @name\n";
  CHECK(inodes(find_in_unix_table(unix_table, "/run/a b")) == Inodes{666});
  CHECK(inodes(find_in_unix_table(unix_table, "@name")) == Inodes{888});
  CHECK(inodes(find_in_unix_table(unix_table, "/run/a")).empty());
}
