// SPDX-License-Identifier: Apache-2.0
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

// Lets the world answer one signal after the other, as slowly as it likes.
void end_all(Bench& bench) {
  for (int i = 0; i < 3; ++i) {
    for (const auto& [id, child] : std::map{bench.world.table}) {
      bench.world.let_end(id);
      bench.world.let_vanish(id);
    }
    bench.settle();
  }
}

}  // namespace

TEST_CASE("stop stops and start starts; doing it twice is nothing to do", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2"));
  const auto stop = bench.engine->stop({"web"}, {1000, "joe"});
  bench.settle();
  CHECK(bench.change(*stop).state == "succeeded");
  CHECK(bench.app("web").state == "stopped");
  CHECK_FALSE(bench.app("web").wanted);
  CHECK(bench.instance("web", 0).reason == "stopped by joe");
  CHECK(bench.engine->stop({"web"}, bench.root)->change == ChangeId{});
  bench.pass(Millis{600'000});
  CHECK(bench.world.living().empty());
  const auto start = bench.engine->start({"web"}, bench.root);
  bench.settle();
  CHECK(bench.change(*start).state == "succeeded");
  CHECK(bench.app("web").state == "ready");
  CHECK(bench.engine->start({"web"}, bench.root)->change == ChangeId{});
  CHECK(bench.instance("web", 0).restarts == 0);  // a person did that, not the policy
}

TEST_CASE("one instance can be stopped; a new one of a stopped app stays stopped", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3"));
  REQUIRE(bench.engine->stop({"web/1"}, bench.root));
  bench.settle();
  CHECK(bench.app("web").ready == 2);
  CHECK(bench.app("web").state == "degraded");
  CHECK(bench.app("web").reason == "web/1: stopped by root");
  REQUIRE(bench.engine->stop({"web"}, bench.root));
  bench.settle();
  REQUIRE(bench.engine->scale("web", 5, bench.root));
  bench.settle();
  CHECK(bench.world.living().empty());
  CHECK(bench.instance("web", 4).phase == Phase::stopped);
}

TEST_CASE("a stop takes as long as its timeout, and not longer", "[engine]") {
  Bench bench;
  bench.world.ignores_stop = [](const LaunchPlan&) { return true; };
  REQUIRE(bench.apply("shop\nweb timeout=1000"));
  const auto stop = bench.engine->stop({"web"}, bench.root);
  bench.pass(Millis{999});
  CHECK(bench.instance("web", 0).phase == Phase::stopping);
  CHECK(bench.change(*stop).state == "running");
  bench.pass(Millis{1});
  CHECK(bench.instance("web", 0).phase == Phase::stopped);
  CHECK(bench.instance("web", 0).last_exit == ExitStatus{ExitStatus::Kind::signal, SIGKILL, false});
  CHECK(bench.change(*stop).state == "succeeded");
}

TEST_CASE("a stop of what is already stopping waits for its end", "[engine]") {
  Bench bench;
  bench.world.ignores_stop = [](const LaunchPlan&) { return true; };
  REQUIRE(bench.apply("shop\nweb instances=2 timeout=1000"));
  const auto first = bench.engine->stop({"web"}, {1000, "joe"});
  bench.settle();
  REQUIRE(bench.instance("web", 0).phase == Phase::stopping);
  SECTION("the same one's, by whatever part of it") {
    CHECK(bench.engine->stop({"web"}, bench.root)->change == first->change);
    CHECK(bench.engine->stop({"web/0"}, bench.root)->change == first->change);
    bench.pass(Millis{1000});
    CHECK(bench.change(*first).state == "succeeded");
    CHECK(bench.engine->stop({"web"}, bench.root)->change == ChangeId{});
  }
  SECTION("also when nobody waits for it any more") {
    REQUIRE(bench.engine->start({"web/1"}, bench.root));
    bench.settle();
    CHECK(bench.change(*first).state == "superseded");
    const auto again = bench.engine->stop({"web/0"}, bench.root);
    REQUIRE(again->change != ChangeId{});
    CHECK(bench.change(*again).state == "running");
    bench.pass(Millis{1000});
    CHECK(bench.change(*again).state == "succeeded");
    CHECK(bench.instance("web", 0).reason == "stopped by joe");
  }
}

TEST_CASE("start while stopping finishes the stop, then starts", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb"));
  bench.world.lazy = true;
  REQUIRE(bench.engine->stop({"web"}, bench.root));
  bench.settle();
  const auto start = bench.engine->start({"web"}, bench.root);
  bench.settle();
  CHECK(bench.instance("web", 0).phase == Phase::stopping);
  end_all(bench);
  CHECK(bench.instance("web", 0).phase == Phase::ready);
  CHECK(bench.change(*start).state == "succeeded");
  CHECK(bench.world.spawns == 2);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("stop in back-off ends the tries; start tries at once, with all its restarts again", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb delay=30000 max=1"));
  bench.crash("web", 0);
  bench.settle();
  CHECK(bench.instance("web", 0).phase == Phase::backoff);
  CHECK(bench.instance("web", 0).next_start.micros == bench.world.now.wall.micros + 30'000'000);
  SECTION("stop") {
    REQUIRE(bench.engine->stop({"web"}, bench.root));
    bench.settle();
    CHECK(bench.instance("web", 0).phase == Phase::stopped);
    CHECK(bench.world.signals == 0);
  }
  SECTION("start") {
    REQUIRE(bench.engine->start({"web"}, bench.root));
    bench.settle();
    CHECK(bench.instance("web", 0).phase == Phase::ready);
    bench.crash("web", 0);
    bench.settle();
    CHECK(bench.instance("web", 0).phase == Phase::backoff);
  }
}

TEST_CASE("restart replaces one instance after the other, and starts what is not running", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 policy=2"));
  bench.world.end(StartId{bench.instance("web", 1).start}, 7);
  bench.settle();
  CHECK(bench.instance("web", 1).phase == Phase::failed);
  bench.world.lazy = true;
  const auto restart = bench.engine->restart({"web"}, bench.root);
  bench.settle();
  CHECK(bench.instance("web", 0).phase == Phase::stopping);
  CHECK(bench.instance("web", 0).reason == "restarted by root");
  CHECK(bench.instance("web", 1).phase == Phase::ready);
  CHECK(bench.instance("web", 2).phase == Phase::ready);
  end_all(bench);
  end_all(bench);
  CHECK(bench.change(*restart).state == "succeeded");
  CHECK(bench.change(*restart).total == 3);
  CHECK(bench.world.spawns == 6);
  CHECK(bench.instance("web", 2).restarts == 0);
}

TEST_CASE("scale touches no surviving instance, and takes the highest away first", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=4"));
  const auto pid = [&](std::uint32_t slot) { return bench.instance("web", slot).pid; };
  const std::vector<std::int64_t> before{pid(0), pid(1)};
  bench.world.lazy = true;
  const auto down = bench.engine->scale("web", 2, bench.root);
  bench.settle();
  CHECK(bench.instance("web", 1).phase == Phase::ready);
  CHECK(bench.instance("web", 2).phase == Phase::stopping);
  CHECK(bench.instance("web", 3).phase == Phase::stopping);
  end_all(bench);
  CHECK(bench.change(*down).state == "succeeded");
  CHECK(bench.engine->instances({"web"}).value().size() == 2);
  const auto up = bench.engine->scale("web", 3, bench.root);
  bench.settle();
  CHECK(bench.change(*up).state == "succeeded");
  CHECK(std::vector<std::int64_t>{pid(0), pid(1)} == before);
  CHECK(bench.engine->scale("web", 3, bench.root)->change == ChangeId{});
  CHECK(bench.engine->scale("web", 10'001, bench.root).error().code == std::errc::invalid_argument);
}

TEST_CASE("scaling up again while the surplus still stops reuses its slots", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3"));
  bench.world.lazy = true;
  REQUIRE(bench.engine->scale("web", 1, bench.root));
  bench.settle();
  const auto up = bench.engine->scale("web", 3, bench.root);
  bench.settle();
  end_all(bench);
  CHECK(bench.change(*up).state == "succeeded");
  CHECK(bench.app("web").ready == 3);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("delete stops an app and removes it until the next apply", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2\nredis"));
  CHECK(bench.engine->remove({"web/0"}, bench.root).error().code == std::errc::invalid_argument);
  const auto begun = bench.engine->remove({"web"}, bench.root);
  bench.settle();
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.engine->apps({}).value().size() == 1);
  CHECK(bench.engine->start({"web"}, bench.root).error().code == std::errc::no_such_process);
  CHECK(bench.world.logs.size() == 1);  // its logs are let go
}

TEST_CASE("a signal goes to what runs, and is counted", "[engine]") {
  Bench bench;
  bench.world.ignores_stop = [](const LaunchPlan&) { return true; };
  REQUIRE(bench.apply("shop\nweb instances=3"));
  REQUIRE(bench.engine->stop({"web/2"}, bench.root));
  bench.pass(Millis{20'000});
  CHECK(bench.engine->signal({"web"}, SIGHUP, KillTarget::main, bench.root).value() == 2);
  bench.settle();
  CHECK(bench.world.living_in({{*Name::parse("shop"), *Name::parse("web")}, 1})->signals ==
        std::vector<int>{SIGHUP});
  CHECK_FALSE(bench.engine->signal({"web"}, 65, KillTarget::main, bench.root));
  CHECK_FALSE(bench.engine->signal({"web"}, 0, KillTarget::main, bench.root));
}

TEST_CASE("shutdown stops all at once, each by its own policy, and then it is finished", "[engine]") {
  Bench bench;
  bench.world.ignores_stop = [](const LaunchPlan& plan) { return plan.slot.app.app.str() == "deaf"; };
  REQUIRE(bench.apply("shop\nweb instances=50\ndeaf instances=2 timeout=2000\njob policy=1"));
  bench.crash("web", 7);
  bench.engine->shutdown(bench.root, false);
  bench.settle();
  CHECK(bench.world.living().size() == 2);
  CHECK_FALSE(bench.engine->finished());
  CHECK(bench.engine->apply(file("shop"), bench.root).error().text == "cannot apply: the daemon is stopping");
  SECTION("in time") {
    bench.pass(Millis{2000});
    CHECK(bench.engine->finished());
  }
  SECTION("a second one forces") {
    bench.engine->shutdown(bench.root, true);
    bench.settle();
    CHECK(bench.engine->finished());
  }
  CHECK(bench.world.living().empty());
  CHECK_FALSE(bench.wake);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("shutdown by force gives no grace", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3"));
  bench.engine->shutdown(bench.root, true);
  bench.settle();
  CHECK(bench.engine->finished());
  CHECK(bench.world.signals == 0);
}

TEST_CASE("a message that one program refuses reaches the others, and who refused it is told", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 channel=json"));
  std::vector<std::uint32_t> got;
  bench.world.accepts = [&](const LaunchPlan& plan) -> Result<> {
    if (plan.slot.slot == 0) return fail(std::errc::no_buffer_space, "cannot send: it does not read");
    got.push_back(plan.slot.slot);
    return {};
  };
  const auto sent = bench.engine->send({"web"}, "{}", bench.root);
  CHECK(got == std::vector<std::uint32_t>{1, 2});
  REQUIRE_FALSE(sent);
  CHECK(sent.error().text == "web/0: cannot send: it does not read; 2 instances got it");
  CHECK(sent.error().code == std::errc::no_buffer_space);
  CHECK(bench.engine->send({"web/0"}, "{}", bench.root).error().text == "cannot send: it does not read");
  CHECK(bench.engine->send({"web/2"}, "{}", bench.root).value() == 1);
}

TEST_CASE("a message to all is one to all that have a channel", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 channel=json\ndb instances=2"));
  for (const std::string name : {"all", "shop:", "/shop/"})
    CHECK(bench.engine->send({name}, "{}", bench.root).value() == 3);
  for (const Names& names :
       {Names{"db"}, Names{"db/1"}, Names{"all", "db"}, Names{"db/0", "all"}, Names{"/db/"}}) {
    const auto sent = bench.engine->send(names, "{}", bench.root);
    REQUIRE_FALSE(sent);
    CHECK_THAT(sent.error().text, ContainsSubstring("it has no channel"));
  }
}
