// SPDX-License-Identifier: Apache-2.0
// The supervisor's sockets: what is bound, what is kept, what is told when it cannot be.
#include <netinet/tcp.h>
#include <sys/stat.h>

#include <random>

#include "listeners_support.h"

using namespace svd;
using namespace svd::test;

namespace {

using Balance = Listener::Balance;
using Kind = Listener::Kind;

const AppId web{Name::parse("shop").value(), Name::parse("web").value()};
const AppId api{Name::parse("shop").value(), Name::parse("api").value()};

Listener tcp(std::uint16_t port, const std::string& address = "127.0.0.1", const std::string& name = "http") {
  Listener listener;
  listener.name = Name::parse(name).value();
  listener.address = address;
  listener.port = port;
  return listener;
}

Listener unix_socket(const std::string& path, Kind kind = Kind::unix_stream) {
  Listener listener;
  listener.name = Name::parse("local").value();
  listener.kind = kind;
  listener.address = path;
  return listener;
}

Listener with(Listener listener, Balance balance) {
  listener.balance = balance;
  return listener;
}

ino_t inode(int fd) {
  struct stat found {};
  return ::fstat(fd, &found) == 0 ? found.st_ino : 0;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

// One life of the engine after the other, over one keeper.
struct Sockets {
  Sockets() { restart(); }
  void restart() {
    listeners = std::make_unique<Listeners>();
    listeners->take_over(holder, StartId{last});
  }
  Result<> bind(std::vector<Listener> listen, std::uint32_t slots = 1, const AppId& app = web) {
    spec.name = app.app;
    spec.listen = std::move(listen);
    return listeners->bind(spec, app, slots);
  }
  // The sentence of a failure; empty: none.
  std::string error(std::vector<Listener> listen, std::uint32_t slots = 1, const AppId& app = web) {
    const auto bound = bind(std::move(listen), slots, app);
    return bound ? "" : bound.error().text;
  }
  // The sockets of a start, as it would get them; `spec` as last bound.
  std::vector<int> start(std::uint32_t slot, const AppId& app = web) {
    LaunchPlan plan;
    plan.id = StartId{++last};
    plan.slot = {app, slot};
    plan.listen = spec.listen;
    const auto names = listeners->held_for(plan);
    REQUIRE((names ? "" : names.error().text) == std::string{});
    std::vector<int> fds;
    for (const auto& name : *names) fds.push_back(holder.borrow(name));
    return fds;
  }
  void serve(const std::vector<std::pair<std::uint32_t, StartId>>& ready, const AppId& app = web) {
    listeners->serve(app, ready);
  }
  // Slots that were started just now.
  void serve_slots(const std::vector<std::uint32_t>& slots) {
    std::vector<std::pair<std::uint32_t, StartId>> ready;
    for (const auto slot : slots) ready.emplace_back(slot, StartId{++last});
    serve(ready);
  }
  [[nodiscard]] bool has_waiting(std::uint32_t slot) const {
    return listeners->has_waiting(web, slot, StartId{last});
  }
  void retain(std::vector<Listener> keep, bool gone = false, const AppId& app = web) {
    listeners->retain(app, keep, gone);
  }

  FakeHolder holder;
  AppSpec spec;
  std::uint64_t last = 0;
  std::unique_ptr<Listeners> listeners;
};

// Copies, in order: to accept from as instances would.
std::vector<UniqueFd> copies(const std::vector<int>& fds) {
  std::vector<UniqueFd> out;
  for (const int fd : fds) out.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  return out;
}

std::vector<UniqueFd> slot_sockets(Sockets& test, std::uint32_t slots) {
  std::vector<int> fds;
  for (std::uint32_t slot = 0; slot < slots; ++slot) fds.push_back(test.start(slot).front());
  return copies(fds);
}

}  // namespace

TEST_CASE("connections wait for the first instance: nobody is refused", "[listeners]") {
  Sockets test;
  const auto port = free_port();
  REQUIRE(test.bind({tcp(port)}).has_value());
  const auto client = connect_from("127.0.0.1", port);
  CHECK(client);
  CHECK(taker(copies(test.start(0))) == 0);
}

TEST_CASE("an address is of IPv4, of IPv6, or of both", "[listeners]") {
  Sockets test;
  const auto port = free_port();
  struct Case {
    const char* address;
    bool v6only, v4, v6;
  };
  const auto [address, v6only, v4, v6] =
      GENERATE(Case{"", false, true, true}, Case{"0.0.0.0", false, true, false},
               Case{"::", false, true, true}, Case{"::", true, false, true}, Case{"::1", false, false, true});
  CAPTURE(address, v6only);
  auto listener = tcp(port, address);
  listener.v6only = v6only;
  REQUIRE(test.error({listener}).empty());
  CHECK(static_cast<bool>(connect_from("127.0.0.1", port)) == v4);
  CHECK(can_connect6(port) == v6);
}

TEST_CASE("each kind of socket is bound, and one that has connections listens", "[listeners]") {
  Sockets test;
  TempDir home;
  Listener datagram = tcp(free_port(SOCK_DGRAM), "", "dns");
  datagram.kind = Kind::udp;
  const std::vector<Listener> listen{tcp(free_port()), datagram, unix_socket(home / "stream"),
                                     unix_socket("@svd-test-" + std::to_string(::getpid()))};
  auto more = listen;
  more.push_back(unix_socket(home / "datagram", Kind::unix_datagram));
  more.push_back(unix_socket(home / "seqpacket", Kind::unix_seqpacket));
  for (std::size_t i = 0; i < more.size(); ++i) more[i].name = Name::parse("l" + std::to_string(i)).value();
  REQUIRE(test.error(more).empty());
  const auto fds = test.start(0);
  const std::vector<int> types{SOCK_STREAM, SOCK_DGRAM, SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  const std::vector<int> listening{1, 0, 1, 1, 0, 1};
  for (std::size_t i = 0; i < fds.size(); ++i) {
    CAPTURE(i);
    CHECK(option(fds[i], SOL_SOCKET, SO_TYPE) == types[i]);
    CHECK(option(fds[i], SOL_SOCKET, SO_ACCEPTCONN) == listening[i]);
  }
  CHECK(test.listeners->describe(web).size() == 6);
  CHECK(test.listeners->describe(web)[0] ==
        "tcp 127.0.0.1:" + std::to_string(more[0].port) + " (l0, shared)");
}

TEST_CASE("what is bound stays bound: options and queue change in place", "[listeners]") {
  Sockets test;
  auto listener = tcp(free_port());
  REQUIRE(test.bind({listener}).has_value());
  const auto before = inode(test.start(0).front());
  const auto client = connect_from("127.0.0.1", listener.port);
  listener.backlog = 7;
  listener.keepalive = listener.nodelay = true;
  listener.defer_accept = Millis{3000};
  listener.fast_open = 16;
  REQUIRE(test.error({listener}).empty());
  const int fd = test.start(0).front();
  CHECK(inode(fd) == before);
  CHECK(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) > 0);
  CHECK(option(fd, IPPROTO_TCP, TCP_FASTOPEN) == 16);
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  CHECK(info.tcpi_sacked == 7);  // of a listening socket: the bound of its queue

  REQUIRE(test.error({tcp(listener.port)}).empty());
  CHECK(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 0);
  CHECK(option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) == 0);
  CHECK(option(fd, IPPROTO_TCP, TCP_FASTOPEN) == 0);
  CHECK(inode(test.start(0).front()) == before);
  CHECK(taker(copies({fd})) == 0);  // the one that waited all the time
}

