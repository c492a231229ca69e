// SPDX-License-Identifier: Apache-2.0
// An address that moves from one app to another: the same sockets, with whoever waits there.
#include <sys/stat.h>

#include "listeners_support.h"

using namespace svd;
using namespace svd::test;

namespace {

using Balance = Listener::Balance;

AppId app_of(const char* name, const char* ecosystem = "shop") {
  return {Name::parse(ecosystem).value(), Name::parse(name).value()};
}
const AppId one = app_of("one"), two = app_of("two");

Listener tcp(std::uint16_t port, Balance balance = Balance::shared, const std::string& name = "http") {
  Listener listener;
  listener.name = Name::parse(name).value();
  listener.address = "127.0.0.1";
  listener.port = port;
  listener.balance = balance;
  return listener;
}

Listener local(const std::string& path) {
  Listener listener;
  listener.name = Name::parse("local").value();
  listener.kind = Listener::Kind::unix_stream;
  listener.address = path;
  return listener;
}

ino_t inode(int fd) {
  struct stat found {};
  REQUIRE(::fstat(fd, &found) == 0);
  return found.st_ino;
}

UniqueFd connect_to(const std::string& path) {
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) fd.reset();
  return fd;
}

mode_t mode_of(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_mode & 0777U : 0;
}

// One life of the engine after the other, over one keeper.
struct Sockets {
  Sockets() { restart(); }
  void restart() {
    listeners = std::make_unique<Listeners>();
    listeners->take_over(holder, StartId{last});
  }
  // The sentence of a failure; empty: none.
  std::string error(const AppId& app, std::vector<Listener> listen, std::uint32_t slots = 1,
                    const std::vector<Giver>& givers = {}) {
    AppSpec spec;
    spec.name = app.app;
    spec.listen = std::move(listen);
    const auto bound = listeners->bind(spec, app, slots, givers);
    return bound ? "" : bound.error().text;
  }
  int start(const AppId& app, const Listener& listener, std::uint32_t slot = 0) {
    LaunchPlan plan;
    plan.id = StartId{++last};
    plan.slot = {app, slot};
    plan.listen = {listener};
    const auto names = listeners->held_for(plan);
    REQUIRE((names ? "" : names.error().text) == std::string{});
    return holder.borrow(names->front());
  }
  void serve(const AppId& app, const std::vector<std::uint32_t>& slots) {
    std::vector<std::pair<std::uint32_t, StartId>> ready;
    for (const auto slot : slots) ready.emplace_back(slot, StartId{++last});
    listeners->serve(app, ready);
  }
  void gone(const AppId& app) { listeners->retain(app, {}, true); }

  FakeHolder holder;
  std::uint64_t last = 0;
  std::unique_ptr<Listeners> listeners;
};

UniqueFd copy(int fd) { return UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)}; }

std::vector<UniqueFd> copies(Sockets& test, const AppId& app, const Listener& listener, std::uint32_t slots) {
  std::vector<UniqueFd> all;
  for (std::uint32_t slot = 0; slot < slots; ++slot) all.push_back(copy(test.start(app, listener, slot)));
  return all;
}

}  // namespace

TEST_CASE("an address that an app gives up is the same socket for the next one, and who waits is answered",
          "[listeners]") {
  Sockets test;
  const auto port = free_port();
  REQUIRE(test.error(one, {tcp(port)}).empty());
  const auto socket = inode(test.start(one, tcp(port)));
  const auto client = connect_from("127.0.0.1", port);
  REQUIRE(client);
  const auto name = GENERATE("http", "web");
  const bool dies = GENERATE(false, true);
  const auto its = tcp(port, Balance::shared, name);
  REQUIRE(test.error(two, {its}, 1, {{one}}).empty());
  if (dies) {
    test.restart();
    REQUIRE(test.error(one, {tcp(port)}, 1, {{one}}).empty());
    REQUIRE(test.error(two, {its}, 1, {}).empty());
  }
  CHECK(inode(test.start(one, tcp(port))) == socket);  // what runs has it until it has gone
  test.gone(one);
  CHECK(test.holder.held.size() == 1);
  CHECK(test.holder.is_stored());
  const int fd = test.start(two, its);
  CHECK(inode(fd) == socket);
  std::vector<UniqueFd> sockets;
  sockets.push_back(copy(fd));
  CHECK(taker(sockets) == 0);
  test.gone(two);
  sockets.clear();
  CHECK(test.holder.held.empty());
  CHECK_FALSE(connect_from("127.0.0.1", port));
}

