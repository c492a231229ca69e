// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "channels_support.h"

using namespace svd;
using namespace svd::test;

namespace {

std::uint16_t port_of(int fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ::ntohs(address.sin6_port);  // at the same place for both families
}

bool is_not_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

const std::string any_port = R"("address":null,"port":0,"addressType":4)";

}  // namespace

TEST_CASE("an instance is ready when it says so on its channel", "[process]") {
  ChannelLab lab;
  const auto [kind, text] =
      GENERATE(table<ChannelKind, std::string>({{ChannelKind::json, "{\"svd\":\"ready\"}\n"},
                                                {ChannelKind::json, "\"ready\"\n"},
                                                {ChannelKind::node, "\"ready\"\n"}}));
  auto program = lab.start("web", 0, kind);
  lab.settle();
  CHECK(lab.count<ToldReady>(StartId{1}) == 0);
  program.say(text + text);
  CHECK(lab.wait<ToldReady>(StartId{1}));
  lab.settle();
  CHECK(lab.count<ToldReady>(StartId{1}) == 1);
  CHECK(lab.messages.empty());
}

TEST_CASE("a plain program waits when it reads its channel", "[process]") {
  ChannelLab lab;
  const auto kind = GENERATE(ChannelKind::json, ChannelKind::node);
  auto plan = lab.plan("web", 0, kind);
  const auto theirs = lab.channels->open(plan, lab.given);
  REQUIRE(theirs);
  CHECK(is_not_blocking(theirs->get()) == (kind == ChannelKind::node));
}

TEST_CASE("what a program says at once is heard after its birth is known", "[process]") {
  ChannelLab lab;
  auto plan = lab.plan("web", 0, ChannelKind::node);
  auto theirs = lab.channels->open(plan, lab.given);
  REQUIRE(theirs);
  Program program{std::move(*theirs)};
  program.say(query(1, any_port) + "\"ready\"\n");
  lab.settle();
  CHECK(lab.events.empty());
  lab.channels->observe(Spawned{plan.id, ::getpid()});
  CHECK(lab.events.empty());  // the engine hears of the birth right after this
  CHECK(lab.wait<ToldReady>(plan.id));
  CHECK(lab.reply(program).integer("errno") == 0);
}

TEST_CASE("where another gate is declared, the channel does not make an instance ready", "[process]") {
  ChannelLab lab;
  auto plan = lab.plan("web", 0, ChannelKind::json);
  plan.ready.kind = ReadyGate::Kind::notify;
  auto program = lab.start(std::move(plan));
  program.say("\"ready\"\n1\n");
  CHECK(lab.run_until([&] { return !lab.messages.empty(); }));
  CHECK(lab.count<ToldReady>(StartId{1}) == 0);
}

TEST_CASE("workers that listen on a port that nobody declared share one socket, over an engine's death",
          "[process]") {
  ChannelLab lab;
  auto first = lab.start("web", 0, ChannelKind::node);
  auto second = lab.start("web", 1, ChannelKind::node);
  first.say(query(1, any_port));
  CHECK(lab.reply(first).integer("errno") == 0);
  const auto fd = first.take_fd();
  CHECK(is_not_blocking(fd.get()));
  const auto port = port_of(fd.get());
  CHECK(port != 0);
  first.say(
      query(2, R"("address":null,"port":)" + std::to_string(port) + R"(,"addressType":4)", "listening"));
  CHECK(lab.wait<ToldReady>(StartId{1}));

  lab.restart_engine();
  lab.settle();
  CHECK(lab.count<ToldReady>(StartId{1}) == 1);  // the one before may not have had the time to act on it
  second.say(query(1, any_port));
  CHECK(lab.reply(second).integer("errno") == 0);
  CHECK(port_of(second.take_fd().get()) == port);
  CHECK(lab.holder.count("socket ") == 1);
  lab.channels->forget(lab.plans.begin()->second.slot.app);
  CHECK(lab.holder.count("socket ") == 0);
}

