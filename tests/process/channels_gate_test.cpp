// SPDX-License-Identifier: Apache-2.0
// Readiness that is not said on a channel.
#include <arpa/inet.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "channels_support.h"
#include "kernel/connect_probe.h"
#include "kernel/notify.h"

using namespace svd;
using namespace svd::test;

namespace {

void notify(const std::string& path, std::string_view text, int fd = -1) {
  const UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  Program sender{UniqueFd{::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3)}};
  sender.say(text, fd);
}

std::string variable(const std::vector<std::string>& environment, const std::string& name) {
  for (const auto& one : environment)
    if (one.starts_with(name + "=")) return one.substr(name.size() + 1);
  return {};
}

struct Listening {
  Listening() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ::ntohs(address.sin_port);
  }
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  std::uint16_t port = 0;
};

}  // namespace

TEST_CASE("what sd_notify says is understood line by line", "[process]") {
  const auto said = parse_notification("STATUS=two of\x1b three\nREADY=1\nMAINPID=7\nX=\nREADY=0");
  CHECK(said.ready);
  CHECK(said.names_main_pid);
  CHECK_FALSE(said.stopping);
  CHECK(said.status == "two of\\x1b three");
  CHECK_FALSE(parse_notification("READY=10\nAREADY=1\n").ready);
  CHECK(parse_notification("STOPPING=1").stopping);
  CHECK(parse_notification("STATUS=" + std::string(1000, 'x')).status->size() == 256);
}

TEST_CASE("READY=1 of one of its processes makes an instance ready, whoever else writes does not",
          "[process]") {
  ChannelLab lab;
  auto plan = lab.plan("web", 0, ChannelKind::none);
  plan.ready.kind = ReadyGate::Kind::notify;
  auto program = lab.start(std::move(plan));
  CHECK(program.fd() == -1);
  const auto path = variable(lab.environment, "NOTIFY_SOCKET");
  CHECK(path == lab.home / "notify/1");
  notify(path, "READY=1");
  lab.settle();
  CHECK(lab.count<ToldReady>(StartId{1}) == 0);
  std::int64_t asked = 0;
  lab.owner_of = [&](std::int64_t pid) {
    asked = pid;
    return StartId{1};
  };
  const auto before = open_descriptors();
  notify(path, "STATUS=starting\nMAINPID=1", 0);
  CHECK(lab.run_until([&] { return asked != 0; }));
  CHECK(asked == ::getpid());
  CHECK(lab.channels->status(StartId{1}) == "starting");
  CHECK(lab.logged.size() == 1);
  CHECK(open_descriptors() == before);  // what came with it is not kept
  CHECK(lab.count<ToldReady>(StartId{1}) == 0);

  lab.restart_engine();
  CHECK(lab.channels->status(StartId{1}) == "starting");
  notify(path, "READY=1\nSTATUS=serves");
  CHECK(lab.wait<ToldReady>(StartId{1}));
  CHECK(lab.channels->status(StartId{1}) == "serves");
}

TEST_CASE("READY=1 that was sent just before the end is heard before the end", "[process]") {
  ChannelLab lab;
  auto plan = lab.plan("job", 0, ChannelKind::none);
  plan.ready.kind = ReadyGate::Kind::notify;
  lab.start(std::move(plan));
  lab.owner_of = [](std::int64_t) { return StartId{1}; };
  notify(lab.home / "notify/1", "READY=1");
  lab.exit(StartId{1});
  CHECK(lab.count<ToldReady>(StartId{1}) == 1);
}

TEST_CASE("READY=1 that comes before the news of the birth is told after it", "[process]") {
  ChannelLab lab;
  auto plan = lab.plan("web", 0, ChannelKind::none);
  plan.ready.kind = ReadyGate::Kind::notify;
  REQUIRE(lab.channels->open(plan, lab.given));
  lab.owner_of = [](std::int64_t) { return StartId{1}; };
  notify(lab.home / "notify/1", "READY=1");
  lab.settle();
  CHECK(lab.events.empty());
  lab.channels->observe(Spawned{plan.id, ::getpid()});
  CHECK(lab.wait<ToldReady>(plan.id));
}

