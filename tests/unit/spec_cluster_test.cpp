// SPDX-License-Identifier: Apache-2.0
// Listeners, channels, readiness, updates and dependencies: what the file says and what becomes of it.
#include "spec/compare.h"
#include "unit/spec_support.h"

using namespace svd;
using namespace svd::spec_test;
using Kind = Listener::Kind;
using Balance = Listener::Balance;

namespace {

Listener listener(const std::string& settings, const std::string& more = "") {
  const auto made = app("listen: { http: { " + settings + " } }" + more);
  REQUIRE(made.listen.size() == 1);
  CHECK(made.listen[0].name.str() == "http");
  return made.listen[0];
}

std::string changes(const std::string& have, const std::string& want) {
  std::string all;
  for (const auto& change : spec::compare(app(have), app(want))) {
    constexpr std::array effects{"none", "live", "scale", "replace"};
    all += to_text(change) + " (" + effects[static_cast<std::size_t>(change.effect)] + ")\n";
  }
  return all;
}

}  // namespace

TEST_CASE("an address of tcp or udp is read in all its forms", "[spec]") {
  const auto [text, address, port] = GENERATE(table<std::string, std::string, int>({
      {"8080", "", 8080},
      {"\"8080\"", "", 8080},
      {"\":8080\"", "", 8080},
      {"0.0.0.0:80", "0.0.0.0", 80},
      {"127.0.0.1:65535", "127.0.0.1", 65535},
      {"\"[::]:1\"", "::", 1},
      {"\"[0:0::0001]:80\"", "::1", 80},
      {"\"[2001:DB8::A]:443\"", "2001:db8::a", 443},
  }));
  CAPTURE(text);
  for (const auto& [key, kind] : {std::pair{"tcp", Kind::tcp}, {"udp", Kind::udp}}) {
    const auto made = listener(std::string{key} + ": " + text);
    CHECK((made.kind == kind && made.address == address && made.port == port));
  }
}

TEST_CASE("the type of a unix socket is read wherever it stands", "[spec]") {
  CHECK(listener("unix: run/a").kind == Kind::unix_stream);
  CHECK(listener("unix: run/a").address == "/srv/app/run/a");
  CHECK(listener("type: datagram, unix: run/a").kind == Kind::unix_datagram);
  CHECK(listener("unix: \"@a/b\", type: seqpacket").kind == Kind::unix_seqpacket);
  CHECK(listener("unix: \"@a/b\"").address == "@a/b");
}

TEST_CASE("every option of a listener reaches it", "[spec]") {
  const auto tcp = listener(
      "tcp: \"[::]:1\", balance: sticky, backlog: 7, reuse_port: true, defer_accept: 2s, keepalive: true, "
      "nodelay: "
      "true, fast_open: 9, freebind: true, v6only: true");
  CHECK((tcp.balance == Balance::sticky && tcp.backlog == 7 && tcp.reuse_port &&
         tcp.defer_accept == Millis{2000} && tcp.keepalive && tcp.nodelay && tcp.fast_open == 9 &&
         tcp.freebind && tcp.v6only));
  const auto local =
      listener("unix: a, mode: 0600, user: www-data, group: 33, balance: round-robin", ", channel: json");
  CHECK((local.mode == 0600 && local.user == "www-data" && local.group == "33" &&
         local.balance == Balance::round_robin));
}

TEST_CASE("listeners keep the order of the file, and what defaults gave them", "[spec]") {
  const auto made =
      app("listen: { z: { tcp: 1 }, a: { tcp: 2 } }", "defaults: { listen: { a: { backlog: 5 } } }\n");
  REQUIRE(made.listen.size() == 2);
  CHECK((made.listen[0].name.str() == "a" && made.listen[0].backlog == 5 && made.listen[0].port == 2));
  CHECK(made.listen[1].name.str() == "z");
}

TEST_CASE("a change of a listener is told key by key, with what it does", "[spec]") {
  CHECK(changes("listen: { http: { tcp: 80, backlog: 511 } }", "listen: { http: { tcp: 80 } }") ==
        "listen.http.backlog changed 511 → 4096 (live)\n");
  CHECK(changes("listen: { http: { tcp: 80 } }", "listen: { http: { tcp: 127.0.0.1:80, balance: even } }") ==
        "listen.http.tcp changed :80 → 127.0.0.1:80 (replace)\nlisten.http.balance changed shared → even "
        "(replace)\n");
  CHECK(changes("listen: { http: { tcp: 80 } }", "listen: { http: { udp: 80 } }") ==
        "listen.http.tcp changed :80 → (unset) (replace)\nlisten.http.udp changed (unset) → :80 (replace)\n");
  CHECK(changes("listen: { a: { unix: /a, mode: 0600 } }", "listen: { b: { tcp: 1, nodelay: true } }") ==
        "listen.a changed unix=/a mode=0600 → (unset) (replace)\n"
        "listen.b changed (unset) → tcp=:1 nodelay=true (replace)\n");
  CHECK(changes("listen: { a: { tcp: 1 }, b: { tcp: 2 } }", "listen: { b: { tcp: 2 }, a: { tcp: 1 } }") ==
        "listen changed a b → b a (replace)\n");
}

