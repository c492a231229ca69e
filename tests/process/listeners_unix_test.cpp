// SPDX-License-Identifier: Apache-2.0
// Unix sockets: their files, whose they are, and what is in the way.
#include <sys/stat.h>

#include "listeners_support.h"

using namespace svd;
using namespace svd::test;

namespace {

using Kind = Listener::Kind;

const AppId web{Name::parse("shop").value(), Name::parse("web").value()};

struct Sockets {
  Sockets() { restart(); }
  void restart() {
    listeners = std::make_unique<Listeners>();
    listeners->take_over(holder, StartId{});
  }
  std::string error(std::vector<Listener> listen) {
    spec.listen = std::move(listen);
    const auto bound = listeners->bind(spec, web, 1);
    return bound ? "" : bound.error().text;
  }
  FakeHolder holder;
  AppSpec spec;
  std::unique_ptr<Listeners> listeners;
};

Listener local(const std::string& path, Kind kind = Kind::unix_stream) {
  Listener listener;
  listener.name = Name::parse("local").value();
  listener.kind = kind;
  listener.address = path;
  return listener;
}

int type_of(Kind kind) {
  return kind == Kind::unix_stream ? SOCK_STREAM : kind == Kind::unix_datagram ? SOCK_DGRAM : SOCK_SEQPACKET;
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

bool can_connect(const std::string& path, int type = SOCK_STREAM) {
  const UniqueFd fd{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
  const auto address = address_of(path);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// A socket of somebody else.
UniqueFd occupy(const std::string& path, int type = SOCK_STREAM) {
  UniqueFd fd{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
  const auto address = address_of(path);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  if (type != SOCK_DGRAM) REQUIRE(::listen(fd.get(), 1) == 0);
  return fd;
}

struct stat look(const std::string& path) {
  struct stat found {};
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found;
}

}  // namespace

TEST_CASE("a socket's file has its mode and owner, and they change in place", "[listeners][unix]") {
  Sockets test;
  TempDir home;
  const auto path = home / "socket";
  auto listener = local(path);
  listener.mode = 0660;
  REQUIRE(test.error({listener}).empty());
  const auto before = look(path);
  CHECK((before.st_mode & 07777U) == 0660);
  CHECK(before.st_uid == ::geteuid());

  listener.mode = 0606;
  if (::geteuid() == 0) {
    test.spec.user = "nobody";
    listener.group = "daemon";
  }
  REQUIRE(test.error({listener}).empty());
  const auto after = look(path);
  CHECK(after.st_ino == before.st_ino);
  CHECK((after.st_mode & 07777U) == 0606);
  if (::geteuid() != 0) return;
  CHECK(after.st_uid == 65534);
  CHECK(after.st_gid == 1);
  listener.user = "1234";
  REQUIRE(test.error({listener}).empty());
  CHECK(look(path).st_uid == 1234);
  listener.user = "no-such-user";
  CHECK(test.error({listener}) ==
        "cannot bind unix " + path + " for shop:web (local): setting the user 'no-such-user': no such user");
}

TEST_CASE("a file that nobody listens on any more is replaced, whatever its type", "[listeners][unix]") {
  Sockets test;
  TempDir home;
  const auto path = home / "socket";
  const auto kind = GENERATE(Kind::unix_stream, Kind::unix_datagram, Kind::unix_seqpacket);
  occupy(path, GENERATE(SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET)).reset();
  REQUIRE(test.error({local(path, kind)}).empty());
  CHECK(can_connect(path, type_of(kind)));
}

TEST_CASE("a file that somebody listens on is not, and its owner is told", "[listeners][unix]") {
  Sockets test;
  TempDir home;
  const auto path = home / "socket";
  const int type = GENERATE(SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET);
  const auto other = occupy(path, type);
  const auto before = look(path).st_ino;
  CHECK(test.error({local(path, GENERATE(Kind::unix_stream, Kind::unix_datagram))}) ==
        "cannot bind unix " + path + " for shop:web (local): it is in use by test_listeners (pid " +
            std::to_string(::getpid()) + ")");
  CHECK(look(path).st_ino == before);
}

TEST_CASE("what stands in a socket's way is told in plain words", "[listeners][unix]") {
  Sockets test;
  TempDir home;
  const auto error = [&](const std::string& path) {
    const auto text = test.error({local(path)});
    return text.substr(text.find("(local)"));
  };
  CHECK(error(home / "no/where") == "(local): the directory " + home.path() + "/no does not exist");
  std::ofstream{home / "file"} << "x";
  CHECK(error(home / "file") == "(local): there is something else than a socket at this path");
  CHECK(slurp(home / "file") == "x");
  CHECK(error(home / std::string(120, 'x')) == "(local): its path is longer than 107 bytes");
  CHECK(error(home / "file/below") == "(local): Not a directory");
}

TEST_CASE("removal takes the file along, unless somebody has put another one there", "[listeners][unix]") {
  Sockets test;
  TempDir home;
  const auto path = home / "socket";
  const bool restarted = GENERATE(false, true);
  REQUIRE(test.error({local(path)}).empty());
  if (restarted) test.restart();
  SECTION("its own") {
    test.listeners->retain(web, {}, true);
    CHECK_FALSE(std::filesystem::exists(path));
  }
  SECTION("another one") {
    REQUIRE(::unlink(path.c_str()) == 0);
    const auto other = occupy(path);
    test.listeners->retain(web, {}, true);
    CHECK(can_connect(path));
  }
  CHECK(test.holder.held.empty());
}

TEST_CASE("a socket whose file was removed is bound anew when the app is accepted again",
          "[listeners][unix]") {
  Sockets test;
  TempDir home;
  const auto path = home / "socket";
  REQUIRE(test.error({local(path)}).empty());
  REQUIRE(::unlink(path.c_str()) == 0);
  if (GENERATE(false, true)) test.restart();
  REQUIRE(test.error({local(path)}).empty());
  CHECK(can_connect(path));
  CHECK(test.holder.held.size() == 1);
  test.listeners->retain(web, {}, true);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a listener may become one of another type at the same path", "[listeners][unix]") {
  Sockets test;
  TempDir home;
  const auto path = home / "socket";
  REQUIRE(test.error({local(path)}).empty());
  const auto next = local(path, Kind::unix_seqpacket);
  REQUIRE(test.error({next}).empty());
  test.listeners->retain(web, std::vector{next}, false);
  CHECK(can_connect(path, SOCK_SEQPACKET));
  CHECK(test.holder.held.size() == 1);
}

TEST_CASE("an abstract name has no file, and is in use as any other", "[listeners][unix]") {
  Sockets test;
  const auto name = "@svd-test-" + std::to_string(::getpid());
  REQUIRE(test.error({local(name)}).empty());
  CHECK(test.listeners->describe(web) == std::vector<std::string>{"unix " + name + " (local, shared)"});
  Sockets other;
  CHECK_THAT(other.error({local(name)}), ContainsSubstring("it is in use by test_listeners (pid "));
}