TEST_CASE("a start's socket is its user's, and everybody's only where it may change its user", "[process]") {
  ChannelLab lab;
  const auto [capabilities, want] =
      GENERATE(table<std::uint64_t, mode_t>({{0, 0600}, {std::uint64_t{1} << CAP_SETUID, 0666}}));
  lab.given.capabilities = capabilities;
  if (::geteuid() == 0) lab.given.uid = lab.given.gid = 65'534;
  auto plan = lab.plan("web", 0, ChannelKind::none);
  plan.ready.kind = ReadyGate::Kind::notify;
  lab.start(std::move(plan));
  struct stat status {};
  REQUIRE(::stat((lab.home / "notify/1").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == want);
  CHECK(status.st_uid == lab.given.uid);
  lab.end(StartId{1});
  CHECK_FALSE(std::filesystem::exists(lab.home / "notify/1"));
  CHECK(lab.holder.count("notify") == 0);
}

TEST_CASE("whoever sends from another user is not looked up", "[process]") {
  if (::geteuid() != 0) return;
  ChannelLab lab;
  lab.given.uid = 65'534;
  lab.given.capabilities = 0;
  auto plan = lab.plan("web", 0, ChannelKind::none);
  plan.ready.kind = ReadyGate::Kind::notify;
  lab.start(std::move(plan));
  REQUIRE(::chmod((lab.home / "notify/1").c_str(), 0666) == 0);  // as an abstract one is
  REQUIRE(::chmod(lab.home.path().c_str(), 0755) == 0);
  int asked = 0;
  lab.owner_of = [&](std::int64_t) { return ++asked, StartId{1}; };
  const int stranger = ::fork();
  if (stranger == 0) {
    if (::setresuid(65'533, 65'533, 65'533) != 0) ::_exit(1);
    const UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (lab.home / "notify/1").copy(address.sun_path, sizeof address.sun_path - 1);
    ::_exit(::sendto(socket.get(), "READY=1", 7, 0, reinterpret_cast<const sockaddr*>(&address),
                     sizeof address) == 7
                ? 0
                : 2);
  }
  int ended = 0;
  REQUIRE(::waitpid(stranger, &ended, 0) == stranger);
  REQUIRE(ended == 0);
  CHECK_FALSE(lab.run_until([&] { return lab.count<ToldReady>(StartId{1}) > 0; }, Millis{100}));
  CHECK(asked == 0);
  // Its own user is heard behind that.
  const auto own = ::fork();
  if (own == 0) {
    if (::setresuid(65'534, 65'534, 65'534) != 0) ::_exit(1);
    const UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (lab.home / "notify/1").copy(address.sun_path, sizeof address.sun_path - 1);
    ::_exit(::sendto(socket.get(), "READY=1", 7, 0, reinterpret_cast<const sockaddr*>(&address),
                     sizeof address) == 7
                ? 0
                : 2);
  }
  REQUIRE(::waitpid(own, &ended, 0) == own);
  REQUIRE(ended == 0);
  CHECK(lab.wait<ToldReady>(StartId{1}));
}

TEST_CASE("descriptors that come in hundreds with what is said are closed", "[process]") {
  ChannelLab lab;
  auto plan = lab.plan("web", 0, ChannelKind::none);
  plan.ready.kind = ReadyGate::Kind::notify;
  lab.start(std::move(plan));
  lab.owner_of = [](std::int64_t) { return StartId{1}; };
  const auto before = open_descriptors();
  const UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (lab.home / "notify/1").copy(address.sun_path, sizeof address.sun_path - 1);
  std::vector<int> fds(253, STDERR_FILENO);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 253)> control{};
  std::string text = "STATUS=x";
  iovec part{text.data(), text.size()};
  msghdr head{};
  head.msg_name = &address;
  head.msg_namelen = sizeof address;
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control.data();
  head.msg_controllen = control.size();
  cmsghdr* const rights = CMSG_FIRSTHDR(&head);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
  std::memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * fds.size());
  std::size_t sent = 0;
  while (sent < 200) {
    if (::sendmsg(socket.get(), &head, MSG_DONTWAIT) > 0) ++sent;
    lab.settle();
  }
  CHECK(lab.channels->status(StartId{1}) == "x");
  CHECK(open_descriptors() == before + 1);
}

TEST_CASE("only those who are to notify find the socket in their environment", "[process]") {
  ChannelLab lab;
  lab.start("web", 0);
  CHECK(variable(lab.environment, "NOTIFY_SOCKET").empty());
}

TEST_CASE("an instance is ready when its port accepts a connection, and not before", "[process]") {
  ChannelLab lab;
  Listening server;
  auto plan = lab.plan("web", 2, ChannelKind::none);
  plan.ready = {.kind = ReadyGate::Kind::tcp, .address = "127.0.0.1", .port = server.port};
  const bool increment = GENERATE(false, true);
  if (increment) plan.ready.port = static_cast<std::uint16_t>(server.port - 2);
  plan.ready.increment = increment;
  lab.start(std::move(plan));
  CHECK_FALSE(lab.run_until([&] { return lab.count<ToldReady>(StartId{1}) > 0; }, Millis{100}));
  if (GENERATE(false, true)) lab.restart_engine();
  REQUIRE(::listen(server.fd.get(), 8) == 0);
  CHECK(lab.wait<ToldReady>(StartId{1}));
}

TEST_CASE("a port is asked no more when the process has ended", "[process]") {
  ChannelLab lab;
  Listening server;
  auto plan = lab.plan("web", 0, ChannelKind::none);
  plan.ready = {.kind = ReadyGate::Kind::tcp, .address = "127.0.0.1", .port = server.port};
  lab.start(std::move(plan));
  lab.settle();
  lab.exit(StartId{1});
  REQUIRE(::listen(server.fd.get(), 8) == 0);
  CHECK_FALSE(lab.run_until([&] { return ::accept(server.fd.get(), nullptr, nullptr) >= 0; }, Millis{200}));
  CHECK(lab.count<ToldReady>(StartId{1}) == 0);
}

TEST_CASE("Node programs load the preload, and each instance has its own inspector", "[process]") {
  ChannelLab lab;
  std::ofstream{lab.home / "preload.cjs"} << "";
  lab.preload = lab.home / "preload.cjs";
  lab.restart_engine();
  auto plan = lab.plan("web", 3, ChannelKind::node);
  plan.preload = true;
  plan.envp = {"NODE_OPTIONS=--max-http-header-size=9000"};
  plan.argv = {"node", "--inspect=127.0.0.1:0", "app.js"};
  lab.start(plan);
  CHECK(variable(lab.environment, "NODE_OPTIONS") == "--max-http-header-size=9000 --require=" + lab.preload);
  CHECK(lab.arguments == plan.argv);

  Listening taken;  // by the one that is being replaced
  REQUIRE(::listen(taken.fd.get(), 1) == 0);
  plan = lab.plan("web", 0, ChannelKind::node);
  plan.preload = false;
  plan.argv = {"node", "--inspect=" + std::to_string(taken.port), "app.js"};
  lab.start(plan);
  CHECK(variable(lab.environment, "NODE_OPTIONS").empty());
  const auto moved = std::stoi(lab.arguments[1].substr(lab.arguments[1].find('=') + 1));
  CHECK((moved - taken.port) % 100 == 0);
  CHECK(moved != taken.port);

  plan = lab.plan("job", 0, ChannelKind::json);
  plan.preload = true;
  lab.start(plan);
  CHECK(variable(lab.environment, "NODE_OPTIONS").empty());
}

TEST_CASE("a preload that the program's user cannot read is left out", "[process]") {
  ChannelLab lab;
  std::ofstream{lab.home / "preload.cjs"} << "";
  lab.preload = lab.home / "preload.cjs";  // its directory is ours alone (mkdtemp(3))
  lab.restart_engine();
  auto plan = lab.plan("web", 0, ChannelKind::node);
  plan.preload = true;
  plan.user = "www-data";
  lab.start(plan);
  CHECK(variable(lab.environment, "NODE_OPTIONS").empty());
  CHECK(lab.logged.size() == 1);
}