TEST_CASE("apps swap addresses, and a listener gets another name", "[listeners]") {
  Sockets test;
  const auto a = tcp(free_port()), b = tcp(free_port());
  REQUIRE(test.error(one, {a}).empty());
  REQUIRE(test.error(two, {b}).empty());
  const auto first = inode(test.start(one, a)), second = inode(test.start(two, b));
  const std::vector<Listener> of_one{b}, of_two{tcp(a.port, Balance::shared, "other")};
  const std::vector<Giver> givers{{one, of_one}, {two, of_two}};
  REQUIRE(test.error(one, of_one, 1, givers).empty());
  REQUIRE(test.error(two, of_two, 1, givers).empty());
  test.listeners->retain(one, of_one, false);
  test.listeners->retain(two, of_two, false);
  CHECK(inode(test.start(one, b)) == second);
  CHECK(inode(test.start(two, of_two.front())) == first);
  CHECK(test.holder.held.size() == 2);
  CHECK(test.holder.is_stored());
  const std::vector<Listener> renamed{tcp(a.port)};
  REQUIRE(test.error(two, renamed, 1, {{two, renamed}}).empty());
  test.listeners->retain(two, renamed, false);
  CHECK(inode(test.start(two, renamed.front())) == first);
  CHECK(test.holder.held.size() == 2);
}

TEST_CASE("an address that is still wanted, or of another ecosystem, is refused with its owner",
          "[listeners]") {
  Sockets test;
  const std::vector<Listener> listen{tcp(free_port())};
  const auto other = app_of("one", "lab");
  REQUIRE(test.error(one, listen).empty());
  CHECK_THAT(test.error(two, listen, 1, {{one, listen}}), ContainsSubstring("in use by shop:one (http)"));
  CHECK_THAT(test.error(two, listen), ContainsSubstring("in use by shop:one (http)"));
  CHECK_THAT(test.error(other, listen, 1, {{other}}), ContainsSubstring("in use by shop:one (http)"));
  CHECK(test.holder.held.size() == 1);
}

TEST_CASE("a socket's file stays when its address moves, with the mode of who is to have it",
          "[listeners][unix]") {
  Sockets test;
  TempDir home;
  const auto path = home / "socket";
  auto old = local(path), next = local(path);
  old.mode = 0600;
  next.mode = 0660;
  REQUIRE(test.error(one, {old}).empty());
  const auto socket = inode(test.start(one, old));
  const auto client = connect_to(path);
  REQUIRE(client);
  REQUIRE(test.error(two, {next}, 1, {{one}}).empty());
  CHECK(mode_of(path) == 0660);
  SECTION("the former one goes") {
    if (GENERATE(false, true)) {
      test.restart();
      REQUIRE(test.error(two, {next}, 1, {{two, std::span{&next, 1}}}).empty());
      REQUIRE(test.error(one, {old}, 1, {{one}}).empty());  // what was given up has others' options
    }
    CHECK(mode_of(path) == 0660);
    test.gone(one);
    CHECK(connect_to(path));
    CHECK(inode(test.start(two, next)) == socket);
    test.gone(two);
    CHECK(mode_of(path) == 0);
  }
  SECTION("to another type it cannot") {
    test.gone(two);
    next.kind = Listener::Kind::unix_datagram;
    CHECK_THAT(test.error(two, {next}, 1, {{one}}), ContainsSubstring("in use by shop:one (local)") &&
                                                        ContainsSubstring("without this listener first"));
    CHECK(connect_to(path));
  }
  SECTION("nothing comes of it") {
    test.gone(two);
    REQUIRE(test.error(one, {old}, 1, {{one, std::span{&old, 1}}}).empty());
    CHECK(mode_of(path) == 0600);
    CHECK(connect_to(path));
    CHECK(inode(test.start(one, old)) == socket);
    CHECK(test.holder.held.size() == 1);
  }
}

TEST_CASE("what an app only has until it has gone does not change what another one is to keep",
          "[listeners][unix]") {
  Sockets test;
  TempDir home;
  const auto path = home / "socket";
  auto old = local(path), next = local(path);
  old.mode = 0600;
  next.mode = 0660;
  REQUIRE(test.error(two, {next}).empty());
  REQUIRE(test.error(one, {old}, 1, {{one}, {two}}).empty());  // as after a reboot
  CHECK(mode_of(path) == 0660);
  CHECK(inode(test.start(one, old)) == inode(test.start(two, next)));
  test.gone(one);
  CHECK(connect_to(path));
}

TEST_CASE("what moved before something else failed is where and as it was", "[listeners]") {
  Sockets test;
  TempDir home;
  const auto path = home / "socket";
  const auto port = free_port(), taken = free_port();
  auto old = local(path), next = local(path);
  old.mode = 0600;
  REQUIRE(test.error(one, {old, tcp(port)}).empty());
  const auto names = test.holder.held_names();
  SECTION("an address is in use") {
    REQUIRE(test.error(app_of("three"), {tcp(taken, Balance::shared)}).empty());
    const auto all = test.holder.held_names();
    CHECK_FALSE(test.error(two, {next, tcp(port), tcp(taken, Balance::shared, "x")}, 1, {{one}}).empty());
    CHECK(test.holder.held_names() == all);
  }
  SECTION("the keeper is full") {
    test.holder.room = 3;
    CHECK_FALSE(test.error(two, {next, tcp(port)}, 1, {{one}}).empty());
    CHECK(test.holder.held_names() == names);
  }
  CHECK(mode_of(path) == 0600);
  CHECK(connect_to(path));
  CHECK(connect_from("127.0.0.1", port));
}

