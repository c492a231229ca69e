// SPDX-License-Identifier: Apache-2.0
// balance: round-robin: connections that are accepted here and passed on.
#include <arpa/inet.h>
#include <netinet/in.h>

#include "channels_support.h"

using namespace svd;
using namespace svd::test;

namespace {

constexpr const char* ask = R"("address":null,"port":8080,"addressType":4)";

// An app whose one listener is served round robin, and its workers.
struct Shop : ChannelLab {
  Shop() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(socket.get(), 128) == 0);
    REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address_), &size) == 0);
    listeners["http/0"] = std::move(socket);
  }
  Program worker(std::uint32_t slot) {
    auto made = plan("web", slot, ChannelKind::node);
    Listener http;
    http.name = Name::parse("http").value();
    http.port = 8080;
    http.balance = Listener::Balance::round_robin;
    made.listen = {http};
    auto program = start(std::move(made));
    program.say(query(1, ask));
    CHECK(reply(program).member("sockname"));
    program.say(query(2, ask, "listening"));
    settle();
    return program;
  }
  // A client that says who it is.
  UniqueFd connect(char name) const {
    UniqueFd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0);
    REQUIRE(::send(client.get(), &name, 1, MSG_NOSIGNAL) == 1);
    return client;
  }
  struct Taken {
    char name = 0;
    std::int64_t seq = 0;
    UniqueFd connection;
  };
  Taken take(Program& program) {
    const auto message = reply(program);
    REQUIRE(message.string("act") == "newconn");
    Taken taken{0, message.integer("seq").value_or(0), program.take_fd()};
    CHECK((::fcntl(taken.connection.get(), F_GETFL) & O_NONBLOCK) != 0);
    const bool came =
        run_until([&] { return ::recv(taken.connection.get(), &taken.name, 1, MSG_DONTWAIT) == 1; });
    REQUIRE(came);
    return taken;
  }
  void answer(Program& program, std::int64_t seq, bool accepted) {
    program.say("{\"cmd\":\"NODE_HANDLE_ACK\"}\n{\"cmd\":\"NODE_CLUSTER\",\"ack\":" + std::to_string(seq) +
                ",\"accepted\":" + (accepted ? "true" : "false") + ",\"seq\":9}\n");
    settle();
  }
  bool has_nothing(Program& program) {
    settle();
    program.read();
    return program.lines.empty();
  }
  sockaddr_in address_{};
};

}  // namespace

TEST_CASE("workers get connections in turn, each when it has answered the one before", "[process]") {
  Shop shop;
  auto first = shop.worker(0);
  auto second = shop.worker(1);
  std::vector<UniqueFd> clients;
  for (const char name : {'a', 'b', 'c', 'd'}) clients.push_back(shop.connect(name));
  auto a = shop.take(second);
  auto b = shop.take(first);
  CHECK(a.name == 'a');
  CHECK(b.name == 'b');
  CHECK(shop.has_nothing(first));
  CHECK(shop.has_nothing(second));
  shop.answer(first, b.seq, true);
  CHECK(shop.take(first).name == 'c');
  shop.answer(second, a.seq, true);
  CHECK(shop.take(second).name == 'd');
}

TEST_CASE("our half of a connection is closed when the worker has it", "[process]") {
  Shop shop;
  auto worker = shop.worker(0);
  auto client = shop.connect('a');
  auto taken = shop.take(worker);
  shop.answer(worker, taken.seq, true);
  taken.connection.reset();
  char byte = 0;
  CHECK(::recv(client.get(), &byte, 1, 0) == 0);
}

TEST_CASE("a connection that a worker refuses, or had no room for, goes to another one", "[process]") {
  Shop shop;
  auto second = shop.worker(1);
  auto first = shop.worker(0);
  auto client = shop.connect('a');
  const auto seq = shop.reply(first).integer("seq").value_or(0);
  if (GENERATE(true, false))
    shop.answer(first, seq, false);
  else
    first.say("{\"cmd\":\"NODE_HANDLE_NACK\"}\n");
  CHECK(shop.take(second).name == 'a');
}

TEST_CASE("a connection that nobody wants is offered less and less often", "[process]") {
  Shop shop;
  auto worker = shop.worker(0);
  auto client = shop.connect('a');
  const auto begun = Loop::now().mono;
  for (int i = 0; i < 4; ++i) {
    const auto message = shop.reply(worker);
    shop.answer(worker, message.integer("seq").value_or(0), false);
  }
  CHECK(shop.reply(worker).string("act") == "newconn");
  CHECK(Loop::now().mono - begun >= ipc::Rotation::first_pause * (1 + 2 + 4 + 8));
}

TEST_CASE("what a worker had not answered when it died goes to another one, also to one that comes later",
          "[process]") {
  Shop shop;
  auto first = shop.worker(0);
  auto client = shop.connect('a');
  CHECK(shop.reply(first).string("act") == "newconn");
  auto next = shop.connect('b');
  first.close();
  shop.end(StartId{1});
  shop.settle();
  auto second = shop.worker(1);
  auto a = shop.take(second);
  CHECK(a.name == 'a');
  shop.answer(second, a.seq, true);
  CHECK(shop.take(second).name == 'b');
}

TEST_CASE("one that is asked to let its clients go gets no more, and keeps what it has", "[process]") {
  Shop shop;
  auto first = shop.worker(0);
  auto client = shop.connect('a');
  auto a = shop.take(first);
  auto second = shop.worker(1);
  shop.channels->drain(StartId{1});
  shop.line(first);
  shop.answer(first, a.seq, true);
  auto next = shop.connect('b');
  CHECK(shop.take(second).name == 'b');
  CHECK(shop.has_nothing(first));
}

TEST_CASE("the next engine goes on passing", "[process]") {
  Shop shop;
  auto first = shop.worker(0);
  shop.restart_engine();
  auto client = shop.connect('a');
  CHECK(shop.take(first).name == 'a');
}
