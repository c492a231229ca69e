// SPDX-License-Identifier: Apache-2.0
// Root opens sockets for others: never one that they could not have had by themselves.
#include <arpa/inet.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "channels_support.h"
#include "kernel/open_as.h"

using namespace svd;
using namespace svd::test;
using Type = ipc::Query::Type;

namespace {

constexpr uid_t nobody = 65'534;

Given given_nobody() { return {nobody, nobody, {}, 0, 022, false}; }

// What is opened for a start, with all that waits for it.
struct Bench {
  Result<SocketOpener::Opened> open(ipc::Query query, Given given) {
    std::optional<Result<SocketOpener::Opened>> answer;
    opener.open(std::move(query), std::move(given),
                [&](Result<SocketOpener::Opened> opened) { answer = std::move(opened); });
    while (!answer) sd_event_run(loop.get(), 20'000'000);
    return std::move(*answer);
  }
  int error_of(ipc::Query query, Given given) {
    const auto opened = open(std::move(query), std::move(given));
    return opened ? 0 : static_cast<int>(opened.error().code);
  }
  void remove(const std::string& path, const Given& given) {
    opener.remove({path, given});
    while (!opener.idle()) sd_event_run(loop.get(), 20'000'000);
  }
  Loop loop = std::move(Loop::make().value());
  SocketOpener opener{loop};
};

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("not root: nothing to try");
  return false;
}

ipc::Query path_query(const std::string& path) {
  return {.type = Type::unix_stream, .address = path, .port = -1};
}

}  // namespace

TEST_CASE("a user without rights gets no port of the system's, and every other one", "[process]") {
  if (!is_root()) return;
  Bench bench;
  const auto type = GENERATE(Type::tcp4, Type::tcp6, Type::udp4, Type::udp6);
  CHECK(bench.error_of({.type = type, .port = 81}, given_nobody()) == EACCES);
  const bool v4 = type == Type::tcp4 || type == Type::udp4;
  CHECK(bench.error_of({.type = type, .address = v4 ? "127.0.0.1" : "::1", .port = 1023}, given_nobody()) ==
        EACCES);
  CHECK(bench.error_of({.type = type, .port = 0}, given_nobody()) == 0);
}

TEST_CASE("a port of the system's is for who was given CAP_NET_BIND_SERVICE, whatever his user",
          "[process]") {
  if (!is_root()) return;
  Bench bench;
  auto given = GENERATE(given_nobody(), own_given());
  const ipc::Query query{.type = Type::tcp4, .address = "127.0.0.1", .port = 1022};
  given.capabilities = 0;
  CHECK(bench.error_of(query, given) == EACCES);
  given.capabilities = std::uint64_t{1} << CAP_NET_BIND_SERVICE;
  CHECK(bench.error_of(query, given) == 0);
}

TEST_CASE("a user gets a path only where it may make one, and owns it", "[process]") {
  if (!is_root()) return;
  Bench bench;
  const TempDir home;
  CHECK(bench.error_of(path_query(home / "s"), given_nobody()) == EACCES);
  REQUIRE(::chown(home.path().c_str(), nobody, nobody) == 0);
  const auto opened = bench.open(path_query(home / "s"), given_nobody());
  REQUIRE(opened);
  CHECK(opened->path == home / "s");
  struct stat status {};
  REQUIRE(::stat((home / "s").c_str(), &status) == 0);
  CHECK(status.st_uid == nobody);
  CHECK(status.st_gid == nobody);
  CHECK((status.st_mode & 0777) == 0755);
  // What is removed with it is what that user may remove.
  REQUIRE(::chown(home.path().c_str(), 0, 0) == 0);
  bench.remove(home / "s", given_nobody());
  CHECK(std::filesystem::exists(home / "s"));
  REQUIRE(::chown(home.path().c_str(), nobody, nobody) == 0);
  bench.remove(home / "s", given_nobody());
  CHECK_FALSE(std::filesystem::exists(home / "s"));
  // Root without its capabilities is nobody's master.
  auto weak = own_given();
  weak.capabilities = 0;
  REQUIRE(::chmod(home.path().c_str(), 0700) == 0);
  CHECK(bench.error_of(path_query(home / "s"), weak) == EACCES);
  CHECK(bench.error_of(path_query(home / "s"), own_given()) == 0);
}