TEST_CASE("an address that this host has not got is bound if the file says so", "[listeners]") {
  Sockets test;
  auto listener = tcp(free_port(), "192.0.2.77");
  CHECK_THAT(test.error({listener}), ContainsSubstring("(http): Cannot assign requested address"));
  listener.freebind = true;
  CHECK(test.error({listener}).empty());
}

TEST_CASE("the next engine finds every socket, and whoever waits there", "[listeners]") {
  Sockets test;
  TempDir home;
  const std::vector<Listener> listen{with(tcp(free_port()), Balance::even), tcp(free_port(), "", "admin"),
                                     unix_socket(home / "socket")};
  REQUIRE(test.error(listen, 3).empty());
  test.serve_slots({1});
  const auto client = connect_from("127.0.0.1", listen[0].port);
  std::vector<ino_t> before;
  for (const int fd : test.start(2)) before.push_back(inode(fd));
  const auto names = test.holder.held_names();

  test.restart();
  CHECK(test.listeners->describe(web).empty());  // it is not told yet what they are
  REQUIRE(test.error(listen, 3).empty());
  CHECK(test.holder.held_names() == names);
  std::vector<ino_t> after;
  for (const int fd : test.start(2)) after.push_back(inode(fd));
  CHECK(after == before);
  const auto sockets = slot_sockets(test, 3);
  CHECK(taker(sockets) == 1);
  test.serve_slots({2});
  const auto another = connect_from("127.0.0.1", listen[0].port);
  CHECK(taker(sockets) == 2);
}