TEST_CASE("a listener of the file is passed on, with the file's backlog", "[process]") {
  ChannelLab lab;
  auto plan = lab.plan("web", 3, ChannelKind::node);
  Listener http;
  http.name = Name::parse("http").value();
  http.port = 8080;
  http.balance = Listener::Balance::even;
  plan.listen = {http};
  lab.listeners["http/3"] = UniqueFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  auto program = lab.start(std::move(plan));
  program.say(query(1, R"("address":null,"port":8080,"addressType":4)"));
  const auto whole = lab.json(program);
  CHECK(whole.string("type") == "net.Native");
  struct stat ours {
  }, theirs{};
  const auto fd = program.take_fd();
  REQUIRE(::fstat(lab.listeners["http/3"].get(), &ours) == 0);
  REQUIRE(::fstat(fd.get(), &theirs) == 0);
  CHECK(ours.st_ino == theirs.st_ino);
  program.say(query(2, R"("address":null,"port":8080,"addressType":4)", "listening"));
  CHECK(lab.wait<ToldReady>(StartId{1}));
  CHECK(lab.relistened == std::vector<std::string>{"http 4096"});
}

TEST_CASE("a descriptor number of ours is nobody's", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0, ChannelKind::node);
  program.say(query(1, R"("address":null,"port":null,"addressType":null,"fd":)" +
                           std::to_string(lab.holder.borrow("notify"))));
  CHECK(lab.reply(program).integer("errno") == -EINVAL);
  CHECK(program.fds.empty());
}

TEST_CASE("a unix socket is made as the program would make it, and goes with the app", "[process]") {
  ChannelLab lab;
  const auto path = lab.home / GENERATE(std::string{"s"}, std::string(120, 'd') + "/s");
  std::filesystem::create_directories(path.substr(0, path.rfind('/')));
  auto program = lab.start("web", 0, ChannelKind::node);
  const auto ask = [&](std::uint64_t seq) {
    program.say(query(seq, R"("address":")" + path +
                               R"(","port":-1,"addressType":-1,"readableAll":true,"writableAll":true)"));
    return lab.reply(program).integer("errno");
  };
  SECTION("one that was left over by a dead program is replaced") {
    const auto left = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{AF_UNIX, "left"};
    REQUIRE(::chdir(path.substr(0, path.rfind('/')).c_str()) == 0);
    REQUIRE(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::rename("left", path.substr(path.rfind('/') + 1).c_str()) == 0);
    REQUIRE(::chdir("/") == 0);
    ::close(left);
  }
  SECTION("a file that is no socket is not") {
    std::ofstream{path} << "mine";
    CHECK(ask(1) == -EADDRINUSE);
    CHECK(slurp(path) == "mine");
    return;
  }
  SECTION("none is there") {}
  CHECK(ask(1) == 0);
  CHECK(std::filesystem::is_socket(path));
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms{0666}) ==
        std::filesystem::perms{0666});
  lab.channels->forget(lab.plans.begin()->second.slot.app);
  CHECK(lab.run_until([&] { return !std::filesystem::exists(path); }));
}

TEST_CASE("every handle that a program sends is acknowledged, and closed when nobody wants it", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0, ChannelKind::node);
  lab.settle();
  const auto before = open_descriptors();
  {
    const UniqueFd passed{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    program.say("{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":{\"a\":1}}\n", passed.get());
  }
  CHECK(lab.json(program).string("cmd") == "NODE_HANDLE_ACK");
  CHECK(lab.messages == std::vector<std::string>{"shop:web/0 {\"a\":1}"});
  program.say("{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":{\"a\":2}}\n");
  CHECK(lab.json(program).string("cmd") == "NODE_HANDLE_NACK");
  // Some that belong to no line.
  const UniqueFd passed{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  program.say("1\n", passed.get());
  program.say("2\n", passed.get());
  CHECK(lab.run_until([&] { return lab.messages.size() == 3; }));
  CHECK(open_descriptors() == before + 1);
}

TEST_CASE("a descriptor that did not arrive is sent again, and at last an error in its place", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0, ChannelKind::node);
  program.say(query(1, any_port));
  for (int i = 0; i < 3; ++i) {
    CHECK(lab.reply(program).integer("errno") == 0);
    program.say("{\"cmd\":\"NODE_HANDLE_NACK\"}\n");
  }
  CHECK(program.fds.size() == 3);
  const auto failed = lab.reply(program);
  CHECK(failed.integer("errno") == -EMFILE);
  CHECK(failed.integer("ack") == 1);
}

TEST_CASE("what is no message is told to its sender, and harms nothing behind it", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0);
  program.say("{\"a\":\n{\"b\":1}\n");
  CHECK(lab.json(program).member("svd")->string("error") ==
        "cannot read a message: it is not one JSON value");
  CHECK(lab.run_until([&] { return lab.messages.size() == 1; }));
  program.say("{\"svd\":{\"id\":5,\"two\":\"api\"}}\n");
  CHECK(lab.json(program).member("svd")->integer("id") == 5);
}

TEST_CASE("a message of more than 8 MiB is told to its sender, the next one arrives", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0);
  const std::string part(100'000, 'x');
  program.say("\"");
  for (std::size_t sent = 0; sent <= ipc::max_frame;) {
    const auto done = program.try_say(part);
    sent += done;
    lab.settle();
  }
  program.say("\"\n\"next\"\n");
  CHECK(lab.json(program).member("svd")->string("error") ==
        "cannot take a message of more than 8 MiB: it is thrown away");
  CHECK(lab.run_until([&] { return lab.messages.size() == 1; }));
  CHECK(lab.messages.front() == "shop:web/0 \"next\"");
}

TEST_CASE("a message of 8 MiB goes both ways", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0);
  const auto large = "\"" + std::string(ipc::max_frame - 2, 'x') + "\"";
  std::size_t sent = 0;
  const bool came = lab.run_until([&] {
    if (sent < large.size()) sent += program.try_say(std::string_view{large}.substr(sent));
    if (sent == large.size()) sent += program.try_say("\n");
    return !lab.messages.empty();
  });
  REQUIRE(came);
  CHECK(lab.messages.front().size() == large.size() + std::string{"shop:web/0 "}.size());
  REQUIRE(lab.channels->send(StartId{1}, large));
  CHECK(lab.line(program) == large);
  CHECK(lab.channels->send(StartId{1}, large + " "));
  CHECK_FALSE(lab.channels->send(StartId{1}, "[" + large + "]"));
}

