// SPDX-License-Identifier: Apache-2.0
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

AppId shop(const char* app) { return {*Name::parse("shop"), *Name::parse(app)}; }

using Served = std::vector<std::pair<std::uint32_t, StartId>>;

}  // namespace

TEST_CASE("an address that cannot be had refuses the whole apply, and nothing has changed", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\napi listen=70\nweb instances=2 listen=80"));
  bench.world.taken.insert(99);
  const auto bad = bench.apply("shop\napi listen=71 instances=3\nnew listen=72\nweb listen=99 gen=2");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().text == "cannot listen on port 99: Address already in use");
  CHECK(bench.engine->history("shop").value().size() == 1);
  CHECK(bench.app("web").listeners == std::vector<std::string>{"tcp *:80"});
  CHECK(bench.world.bound.size() == 2);  // what was bound for the file is let go
  CHECK(bench.world.spawns == 3);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("no stop, crash, restart or scale closes a socket; its removal from the file does", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 listen=80 listen=81 delay=60000"));
  const auto both = [&] { return bench.world.bound.contains(80) && bench.world.bound.contains(81); };
  REQUIRE(bench.engine->scale("web", 0, bench.root));
  bench.settle();
  CHECK(both());
  REQUIRE(bench.engine->scale("web", 3, bench.root));
  REQUIRE(bench.engine->stop({"web"}, bench.root));
  bench.settle();
  CHECK(both());
  REQUIRE(bench.engine->start({"web"}, bench.root));
  bench.settle();
  bench.crash("web", 0);
  bench.settle();
  CHECK(both());
  bench.world.lazy = true;
  REQUIRE(bench.apply("shop\nweb instances=2 listen=80 gen=2 delay=60000"));
  CHECK(both());  // it is still used by those that are to be replaced
  bench.world.lazy = false;
  for (int i = 0; i < 6; ++i) {
    for (const auto& [id, child] : std::map{bench.world.table}) {
      bench.world.let_end(id);
      bench.world.let_vanish(id);
    }
    bench.pass(Millis{5000});
  }
  CHECK(bench.app("web").listeners == std::vector<std::string>{"tcp *:80"});
  REQUIRE(bench.apply("shop"));
  bench.settle();
  CHECK(bench.world.bound.empty());
  CHECK(bench.world.violations.empty());
}

TEST_CASE("new connections go to the slots that are ready, and to no other", "[engine]") {
  Bench bench;
  bench.world.gets_ready = [](const LaunchPlan& plan) { return plan.slot.slot != 1; };
  REQUIRE(bench.apply("shop\nweb instances=3 even=80 ready=30000 delay=60000\napi listen=90"));
  CHECK(bench.world.served.at(shop("web")) == Served{{0, StartId{2}}, {2, StartId{4}}});
  bench.world.let_ready(StartId{3});
  bench.settle();
  CHECK(bench.world.served.at(shop("web")).size() == 3);
  bench.crash("web", 2);
  bench.settle();
  CHECK(bench.world.served.at(shop("web")) == Served{{0, StartId{2}}, {1, StartId{3}}});
  bench.world.served.clear();
  bench.restart_engine();
  CHECK(bench.world.served.at(shop("web")).size() == 2);
  CHECK_FALSE(bench.world.served.contains(shop("api")));  // one queue for all: nobody has to choose
}

