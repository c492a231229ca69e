// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>

#include "ipc/primary.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::ipc;

namespace {

Listener tcp(const std::string& name, const std::string& address, std::uint16_t port,
             Listener::Balance balance = Listener::Balance::shared) {
  Listener listener;
  listener.name = Name::parse(name).value();
  listener.address = address;
  listener.port = port;
  listener.balance = balance;
  return listener;
}

Listener only6() {
  auto listener = tcp("only6", "::", 83);
  listener.v6only = true;
  return listener;
}

Query ask(std::optional<std::string> address, std::int64_t port, std::int64_t index = 0) {
  Query query;
  query.address = std::move(address);
  query.port = port;
  query.index = index;
  return query;
}

// An app with its instances, and whoever carries out what its primary wants.
struct App {
  explicit App(std::vector<Listener> declared = {}) : listen{std::move(declared)} {}

  void enter(std::uint64_t id, std::uint32_t slot = 0, std::uint64_t generation = 1) {
    primary.enter({StartId{id}, slot, generation, ChannelKind::node, listen});
    collect();
  }
  void hear(std::uint64_t id, FromWorker message) {
    message.seq = next_request++;
    primary.hear(StartId{id}, message, now);
    collect();
  }
  void query(std::uint64_t id, const Query& query) {
    hear(id, {.act = FromWorker::Act::query_server, .query = query});
  }
  void listening(std::uint64_t id, const Query& query) {
    hear(id, {.act = FromWorker::Act::listening, .query = query});
  }
  void close(std::uint64_t id, const std::string& key) {
    hear(id, {.act = FromWorker::Act::close, .key = key});
  }
  void serve(std::uint64_t id, const Query& one) {
    query(id, one);
    listening(id, one);
  }
  void opened(const std::string& key, int err = 0) {
    primary.opened(key, err);
    collect();
  }
  void leave(std::uint64_t id) {
    primary.leave(StartId{id});
    collect();
  }
  void pass(Millis by) {
    now += by;
    primary.tick(now);
    collect();
  }
  void collect() {
    for (auto& effect : primary.take()) {
      if (const auto* open = std::get_if<Open>(&effect); open != nullptr && opens_at_once)
        primary.opened(open->key, 0);
      effects.push_back(std::move(effect));
    }
    if (auto more = primary.take(); !more.empty()) effects.insert(effects.end(), more.begin(), more.end());
  }
  template <class Kind>
  std::vector<Kind> all() const {
    std::vector<Kind> found;
    for (const auto& effect : effects)
      if (const auto* one = std::get_if<Kind>(&effect)) found.push_back(*one);
    return found;
  }
  Write last_write() const {
    const auto writes = all<Write>();
    REQUIRE_FALSE(writes.empty());
    return writes.back();
  }
  std::int64_t last_errno() const {
    const auto line = last_write().line;
    const auto view = JsonView::parse(line);
    REQUIRE(view);
    return view->integer("errno").value_or(0);
  }
  bool is_ready(std::uint64_t id) const {
    return std::ranges::any_of(all<Ready>(), [&](const Ready& ready) { return ready.id == StartId{id}; });
  }
  // What the engine after us has to go by.
  void restart() {
    Primary next{std::uint64_t{1} << 40U};
    const auto app = primary.save();
    std::vector<std::string> members;
    for (const auto id : primary.members()) members.push_back(primary.save(id));
    REQUIRE(next.restore(app));
    for (const auto& member : members) REQUIRE(next.restore_member(member));
    CHECK(next.save() == app);
    for (std::size_t i = 0; i < members.size(); ++i) CHECK(next.save(next.members()[i]) == members[i]);
    primary = std::move(next);
    primary.resume(now);
    collect();
  }