TEST_CASE("only what needs a new process is in the generation of a listener", "[spec]") {
  const auto of = [](const std::string& more) {
    return app("listen: { a: { unix: /a" + more + " } }").generation;
  };
  CHECK(of("") == of(", backlog: 5, mode: 0600, user: root"));
  CHECK(of("") != of(", type: datagram"));
  const auto net = [](const std::string& more) {
    return app("listen: { a: { tcp: \"[::]:1\"" + more + " } }").generation;
  };
  CHECK(net("") == net(", nodelay: true, keepalive: true, reuse_port: true, fast_open: 3, freebind: true"));
  CHECK(net("") != net(", v6only: true"));
  CHECK(net("") != net(", balance: even"));
}

TEST_CASE("readiness is one kind; with channel node it is the channel, unless that is switched off",
          "[spec]") {
  using Gate = ReadyGate::Kind;
  CHECK(app("nice: 1").ready.kind == Gate::exec);
  CHECK(app("channel: json").ready.kind == Gate::exec);
  CHECK(app("channel: node").ready.kind == Gate::channel);
  CHECK(app("channel: node, ready: { timeout: 5s }").ready.kind == Gate::channel);
  CHECK(app("channel: node, ready: { channel: false }").ready.kind == Gate::exec);
  CHECK(app("channel: node, ready: { notify: true }").ready.kind == Gate::notify);
  CHECK(app("channel: json, ready: { channel: true, timeout: 5s }").ready.kind == Gate::channel);
  const auto tcp = app("instances: 3, ready: { tcp: 8080, increment: true }").ready;
  CHECK((tcp.kind == Gate::tcp && tcp.address == "127.0.0.1" && tcp.port == 8080 && tcp.increment));
}

TEST_CASE("a replacement is started first where it can share the old one's sockets, else last", "[spec]") {
  using Order = UpdatePolicy::Order;
  CHECK(app("nice: 1").update.order == Order::stop_first);
  CHECK(app("channel: json").update.order == Order::stop_first);
  CHECK(app("channel: node").update.order == Order::start_first);
  CHECK(app("listen: { http: { tcp: 8080 } }").update.order == Order::start_first);
  CHECK(app("listen: { http: { tcp: 8080 } }, update: { order: stop-first }").update.order ==
        Order::stop_first);
  CHECK(app("update: { order: start-first }").update.order == Order::start_first);
  CHECK(app("update: { max_unavailable: 0 }").update.order ==
        Order::start_first);  // only so can none be missing
}

TEST_CASE("an update's portions are numbers or shares; stop-first lets one be missing", "[spec]") {
  const auto made = app("update: { max_surge: 25%, max_unavailable: 2, drain: 0 }").update;
  CHECK((made.max_surge == Portion{25, true} && made.max_unavailable == Portion{2, false} &&
         made.drain == Millis{0}));
  CHECK_FALSE(app("nice: 1").update.drain);
  CHECK(app("update: { order: stop-first }").update.max_unavailable == Portion{1, false});
  CHECK(app("update: { order: stop-first, max_unavailable: 50% }").update.max_unavailable ==
        Portion{50, true});
}

TEST_CASE("a stop message is kept as JSON on one line", "[spec]") {
  const auto message = [](const std::string& yaml) {
    return app("channel: json, stop: { message: " + yaml + " }").stop.message;
  };
  CHECK(message("shutdown") == R"("shutdown")");
  CHECK(message("1.50") == "1.50");
  CHECK(message("\"1.50\"") == R"("1.50")");
  CHECK(message("false") == "false");
  CHECK(message("{ a: [1, ~, { b: \"x\\n\\\"\\\\é\" }], c: {} }") ==
        R"({"a":[1,null,{"b":"x\u000a\"\\é"}],"c":{}})");
}

TEST_CASE("dependencies are read, and a chain of any length is no cycle", "[spec]") {
  const auto made = app("depends_on: { x: started, y: ready, z: completed, d: ~ }",
                        "  x: { exec: x }\n  y: { exec: x }\n  z: { exec: x, restart: { policy: never } }\n");
  REQUIRE(made.depends_on.size() == 3);
  std::string text = "apps:\n  app0: { exec: x }\n";
  for (int i = 1; i < 3000; ++i)
    text += "  app" + std::to_string(i) + ": { exec: x, depends_on: { app" + std::to_string(i - 1) +
            ": ready } }\n";
  CHECK(complaints(text).empty());
  const auto found =
      complaints(text + "  app3000: { exec: x, depends_on: { app2999: ready, app3000: ready } }\n");
  REQUIRE(found.size() == 1);
  CHECK(found[0].text == "a cycle, app3000 → app3000: each would wait for the other");
}

TEST_CASE("a key of a listener is explained with or without the listener's name", "[spec]") {
  const auto text = spec::explain("apps.web.listen.http.tcp");
  REQUIRE(text);
  CHECK(text->starts_with("listen.*.tcp\n"));
  CHECK(*spec::explain("apps.web.listen.tcp") == *text);
  CHECK(*spec::explain("listen.tcp") == *text);
  for (const auto* of_all : {"apps.web.listen", "apps.web.listen.http"}) {
    const auto all = spec::explain(of_all);
    REQUIRE(all);
    CHECK((all->starts_with("listen\n") && all->find("defer_accept") != std::string::npos));
  }
  CHECK(spec::explain("apps.web.depends_on.redis")->starts_with("depends_on\n"));
  CHECK(spec::explain("apps.web.listen.http.bakclog").error().text ==
        "cannot explain 'apps.web.listen.http.bakclog': no such key, did you mean 'listen.backlog'?");
}