TEST_CASE("after a reboot an app whose address is taken waits and tries again, and nobody waits for it",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\napi\nweb listen=80"));
  bench.pass(Millis{1000});
  bench.world.reboot();
  bench.world.taken.insert(80);
  bench.restart_engine();
  CHECK(bench.app("api").state == "ready");
  CHECK(bench.app("web").state == "degraded");
  CHECK(bench.instance("web", 0).phase == Phase::waiting);
  CHECK(bench.instance("web", 0).reason == "cannot listen on port 80: Address already in use");
  bench.pass(Millis{60'000});
  const auto told = std::ranges::count(
      bench.world.records, "cannot listen on port 80: Address already in use", &EventRecord::text);
  CHECK(told == 1);  // not with each try
  bench.world.taken.clear();
  bench.pass(Millis{6000});
  CHECK(bench.app("web").state == "ready");
  CHECK_FALSE(bench.wake);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a new engine finds the sockets of those that run an older version, too", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 listen=80 delay=0 max=100"));
  bench.world.lazy = true;
  REQUIRE(bench.apply("shop\nweb instances=2 listen=81 gen=2 delay=0 max=100"));
  bench.pass(Millis{200});
  bench.restart_engine();
  CHECK(bench.app("web").listeners.size() == 2);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a slot that goes gets no new connection, and accepts what is on its way before it is stopped",
          "[engine]") {
  Bench bench;
  const std::string settings = GENERATE("even=80", "even=80 channel=node");
  REQUIRE(bench.apply("shop\nweb instances=2 " + settings));
  const auto start = StartId{bench.instance("web", 1).start};
  bench.world.on_operation = [&](const Operation& operation) {
    if (operation.kind == Operation::Kind::signal)
      CHECK(bench.world.served.at(shop("web")) == Served{{0, StartId{1}}});
  };
  REQUIRE(bench.engine->scale("web", 1, bench.root));
  bench.settle();
  CHECK(bench.world.served.at(shop("web")) == Served{{0, StartId{1}}});
  bench.world.let_drain(start);  // no client yet: that is not the end of it
  bench.pass(Millis{499});
  CHECK(bench.instance("web", 1).phase == Phase::stopping);
  CHECK(bench.world.table.at(start).messages.empty());
  CHECK(bench.world.signals == 0);
  bench.pass(Millis{1});
  CHECK(bench.engine->instances({"web"}).value().size() == 1);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a slot that goes accepts all that waits in its queue, for as long as its stop may take",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 even=80 timeout=3000"));
  const auto start = StartId{bench.instance("web", 1).start};
  bench.world.waiting.insert(start);
  REQUIRE(bench.engine->scale("web", 1, bench.root));
  bench.pass(Millis{1200});
  CHECK(bench.instance("web", 1).phase == Phase::stopping);
  CHECK(bench.world.signals == 0);
  SECTION("it has accepted it") {
    bench.world.waiting.clear();
    bench.pass(Millis{500});
  }
  SECTION("it never will") {
    bench.pass(Millis{2200});
    CHECK(bench.world.signals == 0);
    bench.pass(Millis{600});
  }
  CHECK(bench.world.signals == 1);
  CHECK(bench.engine->instances({"web"}).value().size() == 1);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("when its revision is lost, what runs keeps its sockets until it has ended", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb listen=80"));
  bench.pass(Millis{1000});
  bench.world.lazy = true;
  SECTION("with no other revision") { bench.world.revisions.clear(); }
  SECTION("and another one cannot be read") {
    bench.world.revisions.begin()->second.source.text = "shop\nweb what=1";
  }
  bench.restart_engine();
  CHECK(bench.world.bound.contains(80));
  REQUIRE(bench.apply("shop\nweb gen=2"));
  CHECK(bench.world.bound.contains(80));
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a former version gets its sockets when it is started once more, or is refused with the reason",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb listen=80 delay=60000 max=100"));
  bench.pass(Millis{1000});
  bench.world.gets_ready = [](const LaunchPlan&) { return false; };
  bench.world.beside = 1;
  REQUIRE(bench.apply("shop\nweb gen=2 listen=81 surge=1 ready=500"));
  bench.pass(Millis{60'000});
  bench.world.reboot();
  bench.world.taken.insert(80);
  bench.restart_engine();
  bench.pass(Millis{1000});
  CHECK_THAT(bench.instance("web", 0).reason, ContainsSubstring("cannot listen on port 80"));
  bench.world.taken.clear();
  bench.pass(Millis{100'000});
  CHECK(bench.instance("web", 0).phase == Phase::ready);
  CHECK(bench.app("web").listeners.size() == 2);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("an address moves from one app to another within one apply", "[engine]") {
  Bench bench;
  const std::string count = GENERATE("instances=2", "instances=0");
  const auto owner = [&](std::uint16_t port) { return bench.world.bound.at(port).first; };
  bench.world.on_closed = [](const AppId&, std::uint16_t) { FAIL("a listener was closed"); };
  REQUIRE(bench.apply("shop\none listen=80 delay=0 " + count + "\nother listen=81 delay=0"));
  SECTION("by another name of the app") {
    bench.world.lazy = true;
    REQUIRE(bench.apply("shop\ntwo listen=80 delay=0 " + count + "\nother listen=81 delay=0"));
    CHECK(owner(80) == shop("two"));
    CHECK(bench.world.formerly.size() == (count == "instances=0" ? 0 : 1));  // until it has stopped
    if (GENERATE(false, true)) bench.restart_engine();
    bench.world.lazy = false;
    for (int i = 0; i < 6; ++i) {
      for (const auto& [id, child] : std::map{bench.world.table}) {
        if (child.plan.slot.app != shop("one")) continue;
        bench.world.let_end(id);
        bench.world.let_vanish(id);
      }
      bench.pass(Millis{5000});
    }
    CHECK(owner(80) == shop("two"));
  }
  SECTION("by a swap") {
    REQUIRE(bench.apply("shop\none listen=81 gen=2 delay=0 " + count + "\nother listen=80 gen=2 delay=0"));
    bench.pass(Millis{30'000});
    CHECK(owner(81) == shop("one"));
    CHECK(owner(80) == shop("other"));
  }
  SECTION("and back, as long as the former one is there") {
    bench.world.lazy = true;
    REQUIRE(bench.apply("shop\ntwo listen=80 delay=0\nother listen=81 delay=0"));
    bench.world.lazy = false;
    REQUIRE(bench.apply("shop\none listen=80 delay=0 " + count + "\nother listen=81 delay=0"));
    bench.pass(Millis{30'000});
    CHECK(owner(80) == shop("one"));
  }
  CHECK(bench.world.formerly.empty());
  CHECK(bench.world.bound.size() == 2);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("what another app of the file, or of another one, still wants does not move", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\none listen=80\nlast listen=82"));
  CHECK_FALSE(bench.apply("lab\ntwo listen=80"));
  bench.world.taken.insert(99);
  CHECK_FALSE(bench.apply("shop\naa listen=80\nlast listen=82\nzz listen=99"));
  CHECK(bench.world.bound.at(80).first == shop("one"));
  CHECK(bench.world.formerly.empty());
  CHECK(bench.world.bound.size() == 2);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("what a dead engine had bound for a file that it did not accept is let go", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\none listen=80"));
  bench.world.bound[85] = {shop("two"), Listener{}};
  bench.world.formerly.insert({80, shop("two")});
  bench.restart_engine();
  CHECK_FALSE(bench.world.bound.contains(85));
  CHECK(bench.world.formerly.empty());
  CHECK(bench.world.bound.at(80).first == shop("one"));
}

TEST_CASE("after a reboot an app gets the address that another one had yet to let go of", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\none listen=80 delay=0\ntwo delay=0"));
  bench.pass(Millis{1000});
  bench.world.gets_ready = [](const LaunchPlan& plan) { return plan.slot.app != shop("one"); };
  bench.world.beside = 1;
  // The update of the one that gives it up fails, so that it stays what it was.
  REQUIRE(bench.apply("shop\none gen=2 surge=1 ready=500 delay=0\ntwo gen=2 listen=80 delay=0"));
  bench.pass(Millis{60'000});
  bench.world.gets_ready = [](const LaunchPlan&) { return true; };
  bench.world.reboot();
  bench.restart_engine();
  bench.pass(Millis{60'000});
  CHECK(bench.app("two").state == "ready");
  CHECK(bench.instance("one", 0).phase == Phase::ready);
  CHECK(bench.world.violations.empty());
}