  std::vector<Listener> listen;
  Primary primary{100};
  TimePoint now{Nanos{1'000'000'000}};
  std::vector<Effect> effects;
  std::int64_t next_request = 1;
  bool opens_at_once = true;
};

}  // namespace

TEST_CASE("a listener of the file is what a worker gets, by port and the nearest address", "[ipc]") {
  const std::vector<Listener> listen{tcp("local", "127.0.0.1", 80), tcp("any", "0.0.0.0", 80),
                                     tcp("six", "", 81), tcp("ten", "10.0.0.1", 82), only6()};
  const auto [address, port, want] = GENERATE(table<std::optional<std::string>, std::int64_t, std::string>({
      {std::nullopt, 80, "any"},
      {"0.0.0.0", 80, "any"},
      {"127.0.0.1", 80, "local"},
      {"127.0.0.2", 80, "any"},
      {std::nullopt, 81, "six"},
      {"127.0.0.1", 81, "six"},
      {"::", 81, "six"},
      {std::nullopt, 82, "ten"},
      {"10.0.0.2", 82, ""},
      {std::nullopt, 84, ""},
      {std::nullopt, 0, ""},
  }));
  CAPTURE(address.value_or("(any)"), port);
  const auto* const found = find_listener(listen, ask(address, port));
  CHECK((found == nullptr ? "" : found->name.str()) == want);
}

TEST_CASE("a descriptor is an index into what the instance was given", "[ipc]") {
  App app{{tcp("a", "", 80), tcp("b", "", 81)}};
  app.enter(1);
  const auto on = [](std::int64_t fd) {
    Query query;
    query.fd = fd;
    return query;
  };
  app.query(1, on(4));
  REQUIRE(app.last_write().socket);
  CHECK(app.last_write().socket->listener == app.listen[1].name);
  for (const std::int64_t fd : {std::int64_t{0}, std::int64_t{2}, std::int64_t{5}, std::int64_t{1} << 40U}) {
    app.query(1, on(fd));
    CHECK(app.last_errno() == -EINVAL);
  }
  CHECK(app.all<Open>().empty());
}

TEST_CASE("each slot gets its own socket where the balance is even or sticky", "[ipc]") {
  App app{{tcp("http", "", 80, GENERATE(Listener::Balance::even, Listener::Balance::sticky))}};
  app.enter(1, 0);
  app.enter(2, 1);
  app.query(2, ask({}, 80));
  CHECK(app.last_write().socket->slot == 1);
}

TEST_CASE("under round robin a worker gets no socket but connections, until it leaves", "[ipc]") {
  App app{{tcp("http", "0.0.0.0", 80, Listener::Balance::round_robin)}};
  app.enter(1);
  app.query(1, ask({}, 80));
  CHECK_FALSE(app.last_write().socket);
  CHECK(app.last_write().line.find(R"("sockname":{"address":"0.0.0.0","family":"IPv4","port":80})") !=
        std::string::npos);
  REQUIRE(app.all<Serves>().size() == 1);
  CHECK(app.all<Serves>().front().listener == app.listen[0].name);
  SECTION("because it is asked to let its clients go") { app.primary.drain(StartId{1}); }
  SECTION("because it is asked to end") { app.primary.disconnect(StartId{1}); }
  SECTION("because it closes the server") { app.close(1, app.all<Serves>().front().key); }
  SECTION("because it is gone") { app.leave(1); }
  app.collect();
  CHECK(app.all<Leaves>().size() == 1);
}

TEST_CASE("what the file does not declare is opened once, for all instances, over restarts", "[ipc]") {
  App app;
  app.enter(1, 0);
  app.enter(2, 1);
  app.serve(1, ask({}, 8000));
  app.serve(2, ask({}, 8000));
  REQUIRE(app.all<Open>().size() == 1);
  const auto key = app.all<Open>().front().key;
  CHECK(app.last_write().socket == Shared{{}, 0, key});
  app.leave(1);
  app.leave(2);
  app.enter(3, 0);
  app.serve(3, ask({}, 8000));
  CHECK(app.all<Open>().size() == 1);
  CHECK(app.all<Shut>().empty());
  CHECK(app.primary.opened_keys() == std::vector{key});
}

TEST_CASE("what could not be opened is an ordinary error, and may be tried again", "[ipc]") {
  App app;
  app.opens_at_once = false;
  app.enter(1);
  app.enter(2, 1);
  app.query(1, ask({}, 80));
  app.query(2, ask({}, 80));
  REQUIRE(app.all<Open>().size() == 1);
  app.opened(app.all<Open>().front().key, EACCES);
  CHECK(app.all<Write>().size() == 2);
  CHECK(app.last_errno() == -EACCES);
  app.query(1, ask({}, 80));
  CHECK(app.all<Open>().size() == 2);
}

TEST_CASE("several listen(0) of one worker are several ports, each shared by all workers", "[ipc]") {
  App app;
  app.enter(1);
  app.enter(2, 1);
  app.query(1, ask({}, 0, 0));
  app.query(1, ask({}, 0, 1));
  app.query(2, ask({}, 0, 0));
  app.query(2, ask({}, 0, 1));
  const auto opened = app.all<Open>();
  REQUIRE(opened.size() == 2);
  CHECK(opened[0].key != opened[1].key);
  CHECK(app.all<Write>()[0].socket == app.all<Write>()[2].socket);
  CHECK(app.all<Write>()[1].socket == app.all<Write>()[3].socket);
}

TEST_CASE("a second listen() on one port in one worker is a bind of its own, never the same key twice",
          "[ipc]") {
  App app;
  app.opens_at_once = false;
  app.enter(1);
  app.query(1, ask({}, 80, 0));
  app.opened(app.all<Open>()[0].key);
  app.query(1, ask({}, 80, 1));
  REQUIRE(app.all<Open>().size() == 2);
  CHECK(app.all<Open>()[0].key != app.all<Open>()[1].key);
  app.opened(app.all<Open>()[1].key, EADDRINUSE);
  CHECK(app.last_errno() == -EADDRINUSE);
}

TEST_CASE("the first worker's data goes to every worker of a key", "[ipc]") {
  App app;
  app.enter(1);
  app.enter(2, 1);
  auto tls = ask({}, 443);
  tls.data = R"({"ticketKeys":"aa"})";
  app.query(1, tls);
  tls.data = R"({"ticketKeys":"bb"})";
  app.query(2, tls);
  for (const auto& write : app.all<Write>())
    CHECK(write.line.find(R"("data":{"ticketKeys":"aa"})") != std::string::npos);
}

TEST_CASE("an app makes the supervisor open a bounded number of sockets", "[ipc]") {
  App app;
  app.enter(1);
  for (std::int64_t i = 0; i < 1000; ++i) app.query(1, ask({}, 0, i));
  CHECK(app.all<Open>().size() == Primary::max_servers);
  CHECK(app.last_errno() == -EMFILE);
}

TEST_CASE("a question without sense is EINVAL, not an end", "[ipc]") {
  App app;
  app.enter(1);
  app.hear(1, {.act = FromWorker::Act::query_server});
  CHECK(app.last_errno() == -EINVAL);
}

TEST_CASE("an abstract name begins where the worker's path has its NUL", "[ipc]") {
  App app;
  app.enter(1);
  Query query;
  query.type = Query::Type::unix_stream;
  query.port = -1;
  query.address = std::string{"/srv/app/\0name", 14};
  app.query(1, query);
  REQUIRE(app.all<Open>().size() == 1);
  CHECK(app.all<Open>()[0].query.address == "@name");
}

TEST_CASE("a socket that every worker closed by itself is shut, one closed in leaving is kept", "[ipc]") {
  App app;
  app.enter(1);
  app.enter(2, 1);
  app.serve(1, ask({}, 80));
  app.serve(2, ask({}, 80));
  const auto key = app.all<Open>().front().key;
  app.close(1, key);
  CHECK(app.all<Shut>().empty());
  SECTION("closed") {
    app.close(2, key);
    CHECK(app.all<Shut>().empty());
    CHECK(app.primary.wake() == app.now + Primary::linger);
    app.pass(Primary::linger);
    CHECK(app.all<Shut>().size() == 1);
    CHECK_FALSE(app.primary.wake());
    app.query(1, ask({}, 80));
    CHECK(app.all<Open>().size() == 2);
  }
  SECTION("closed, to listen again") {
    app.close(2, key);
    app.query(1, ask({}, 80));
    app.pass(Primary::linger);
    CHECK(app.all<Shut>().empty());
    CHECK(app.all<Open>().size() == 1);
  }
  SECTION("asked to leave") {
    app.primary.disconnect(StartId{2});
    app.close(2, key);
    CHECK(app.all<Shut>().empty());
  }
}

TEST_CASE(
    "a socket of an old generation is shut when a newer one is ready without it and the old one is gone",
    "[ipc]") {
  App app;
  app.enter(1, 0, 1);
  app.serve(1, ask({}, 80));
  const auto old = app.all<Open>().front().key;
  app.enter(2, 0, 2);
  app.query(2, ask({}, 81));
  app.leave(1);
  CHECK(app.all<Shut>().empty());  // the new one may still fail
  app.listening(2, ask({}, 81));
  app.pass(Primary::settle);
  REQUIRE(app.all<Shut>().size() == 1);
  CHECK(app.all<Shut>().front().key == old);
}

TEST_CASE(
    "the first instance ever is ready with its first server, later ones when they have what the last one had",
    "[ipc]") {
  App app;
  app.enter(1, 0);
  CHECK_FALSE(app.is_ready(1));
  app.query(1, ask({}, 80));
  CHECK_FALSE(app.is_ready(1));
  app.listening(1, ask({}, 80));
  CHECK(app.is_ready(1));
  app.serve(1, ask({}, 81));
  for (const std::uint32_t slot : {0U, 1U}) {  // its own slot, and one that is new
    const auto id = slot + 2;
    app.enter(id, slot);
    app.serve(id, ask({}, 81));
    CHECK_FALSE(app.is_ready(id));
    app.serve(id, ask({}, 80));
    CHECK(app.is_ready(id));
  }
  CHECK(app.all<Ready>().size() == 3);
}

TEST_CASE("a program that listens on less than before is ready when nothing more comes", "[ipc]") {
  App app;
  app.enter(1);
  app.serve(1, ask({}, 80));
  app.serve(1, ask({}, 81));
  app.enter(2, 0, 2);
  app.pass(Primary::settle * 10);
  CHECK_FALSE(app.is_ready(2));  // it listens on nothing
  app.serve(2, ask({}, 80));
  app.pass(Primary::settle - Millis{1});
  CHECK_FALSE(app.is_ready(2));
  CHECK(app.primary.wake() == app.now + Millis{1});
  app.pass(Millis{1});
  CHECK(app.is_ready(2));
  CHECK_FALSE(app.primary.wake());
}

TEST_CASE("`ready` counts at once, and is waited for ever after", "[ipc]") {
  App app;
  app.enter(1);
  app.primary.says_ready(StartId{1}, app.now);
  app.collect();
  CHECK(app.is_ready(1));
  app.serve(1, ask({}, 80));
  app.enter(2);
  app.serve(2, ask({}, 80));
  app.pass(Primary::settle * 10);
  CHECK_FALSE(app.is_ready(2));
  app.primary.says_ready(StartId{2}, app.now);
  app.collect();
  CHECK(app.is_ready(2));
}

TEST_CASE("the port of listen(0) is known only when it listens", "[ipc]") {
  App app;
  app.enter(1);
  app.query(1, ask({}, 0));
  app.listening(1, ask({}, 40'123));
  CHECK(app.is_ready(1));
}

TEST_CASE("a worker's own backlog is set right on a socket of the file", "[ipc]") {
  App app{{tcp("http", "", 80)}};
  app.enter(1);
  app.serve(1, ask({}, 80));
  REQUIRE(app.all<Relisten>().size() == 1);
  CHECK(app.all<Relisten>().front().socket.listener == app.listen[0].name);
}

TEST_CASE("one that leaves is answered no more, but its goodbye is", "[ipc]") {
  App app;
  app.enter(1);
  app.primary.disconnect(StartId{1});
  app.primary.disconnect(StartId{1});
  app.collect();
  CHECK(app.all<Write>().size() == 1);
  app.query(1, ask({}, 80));
  CHECK(app.all<Write>().size() == 1);
  app.hear(1, {.act = FromWorker::Act::exited_after_disconnect});
  CHECK(app.last_write().line.find("\"ack\":2") != std::string::npos);
}

TEST_CASE("a program on a json channel hears the same in words of its own", "[ipc]") {
  App app;
  app.primary.enter({StartId{1}, 0, 1, ChannelKind::json, {}});
  app.primary.drain(StartId{1});
  app.primary.disconnect(StartId{1});
  app.collect();
  REQUIRE(app.all<Write>().size() == 2);
  CHECK(app.all<Write>()[0].line == "{\"svd\":\"drain\"}\n");
  CHECK(app.all<Write>()[1].line == "{\"svd\":\"stop\"}\n");
}

TEST_CASE("the engine after us goes on where we were", "[ipc]") {
  App app{{tcp("http", "", 80)}};
  app.enter(1, 0, ~std::uint64_t{0});
  app.enter(2, 1, ~std::uint64_t{0});
  app.serve(1, ask({}, 80));
  app.serve(1, ask("127.0.0.1", 81));
  app.query(2, ask({}, 80));
  app.restart();
  CHECK(app.primary.is_ready(StartId{1}));
  CHECK_FALSE(app.primary.is_ready(StartId{2}));
  app.listening(2, ask({}, 80));
  CHECK_FALSE(app.is_ready(2));
  app.serve(2, ask("127.0.0.1", 81));
  CHECK(app.is_ready(2));
  CHECK(app.all<Open>().size() == 1);

  SECTION("a question that it hears once more is answered once more, as the first time") {
    const auto writes = app.all<Write>().size();
    FromWorker again{.act = FromWorker::Act::query_server, .query = ask("127.0.0.1", 81)};
    again.seq = app.next_request - 2;
    app.primary.hear(StartId{2}, again, app.now);
    app.collect();
    CHECK(app.all<Open>().size() == 1);
    REQUIRE(app.all<Write>().size() == writes + 1);
    CHECK(app.last_write().socket);
  }
}

TEST_CASE("an instance that was settling when the engine died settles under the next one", "[ipc]") {
  App app;
  app.enter(1);
  app.serve(1, ask({}, 80));
  app.serve(1, ask({}, 81));
  app.enter(2);
  app.serve(2, ask({}, 80));
  app.restart();
  app.pass(Primary::settle);
  CHECK(app.is_ready(2));
}

TEST_CASE("what cannot be read of the past is no past", "[ipc]") {
  Primary primary{1};
  CHECK_FALSE(primary.restore("{"));
  CHECK_FALSE(primary.restore_member("{}"));
  CHECK(primary.restore("[]"));
  CHECK(primary.restore_member(R"({"id":"7","asked":[{}],"listen":[{"name":"../x"}]})"));
  CHECK(primary.find(StartId{7})->listen.empty());
}

TEST_CASE("the engine after us goes on passing connections to who served before", "[ipc]") {
  App app{{tcp("http", "", 80, Listener::Balance::round_robin)}};
  app.enter(1);
  app.enter(2, 1);
  app.serve(1, ask({}, 80));
  app.serve(2, ask({}, 80));
  app.primary.drain(StartId{2});
  app.restart();
  const auto serves = app.all<Serves>();
  REQUIRE(serves.size() == 3);
  CHECK(serves.back().id == StartId{1});
}

TEST_CASE("what an app can make its primary remember has a bound", "[ipc]") {
  App app;
  app.enter(1);
  const auto query_with = [&](std::int64_t port, std::size_t size) {
    auto query = ask("127.0.0.1", port);
    query.data = "\"" + std::string(size, 'x') + "\"";
    app.query(1, query);
    return app.last_errno();
  };
  SECTION("one large thing is refused, and nothing of it is kept") {
    CHECK(query_with(80, 8U << 20U) == -ENOBUFS);
    CHECK(app.primary.save().size() < 1000);
    CHECK(query_with(80, 48) == 0);
  }
  SECTION("many of them come to a sum") {
    std::int64_t port = 1000, last = 0;
    while (last == 0) last = query_with(port++, 4000);
    CHECK(last == -ENOBUFS);
    CHECK(port > 1010);
    CHECK(app.primary.save().size() < 2 * Primary::max_kept);
    CHECK(app.primary.save(StartId{1}).size() < 2 * Primary::max_kept);
    app.restart();
    CHECK(query_with(port, 4000) == -ENOBUFS);
  }
  SECTION("a long path is none") {
    app.query(1, {.type = Query::Type::unix_stream, .address = "/" + std::string(5000, 'x'), .port = -1});
    CHECK(app.last_errno() == -ENAMETOOLONG);
    CHECK(app.last_write().line.size() < 200);
  }
  SECTION("what is said once more is saved once") {
    app.query(1, ask("127.0.0.1", 80));
    app.listening(1, ask("127.0.0.1", 80));
    (void)app.primary.changed();
    for (int i = 0; i < 3; ++i) app.primary.says_ready(StartId{1}, app.now);
    CHECK(app.primary.changed().contains(StartId{}));
    for (int i = 0; i < 3; ++i) app.primary.says_ready(StartId{1}, app.now);
    CHECK_FALSE(app.primary.changed().contains(StartId{}));
  }
}

TEST_CASE("a socket that comes when nobody waits for it any more is shut", "[ipc]") {
  App app;
  app.opens_at_once = false;
  app.enter(1);
  app.query(1, ask("127.0.0.1", 80));
  REQUIRE(app.all<Open>().size() == 1);
  const auto key = app.all<Open>().front().key;
  SECTION("its asker has gone") {
    app.leave(1);
    app.opened(key);
    CHECK(app.all<Shut>().size() == 1);
    CHECK(app.primary.opened_keys().empty());
  }
  SECTION("the engine has gone: the next one asks again") {
    app.restart();
    CHECK(app.all<Open>().size() == 2);
    CHECK(app.all<Open>().back().key == key);
    app.opened(key);
    CHECK(app.last_errno() == 0);
    CHECK(app.all<Shut>().empty());
  }
}