TEST_CASE("a start of a version before the last one gets its sockets also from the next engine",
          "[listeners]") {
  Sockets test;
  const auto old = tcp(free_port());
  REQUIRE(test.bind({old}).has_value());
  const auto before = inode(test.start(0).front());
  test.restart();
  REQUIRE(test.bind({tcp(free_port())}).has_value());
  test.spec.listen = {old};
  CHECK(inode(test.start(0).front()) == before);
}

TEST_CASE("only removal closes a listener", "[listeners]") {
  Sockets test;
  const auto one = tcp(free_port()), two = tcp(free_port(), "127.0.0.1", "admin");
  REQUIRE(test.bind({one, two}, 0).has_value());
  REQUIRE(test.bind({one}, 0).has_value());
  CHECK(connect_from("127.0.0.1", two.port));  // instances may still use it
  test.retain({one});
  CHECK(connect_from("127.0.0.1", one.port));
  CHECK_FALSE(connect_from("127.0.0.1", two.port));
  test.retain({}, true);
  CHECK_FALSE(connect_from("127.0.0.1", one.port));
  CHECK(test.holder.held.empty());
}

TEST_CASE("an address in use is told with its owner, and nothing has changed", "[listeners]") {
  Sockets test;
  const auto free = tcp(free_port(), "127.0.0.1", "free");
  const auto balance = GENERATE(Balance::shared, Balance::even);
  SECTION("by another program, also by one that would share") {
    UniqueFd other{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int on = 1;
    ::setsockopt(other.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    auto address = loopback(0);
    REQUIRE(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(other.get(), 1) == 0);
    const auto port = port_of(other.get());
    const auto* const wanted = GENERATE("", "127.0.0.1", "0.0.0.0");
    const auto shown = *wanted == '\0' ? std::string{"*"} : std::string{wanted};
    CHECK(test.error({free, with(tcp(port, wanted), balance)}, 2) ==
          "cannot bind tcp " + shown + ":" + std::to_string(port) +
              " for shop:web (http): it is in use by test_listeners (pid " + std::to_string(::getpid()) +
              ")");
  }
  SECTION("by another app") {
    const auto taken = with(tcp(free_port(), ""), balance);
    REQUIRE(test.bind({taken}, 2, api).has_value());
    CHECK(test.error({free, with(tcp(taken.port), balance)}, 2) ==
          "cannot bind tcp 127.0.0.1:" + std::to_string(taken.port) +
              " for shop:web (http): it is in use by shop:api (http)");
    CHECK(test.holder.held.size() == (balance == Balance::even ? 2 : 1));
  }
  CHECK_FALSE(connect_from("127.0.0.1", free.port));
  CHECK(test.listeners->describe(web).empty());
}

TEST_CASE("what was changed before something else failed is changed back", "[listeners]") {
  Sockets test;
  auto listener = with(tcp(free_port()), Balance::even);
  REQUIRE(test.bind({listener}, 2).has_value());
  const auto names = test.holder.held_names();
  test.serve_slots({1});
  const auto sockets = slot_sockets(test, 2);

  auto wanted = listener;
  wanted.keepalive = true;
  auto impossible = tcp(free_port(), "192.0.2.77", "far");
  CHECK_FALSE(test.error({wanted, impossible}, 4).empty());
  CHECK(test.holder.held_names() == names);
  CHECK(option(sockets[0].get(), SOL_SOCKET, SO_KEEPALIVE) == 0);

  test.holder.room = test.holder.held.size() + 1;  // the second of two new sockets is refused
  CHECK_FALSE(test.error({wanted}, 4).empty());
  CHECK(test.holder.held_names() == names);
  for (int i = 0; i < 20; ++i) {
    const auto client = connect_from("127.0.0.1", listener.port);
    CHECK(taker(sockets) == 1);
  }
}

TEST_CASE("a slot that is not ready gets no connection, whatever came and went before",
          "[listeners][property]") {
  const auto seed = Catch::rngSeed();
  CAPTURE(seed);
  std::mt19937 random{seed};
  const auto below = [&](std::uint32_t limit) {
    return std::uniform_int_distribution{0U, limit - 1}(random);
  };
  Sockets test;
  const auto balance = GENERATE(Balance::even, Balance::sticky);
  const auto listener = with(tcp(free_port()), balance);
  std::uint32_t slots = 0, most = 0;
  std::set<std::uint32_t> ready;
  for (int step = 0; step < 200; ++step) {
    const auto what = below(8);
    if (what == 0 || step == 0) {
      slots = below(7);
      most = std::max({most, slots, 1U});
      std::erase_if(ready, [&](std::uint32_t slot) { return slot >= slots; });
      test.serve_slots({ready.begin(), ready.end()});
      REQUIRE(test.error({listener}, slots).empty());
    } else if (what == 1) {
      test.restart();
      REQUIRE(test.error({listener}, slots).empty());
      test.serve_slots({ready.begin(), ready.end()});
    } else if (slots > 0) {
      const auto slot = below(slots);
      if (!ready.erase(slot)) ready.insert(slot);
      test.serve_slots({ready.begin(), ready.end()});
    }
    const auto sockets = slot_sockets(test, most);
    const auto peer = "127.0.0." + std::to_string(1 + below(200));
    const auto client = connect_from(peer, listener.port);
    REQUIRE(client);
    const auto hit = static_cast<std::uint32_t>(taker(sockets));
    CAPTURE(step, slots, ready);
    if (ready.empty())
      REQUIRE(hit < std::max(slots, 1U));
    else
      REQUIRE(ready.contains(hit));
  }
}

TEST_CASE("what waits in a slot's own socket is known until it is accepted", "[listeners]") {
  Sockets test;
  const auto listener = with(tcp(free_port()), Balance::even);
  REQUIRE(test.bind({listener}, 2).has_value());
  test.serve_slots({1});
  CHECK_FALSE(test.has_waiting(1));
  const auto client = connect_from("127.0.0.1", listener.port);
  CHECK(test.has_waiting(1));
  CHECK_FALSE(test.has_waiting(0));
  REQUIRE(taker(slot_sockets(test, 2)) == 1);
  CHECK_FALSE(test.has_waiting(1));
}

TEST_CASE("scaling gives each slot a socket, and never takes one away", "[listeners]") {
  Sockets test;
  const auto listener = with(tcp(free_port()), Balance::even);
  REQUIRE(test.bind({listener}, 4).has_value());
  const auto before = inode(test.start(3).front());
  REQUIRE(test.bind({listener}, 0).has_value());
  CHECK(connect_from("127.0.0.1", listener.port));
  REQUIRE(test.bind({listener}, 4).has_value());
  CHECK(inode(test.start(3).front()) == before);
  test.retain({listener});
  CHECK(inode(test.start(3).front()) == before);
}

TEST_CASE("a change of balance keeps the socket, and instances take from what they have", "[listeners]") {
  Sockets test;
  const auto shared = tcp(free_port());
  const auto even = with(shared, Balance::even);
  REQUIRE(test.bind({shared}, 2).has_value());
  const auto first = inode(test.start(0).front());
  const StartId old_one{test.last};
  REQUIRE(test.error({even}, 2).empty());
  CHECK(inode(test.start(0).front()) == first);
  const auto sockets = slot_sockets(test, 2);
  const StartId new_one{test.last};

  // Slot 1's old instance has the shared socket and no other, also for the next engine.
  for (int engines = 0; engines < 2; ++engines) {
    test.serve({{1, old_one}});
    for (int i = 0; i < 20; ++i) {
      const auto client = connect_from("127.0.0.1", shared.port);
      CHECK(taker(sockets) == 0);
    }
    test.restart();
    REQUIRE(test.error({even}, 2).empty());
  }
  test.serve({{1, new_one}});
  const auto client = connect_from("127.0.0.1", shared.port);
  CHECK(taker(sockets) == 1);

  // And back: instances of the group go on with theirs, until nobody is left who uses more than the first.
  REQUIRE(test.error({shared}, 2).empty());
  test.start(1);
  test.serve({{1, new_one}});
  const auto another = connect_from("127.0.0.1", shared.port);
  CHECK(taker(sockets) == 1);
  test.serve({{1, StartId{test.last}}});
  const auto third = connect_from("127.0.0.1", shared.port);
  CHECK(taker(sockets) == 0);
  test.retain({shared});
  CHECK(test.holder.held.size() == 1);
  CHECK(test.holder.is_stored());
  CHECK(option(test.start(0).front(), SOL_SOCKET, SO_REUSEPORT) == 0);
}

TEST_CASE("a change of balance that is taken back at once changes nothing for what runs", "[listeners]") {
  Sockets test;
  const auto shared = tcp(free_port());
  REQUIRE(test.bind({shared}, 2).has_value());
  test.start(0);
  test.start(1);
  const StartId old_one{test.last};
  REQUIRE(test.error({with(shared, Balance::even)}, 2).empty());
  REQUIRE(test.error({shared}, 2).empty());
  test.serve({{1, old_one}});
  const auto sockets = copies(test.start(0));
  const auto client = connect_from("127.0.0.1", shared.port);
  CHECK(taker(sockets) == 0);
}

TEST_CASE("an address may grow or shrink while the former one is still in use", "[listeners]") {
  Sockets test;
  const auto balance = GENERATE(Balance::shared, Balance::even);
  const auto port = free_port();
  const auto narrow = with(tcp(port), balance), wide = with(tcp(port, ""), balance);
  REQUIRE(test.bind({narrow}, 2).has_value());
  REQUIRE(test.error({wide}, 2).empty());
  CHECK(can_connect6(port));
  test.retain({wide});
  CHECK(connect_from("127.0.0.1", port));
  REQUIRE(test.error({narrow}, 2).empty());
  test.retain({narrow});
  CHECK_FALSE(can_connect6(port));
  CHECK(connect_from("127.0.0.1", port));
}

TEST_CASE("with reuse_port the program binds the address, and gets every connection", "[listeners]") {
  Sockets test;
  auto listener = tcp(free_port());
  listener.reuse_port = true;
  REQUIRE(test.error({listener}, 2).empty());
  CHECK_FALSE(connect_from("127.0.0.1", listener.port));  // nobody listens: we do not pretend to
  std::vector<UniqueFd> own;
  for (int i = 0; i < 2; ++i) {
    auto& fd = own.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    const auto address = loopback(listener.port);
    REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd.get(), 16) == 0);
  }
  for (int i = 0; i < 50; ++i) {
    const auto client = connect_from("127.0.0.1", listener.port);
    taker(own);
  }
  CHECK(test.listeners->describe(web).front().ends_with("(http, reserved)"));
}