TEST_CASE("a path's mode is there from its birth, and its umask is the start's", "[process]") {
  Bench bench;
  const TempDir home;
  auto given = own_given();
  given.umask = 077;
  auto query = path_query(home / "s");
  const auto [readable, writable, want] =
      GENERATE(table<bool, bool, mode_t>({{false, false, 0700}, {true, false, 0744}, {true, true, 0766}}));
  query.readable_all = readable;
  query.writable_all = writable;
  REQUIRE(bench.open(query, given));
  struct stat status {};
  REQUIRE(::stat((home / "s").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == want);
}

TEST_CASE("what is behind a link is touched only as the user himself could", "[process]") {
  if (!is_root()) return;
  Bench bench;
  const TempDir home, secret;
  REQUIRE(::chown(home.path().c_str(), nobody, nobody) == 0);
  std::ofstream{secret / "file"} << "x";
  REQUIRE(::chmod((secret / "file").c_str(), 0600) == 0);
  std::filesystem::create_symlink(secret / "file", home / "s");
  std::filesystem::create_directory_symlink(secret.path(), home / "d");
  auto query = path_query(home / "s");
  query.readable_all = query.writable_all = true;
  CHECK(bench.error_of(query, given_nobody()) == EADDRINUSE);
  CHECK(bench.error_of(path_query(home / "d/t"), given_nobody()) == EACCES);
  struct stat status {};
  REQUIRE(::stat((secret / "file").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a supplementary group counts, as it was given", "[process]") {
  if (!is_root()) return;
  Bench bench;
  const TempDir home;
  constexpr gid_t group = 64'000;
  REQUIRE(::chown(home.path().c_str(), 0, group) == 0);
  REQUIRE(::chmod(home.path().c_str(), 0770) == 0);
  auto given = given_nobody();
  CHECK(bench.error_of(path_query(home / "s"), given) == EACCES);
  given.groups = {group};
  CHECK(bench.error_of(path_query(home / "s"), given) == 0);
}

TEST_CASE("who was given mounts of his own gets no path of ours", "[process]") {
  Bench bench;
  const TempDir home;
  auto given = own_given();
  given.own_mounts = true;
  CHECK(bench.error_of(path_query(home / "s"), given) == EPERM);
}

TEST_CASE("what does not answer holds up nobody, and is over at the deadline", "[process]") {
  Loop loop = std::move(Loop::make().value());
  Deputy deputy;
  std::optional<int> answer;
  const auto started = deputy.start(
      loop, own_given(),
      [] {
        for (;;) ::pause();  // as a file system that hangs
        return Deputy::Report{};
      },
      [&](Deputy::Report report) { answer = report.err; });
  REQUIRE(started);
  while (!answer) sd_event_run(loop.get(), 20'000'000);
  CHECK(answer == ETIMEDOUT);
}

TEST_CASE("what a start was given is read as it was written", "[process]") {
  const auto given =
      GENERATE(given_nobody(), own_given(), Given{1, 2, {3, 4'000'000'000}, ~std::uint64_t{0}, 077, true});
  const auto text = write_given(given);
  const auto view = ipc::JsonView::parse(text);
  REQUIRE(view);
  CHECK(read_given(*view) == given);
  for (const auto* const damaged : {"{}", R"({"uid":0,"gid":0})", "[]", "null"})
    CHECK_FALSE(read_given(*ipc::JsonView::parse(damaged)));
}

TEST_CASE("a start is judged by what it was given, not by what its process is", "[process]") {
  if (!is_root()) return;
  ChannelLab lab;
  lab.given = given_nobody();  // and this process, which plays it, is root
  auto program = lab.start("web", 0, ChannelKind::node);
  if (GENERATE(false, true)) lab.restart_engine();
  program.say(query(1, R"("address":"127.0.0.1","port":81,"addressType":4)"));
  CHECK(lab.reply(program).integer("errno") == -EACCES);
  program.say(query(2, R"("address":"/etc/svd-test-socket","port":-1,"addressType":-1)"));
  CHECK(lab.reply(program).integer("errno") == -EACCES);
  program.say(query(3, R"("address":"127.0.0.1","port":0,"addressType":4)"));
  CHECK(lab.reply(program).integer("errno") == 0);
}

TEST_CASE("what is no address of this machine, or no path, is refused as bind(2) would", "[process]") {
  Bench bench;
  const auto error_of = [&](const ipc::Query& query) { return bench.error_of(query, own_given()); };
  CHECK(error_of({.type = Type::tcp4, .address = "192.0.2.1", .port = 0}) == EADDRNOTAVAIL);
  CHECK(error_of({.type = Type::tcp4, .address = "localhost", .port = 0}) == EINVAL);
  CHECK(error_of({.type = Type::tcp6, .address = "127.0.0.1", .port = 0}) == EINVAL);
  CHECK(error_of(path_query("relative")) == EINVAL);
  CHECK(error_of(path_query("/nowhere/s")) == ENOENT);
  CHECK(error_of(path_query("/tmp/" + std::string(300, 'x'))) == ENAMETOOLONG);
  CHECK(error_of(path_query("@" + std::string(200, 'x'))) == ENAMETOOLONG);
}

TEST_CASE("a port that is taken is taken", "[process]") {
  Bench bench;
  const auto first = bench.open({.type = Type::tcp4, .address = "127.0.0.1", .port = 0}, own_given());
  REQUIRE(first);
  REQUIRE(::listen(first->fd.get(), 1) == 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(first->fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  CHECK(bench.error_of({.type = Type::tcp4, .address = "127.0.0.1", .port = ::ntohs(address.sin_port)},
                       own_given()) == EADDRINUSE);
}

TEST_CASE("an abstract name can be reached by it", "[process]") {
  Bench bench;
  const auto name = "@svd-test-" + std::to_string(::getpid());
  const auto opened = bench.open(path_query(name), own_given());
  REQUIRE(opened);
  CHECK(opened->path.empty());
  REQUIRE(::listen(opened->fd.get(), 1) == 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, name.size() - 1, 1);
  const UniqueFd client{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  CHECK(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address),
                  static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) == 0);
}