TEST_CASE("what cannot be sent is refused with the reason", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0, ChannelKind::node);
  const auto error = [&](const std::string& json, StartId id = StartId{1}) {
    const auto sent = lab.channels->send(id, json);
    return sent ? std::string{} : sent.error().text;
  };
  CHECK(error("{\n \"a\": 1\n}").empty());
  CHECK(lab.line(program) == "{  \"a\": 1 }");
  CHECK(error("{") == "cannot send: this is not one JSON value");
  CHECK(error("{\"cmd\":\"NODE_CLUSTER\"}") ==
        "cannot send: a `cmd` that begins with NODE_ is for Node itself");
  CHECK(error("1", StartId{7}) ==
        "cannot send: it has no channel; 'channel: node' or 'channel: json' gives it one");
  const auto large = "\"" + std::string(100'000, 'x') + "\"";
  std::string last;
  for (int i = 0; i < 100 && last.empty(); ++i) last = error(large);
  CHECK(last == "cannot send to shop:web/0: it has not read what was sent before");
}

TEST_CASE("the end of a channel is the end of draining", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0, ChannelKind::node);
  lab.channels->drain(StartId{1});
  CHECK(lab.line(program) == "{\"cmd\":\"NODE_SVD\",\"act\":\"drain\"}");
  lab.channels->disconnect(StartId{1}, "\"shutdown\"");
  CHECK(lab.line(program) == "\"shutdown\"");
  CHECK(lab.json(program).string("act") == "disconnect");
  lab.settle();
  CHECK(lab.count<Drained>(StartId{1}) == 0);
  program.close();
  CHECK(lab.wait<Drained>(StartId{1}));
  CHECK(lab.holder.count("channel ") == 0);
  lab.channels->drain(StartId{1});
  lab.settle();
  CHECK(lab.count<Drained>(StartId{1}) == 2);
  lab.channels->disconnect(StartId{1}, "");
  lab.settle();
  CHECK(lab.count<Drained>(StartId{1}) == 3);
}

TEST_CASE("a program without clients is drained at once", "[process]") {
  ChannelLab lab;
  const auto [kind, text] = GENERATE(
      table<ChannelKind, std::string>({{ChannelKind::node, "{\"cmd\":\"NODE_SVD\",\"act\":\"idle\"}\n"},
                                       {ChannelKind::json, "{\"svd\":\"idle\"}\n"}}));
  auto program = lab.start("web", 0, kind);
  lab.channels->drain(StartId{1});
  lab.line(program);
  program.say(text);
  CHECK(lab.wait<Drained>(StartId{1}));
  lab.restart_engine();
  CHECK(lab.wait<Drained>(StartId{1}));
  // The next engine may have to ask again, and be past what it was told when it began.
  lab.events.clear();
  lab.channels->drain(StartId{1});
  CHECK(lab.wait<Drained>(StartId{1}));
  program.read();
  CHECK(program.lines.empty());
}