TEST_CASE("a program that stopped a socket from listening has done so until the next start", "[listeners]") {
  Sockets test;
  const auto balance = GENERATE(Balance::shared, Balance::even);
  const auto listener = with(tcp(free_port()), balance);
  REQUIRE(test.bind({listener}, 3).has_value());
  ::shutdown(test.start(0).front(), SHUT_RDWR);
  const auto sockets = slot_sockets(test, balance == Balance::even ? 3 : 1);
  for (std::uint32_t slot = 0; slot < sockets.size(); ++slot) {
    test.serve_slots({slot});
    const auto client = connect_from("127.0.0.1", listener.port);
    REQUIRE(client);
    CHECK(taker(sockets) == slot);
  }
}

TEST_CASE("Node's sockets never block; others are as service managers pass them", "[listeners]") {
  Sockets test;
  const auto listener = tcp(free_port());
  const auto blocks = [&] { return (::fcntl(test.start(0).front(), F_GETFL) & O_NONBLOCK) == 0; };
  REQUIRE(test.bind({listener}).has_value());
  CHECK(blocks());
  test.spec.channel = ChannelKind::node;
  REQUIRE(test.bind({listener}).has_value());
  CHECK_FALSE(blocks());
  test.spec.channel = ChannelKind::none;
  REQUIRE(test.bind({listener}).has_value());
  CHECK_FALSE(blocks());  // what runs may rely on it
}

TEST_CASE("a start whose listener is not bound is refused", "[listeners]") {
  Sockets test;
  REQUIRE(test.bind({tcp(free_port())}).has_value());
  LaunchPlan plan;
  plan.slot = {web, 0};
  plan.listen = {tcp(1)};
  CHECK(test.listeners->held_for(plan).error().text == "cannot pass on http: it is not bound");
}