TEST_CASE("a group moves as it is, and who is ready gets its connections, of either app", "[listeners]") {
  Sockets test;
  const auto port = free_port();
  const auto balance = GENERATE(Balance::even, Balance::sticky);
  const auto group = tcp(port, balance);
  REQUIRE(test.error(one, {group}, 2).empty());
  const auto old = copies(test, one, group, 2);
  test.serve(one, {0, 1});
  REQUIRE(test.error(two, {group}, 3, {{one}}).empty());
  const auto fresh = copies(test, two, group, 3);
  CHECK(inode(fresh[0].get()) == inode(old[0].get()));
  CHECK(inode(fresh[1].get()) == inode(old[1].get()));
  const auto hit = [&](std::size_t tries) {
    std::set<std::size_t> slots;
    for (std::size_t i = 0; i < tries; ++i) {
      const auto client = connect_from("127.0.0." + std::to_string(i % 200 + 1), port);
      REQUIRE(client);
      slots.insert(taker(fresh));
    }
    return slots;
  };
  CHECK(hit(60) == std::set<std::size_t>{0, 1});  // none of the new ones is ready
  test.serve(one, {1});
  CHECK(hit(20) == std::set<std::size_t>{1});
  test.serve(two, {2});
  CHECK(hit(60) == std::set<std::size_t>{1, 2});
  test.gone(one);
  CHECK(hit(20) == std::set<std::size_t>{2});
  CHECK(test.holder.is_stored());
  test.serve(two, {0, 1, 2});
  CHECK(hit(200) == std::set<std::size_t>{0, 1, 2});
  test.restart();
  REQUIRE(test.error(two, {group}, 3).empty());
  test.serve(two, {0});
  CHECK(hit(20) == std::set<std::size_t>{0});
}

TEST_CASE("a group becomes one socket for all when the app that had it has gone, and one becomes a group",
          "[listeners]") {
  Sockets test;
  const auto port = free_port();
  const auto even = tcp(port, Balance::even), plain = tcp(port);
  SECTION("from many to one") {
    REQUIRE(test.error(one, {even}, 3).empty());
    const auto first = inode(test.start(one, even));
    test.serve(one, {0, 1, 2});
    REQUIRE(test.error(two, {plain}, 1, {{one}}).empty());
    test.listeners->retain(two, {&plain, 1}, false);
    CHECK(test.holder.held.size() == 6);
    const auto kept = copies(test, one, even, 3);
    test.serve(one, {2});
    const auto client = connect_from("127.0.0.1", port);
    REQUIRE(client);
    CHECK(taker(kept) == 2);
    test.gone(one);
    CHECK(test.holder.held.size() == 1);
    CHECK(inode(test.start(two, plain)) == first);
  }
  SECTION("from one to many") {
    REQUIRE(test.error(one, {plain}).empty());
    const auto first = inode(test.start(one, plain));
    REQUIRE(test.error(two, {even}, 2, {{one}}).empty());
    test.gone(one);
    const auto sockets = copies(test, two, even, 2);
    CHECK(inode(sockets[0].get()) == first);
    test.serve(two, {1});
    const auto client = connect_from("127.0.0.1", port);
    REQUIRE(client);
    CHECK(taker(sockets) == 1);
  }
}

TEST_CASE("a group that the engine died in moving is complete when it is moved once more", "[listeners]") {
  Sockets test;
  const auto group = tcp(free_port(), Balance::even);
  REQUIRE(test.error(one, {group}, 3).empty());
  std::vector<ino_t> sockets;
  for (const auto& fd : copies(test, one, group, 3)) sockets.push_back(inode(fd.get()));
  REQUIRE(test.error(two, {group}, 3, {{one}}).empty());
  auto names = test.holder.held_names();
  std::erase_if(names, [](const std::string& name) { return name.find(":two:") == std::string::npos; });
  REQUIRE(names.size() == 3);
  const auto known = GENERATE(0U, 1U, 2U);
  for (auto i = std::size_t{known}; i < 3; ++i) test.holder.release(names[i]);
  test.restart();
  REQUIRE(test.error(one, {group}, 3, {{one, std::span{&group, 1}}}).empty());
  SECTION("it is") {
    REQUIRE(test.error(two, {group}, 3, {{one}}).empty());
    test.gone(one);
    for (std::uint32_t slot = 0; slot < 3; ++slot)
      CHECK(inode(test.start(two, group, slot)) == sockets[slot]);
  }
  SECTION("it is not") {
    const std::vector<AppId> apps{one};
    test.listeners->retain_all(apps);
    for (std::uint32_t slot = 0; slot < 3; ++slot)
      CHECK(inode(test.start(one, group, slot)) == sockets[slot]);
  }
  CHECK(test.holder.held.size() == 3);
}