TEST_CASE("only what is said after the question is its answer", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0);
  program.say("{\"svd\":\"idle\"}\n");
  CHECK(lab.wait<Drained>(StartId{1}));
  lab.events.clear();
  lab.channels->drain(StartId{1});
  lab.line(program);
  lab.settle();
  CHECK(lab.count<Drained>(StartId{1}) == 0);
  program.say("{\"svd\":\"idle\"}\n");
  CHECK(lab.wait<Drained>(StartId{1}));
  lab.events.clear();
  lab.channels->disconnect(StartId{1}, "");
  lab.line(program);
  lab.settle();
  CHECK(lab.count<Drained>(StartId{1}) == 0);
  program.close();
  CHECK(lab.wait<Drained>(StartId{1}));
}

TEST_CASE("what a program said before its end comes before its end", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0);
  program.say("\"ready\"\n" + std::string(100'000, ' ') + "\n\"last words\"\n");
  program.close();
  lab.exit(StartId{1});  // nothing of the loop has run in between
  CHECK(lab.count<ToldReady>(StartId{1}) == 1);
  CHECK(lab.messages == std::vector<std::string>{"shop:web/0 \"last words\""});
  lab.channels->observe(Gone{StartId{1}});
  CHECK(lab.holder.count("channel ") == 0);
}

TEST_CASE("an engine's death between two parts of a line loses nothing", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0);
  program.say("{\"first\":");
  lab.settle();
  lab.restart_engine();
  lab.settle();
  CHECK(lab.messages.empty());
  program.say("1}\n");
  CHECK(lab.run_until([&] { return lab.messages.size() == 1; }));
  CHECK(lab.messages.front() == "shop:web/0 {\"first\":1}");
}

TEST_CASE("what a program had not read yet is written by the next engine, whole", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0, ChannelKind::node);
  const auto text = "\"" + std::string(30'000, 'x') + "\"";
  std::size_t sent = 0;
  while (lab.channels->send(StartId{1}, text)) ++sent;
  program.say(query(1, any_port));  // its answer, with the socket, waits behind all that
  CHECK(lab.run_until([&] { return lab.holder.count("socket ") == 1; }));
  lab.restart_engine();
  for (std::size_t i = 0; i < sent; ++i) REQUIRE(lab.line(program) == text);
  CHECK(lab.reply(program).integer("errno") == 0);
  CHECK(port_of(program.take_fd().get()) != 0);
}

TEST_CASE("instances that ended while there was no engine leave nothing", "[process]") {
  ChannelLab lab;
  {
    auto program = lab.start("web", 0);
    lab.plans.clear();
  }
  lab.restart_engine();
  CHECK(lab.holder.count("channel ") == 0);
  auto program = lab.start("web", 0);
  program.say("1\n");
  CHECK(lab.run_until([&] { return lab.messages.size() == 1; }));
}

TEST_CASE("a start that fails leaves nothing", "[process]") {
  ChannelLab lab;
  auto plan = lab.plan("web", 0, ChannelKind::node);
  REQUIRE(lab.channels->open(plan, lab.given));
  lab.channels->observe(SpawnFailed{plan.id, {}});
  CHECK(lab.holder.count("channel ") == 0);
  lab.holder.refuse = true;
  auto next = lab.plan("web", 0, ChannelKind::node);
  CHECK_FALSE(lab.channels->open(next, lab.given));
  CHECK_FALSE(lab.channels->send(next.id, "1"));
}

TEST_CASE("one that never stops talking starves nobody", "[process]") {
  ChannelLab lab;
  auto chatty = lab.start("web", 0);
  auto quiet = lab.start("api", 0);
  bool had_its_turn = false;
  Idle last_of_all;
  REQUIRE(last_of_all.arm(lab.loop, [&] { had_its_turn = true; }));
  last_of_all.request();
  const std::string noise = std::string(60'000, ' ') + "\n";
  quiet.say("\"here\"\n");
  // It always has more to say when the loop comes back.
  for (int i = 0; i < 1000 && !had_its_turn; ++i) {
    chatty.try_say(noise);
    sd_event_run(lab.loop.get(), 0);
  }
  CHECK(had_its_turn);
  CHECK(lab.messages == std::vector<std::string>{"shop:api/0 \"here\""});
}
