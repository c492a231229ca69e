// SPDX-License-Identifier: Apache-2.0
// Root opens sockets for others: never one that they could not have had by themselves.
#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "channels_support.h"
#include "kernel/open_as.h"

using namespace svd;
using namespace svd::test;
using Type = ipc::Query::Type;

namespace {

constexpr uid_t nobody = 65'534;

// A process that became somebody, and waits for its end.
class Somebody {
 public:
  explicit Somebody(const std::function<bool()>& become) {
    std::array<int, 2> said{};
    REQUIRE(::pipe2(said.data(), O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const bool is = become();
      ::write(said[1], is ? "y" : "n", 1);
      for (;;) ::pause();
    }
    char answer = 0;
    REQUIRE(::read(said[0], &answer, 1) == 1);
    became = answer == 'y';
    ::close(said[0]);
    ::close(said[1]);
  }
  Somebody(const Somebody&) = delete;
  Somebody& operator=(const Somebody&) = delete;
  ~Somebody() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] std::int64_t pid() const { return pid_; }
  bool became = false;

 private:
  pid_t pid_ = 0;
};

bool become_nobody() {
  return ::setgroups(0, nullptr) == 0 && ::setgid(nobody) == 0 && ::setuid(nobody) == 0;
}

int error_of(const ipc::Query& query, std::int64_t pid) {
  const auto opened = open_as(query, pid);
  return opened ? 0 : static_cast<int>(opened.error().code);
}

ipc::Query path_query(const std::string& path) {
  return {.type = Type::unix_stream, .address = path, .port = -1};
}

}  // namespace

TEST_CASE("a user without rights gets no port of the system's, and every other one", "[process]") {
  const Somebody user{become_nobody};
  if (!user.became) {
    WARN("not root: nothing to try");
    return;
  }
  const auto type = GENERATE(Type::tcp4, Type::tcp6, Type::udp4, Type::udp6);
  CHECK(error_of({.type = type, .port = 80}, user.pid()) == EACCES);
  CHECK(error_of({.type = type,
                  .address = type == Type::tcp4 || type == Type::udp4 ? "127.0.0.1" : "::1",
                  .port = 1023},
                 user.pid()) == EACCES);
  CHECK(error_of({.type = type, .port = 0}, user.pid()) == 0);
}

TEST_CASE("a user gets a path only where it may make one, and owns it", "[process]") {
  const Somebody user{become_nobody};
  if (!user.became) {
    WARN("not root: nothing to try");
    return;
  }
  const TempDir home;
  CHECK(error_of(path_query(home / "s"), user.pid()) == EACCES);
  REQUIRE(::chown(home.path().c_str(), nobody, nobody) == 0);
  auto opened = open_as(path_query(home / "s"), user.pid());
  REQUIRE(opened);
  struct stat status {};
  REQUIRE(::stat((home / "s").c_str(), &status) == 0);
  CHECK(status.st_uid == nobody);
  CHECK(status.st_gid == nobody);
  // What is removed with it is what that user may remove.
  REQUIRE(::chown(home.path().c_str(), 0, 0) == 0);
  remove_as(*opened);
  CHECK(std::filesystem::exists(home / "s"));
  REQUIRE(::chown(home.path().c_str(), nobody, nobody) == 0);
  remove_as(*opened);
  CHECK_FALSE(std::filesystem::exists(home / "s"));
  // We are ourselves again.
  REQUIRE(::chown(home.path().c_str(), 0, 0) == 0);
  REQUIRE(::chmod(home.path().c_str(), 0700) == 0);
  CHECK(error_of(path_query(home / "s"), ::getpid()) == 0);
}

TEST_CASE("who lives in another network gets none of ours", "[process]") {
  const Somebody hermit{[] { return ::unshare(CLONE_NEWNET) == 0; }};
  if (!hermit.became) {
    WARN("cannot make a network namespace here");
    return;
  }
  CHECK(error_of({.type = Type::tcp4, .address = "127.0.0.1", .port = 0}, hermit.pid()) == EPERM);
  CHECK(error_of(path_query("@svd-test-abstract"), hermit.pid()) == EPERM);
}

TEST_CASE("who sees other files gets no path of ours", "[process]") {
  const TempDir home;
  const Somebody hermit{[] { return ::unshare(CLONE_NEWNS) == 0; }};
  if (!hermit.became) {
    WARN("cannot make a mount namespace here");
    return;
  }
  CHECK(error_of(path_query(home / "s"), hermit.pid()) == EPERM);
}

TEST_CASE("a process that is gone gets nothing", "[process]") {
  CHECK(error_of({.type = Type::tcp4, .port = 0}, 0) == ESRCH);
}

TEST_CASE("what is no address of this machine, or no path, is refused as bind(2) would", "[process]") {
  CHECK(error_of({.type = Type::tcp4, .address = "192.0.2.1", .port = 0}, ::getpid()) == EADDRNOTAVAIL);
  CHECK(error_of({.type = Type::tcp4, .address = "localhost", .port = 0}, ::getpid()) == EINVAL);
  CHECK(error_of({.type = Type::tcp6, .address = "127.0.0.1", .port = 0}, ::getpid()) == EINVAL);
  CHECK(error_of(path_query("relative"), ::getpid()) == EINVAL);
  CHECK(error_of(path_query("/nowhere/s"), ::getpid()) == ENOENT);
  CHECK(error_of(path_query("/tmp/" + std::string(300, 'x')), ::getpid()) == ENAMETOOLONG);
  CHECK(error_of(path_query("@" + std::string(200, 'x')), ::getpid()) == ENAMETOOLONG);
}

TEST_CASE("a port that is taken is taken", "[process]") {
  const auto first = open_as({.type = Type::tcp4, .address = "127.0.0.1", .port = 0}, ::getpid());
  REQUIRE(first);
  REQUIRE(::listen(first->fd.get(), 1) == 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(first->fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  CHECK(error_of({.type = Type::tcp4, .address = "127.0.0.1", .port = ::ntohs(address.sin_port)},
                 ::getpid()) == EADDRINUSE);
}

TEST_CASE("an abstract name can be reached by it", "[process]") {
  const auto name = "@svd-test-" + std::to_string(::getpid());
  const auto opened = open_as(path_query(name), ::getpid());
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
