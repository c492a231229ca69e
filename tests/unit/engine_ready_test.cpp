// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/instance.h"
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

SlotId slot(const char* app, std::uint32_t index) {
  return {{*Name::parse("shop"), *Name::parse(app)}, index};
}

}  // namespace

TEST_CASE("an instance starts until its gate is met, and its change waits for that", "[engine]") {
  Bench bench;
  bench.world.gets_ready = [](const LaunchPlan&) { return false; };
  const auto begun = bench.apply("shop\nweb ready=30000");
  CHECK(bench.instance("web", 0).phase == Phase::starting);
  CHECK(bench.instance("web", 0).pid == 1000);
  CHECK(bench.change(*begun).state == "running");
  bench.pass(Millis{29'999});
  CHECK(bench.instance("web", 0).phase == Phase::starting);
  bench.world.let_ready(StartId{bench.instance("web", 0).start});
  bench.settle();
  CHECK(bench.instance("web", 0).phase == Phase::ready);
  CHECK(bench.change(*begun).state == "succeeded");
  bench.pass(Millis{600'000});
  CHECK(bench.world.spawns == 1);
  CHECK_FALSE(bench.wake);
}

TEST_CASE("an instance that is not ready in time is killed, and that is an end like any other", "[engine]") {
  Bench bench;
  bench.world.gets_ready = [](const LaunchPlan&) { return false; };
  const auto begun = bench.apply("shop\nweb ready=30000 delay=5000 max=1");
  bench.pass(Millis{30'000});
  CHECK(bench.instance("web", 0).phase == Phase::backoff);
  CHECK(bench.instance("web", 0).reason == "not ready within 30s, restart in 5s");
  CHECK(bench.change(*begun).state == "failed");
  CHECK(bench.change(*begun).error == "cannot start web/0: not ready within 30s");
  CHECK(bench.world.signals == 0);
  bench.pass(Millis{200});
  bench.restart_engine();
  CHECK(bench.instance("web", 0).reason == "not ready within 30s, restart in 5s");
  bench.pass(Millis{35'000});
  CHECK(bench.instance("web", 0).phase == Phase::failed);
  CHECK(bench.instance("web", 0).restarts == 1);
  CHECK(bench.world.living().empty());
}

TEST_CASE("a start that nobody answers is given up, and tried again when it is certain to be gone",
          "[engine]") {
  Bench bench;
  bench.world.loses = [&](const LaunchPlan&) { return bench.world.spawns == 1; };
  const auto begun = bench.apply("shop\nweb delay=5000");
  CHECK(bench.instance("web", 0).phase == Phase::starting);
  bench.pass(svd::lifecycle::answer_within - Millis{1});
  CHECK(bench.instance("web", 0).phase == Phase::starting);
  bench.pass(Millis{1});
  CHECK(bench.instance("web", 0).phase == Phase::backoff);
  CHECK(bench.instance("web", 0).reason ==
        "cannot start: handing it to the keeper: it did not answer, restart in 5s");
  CHECK(bench.change(*begun).error ==
        "cannot start web/0: cannot start: handing it to the keeper: it did not answer");
  bench.pass(Millis{5000});
  CHECK(bench.instance("web", 0).phase == Phase::ready);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a stop of a start that nobody answers ends, too", "[engine]") {
  Bench bench;
  bench.world.loses = [](const LaunchPlan&) { return true; };
  bench.apply("shop\nweb");
  bench.engine->set_now(bench.world.now);
  bench.engine->shutdown(bench.root, false);
  bench.settle();
  CHECK_FALSE(bench.engine->finished());
  bench.pass(svd::lifecycle::answer_within);
  CHECK(bench.engine->finished());
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a new engine goes on waiting for the gate, and knows what was told to the one before",
          "[engine]") {
  Bench bench;
  bench.world.gets_ready = [](const LaunchPlan& plan) { return plan.slot.slot == 0; };
  REQUIRE(bench.apply("shop\nweb instances=2 ready=30000"));
  bench.restart_engine();  // before the usual time to save
  CHECK(bench.instance("web", 0).phase == Phase::ready);
  CHECK(bench.instance("web", 1).phase == Phase::starting);
  CHECK(bench.instance("web", 1).pid == 1001);
  bench.pass(Millis{29'999});
  CHECK(bench.instance("web", 1).phase == Phase::starting);
  bench.pass(Millis{1});
  CHECK(bench.world.living_in(slot("web", 1)) == nullptr);
  CHECK(bench.instance("web", 0).phase == Phase::ready);
}

TEST_CASE("a stop tries the channel first and then the signal, within one timeout", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb channel=node message=\"bye\" timeout=4000"));
  const auto start = StartId{bench.instance("web", 0).start};
  SECTION("it listens, and ends by itself") {
    const auto begun = bench.engine->stop({"web"}, bench.root);
    bench.settle();
    CHECK(bench.change(*begun).state == "succeeded");
    CHECK(bench.world.signals == 0);
    CHECK(bench.instance("web", 0).last_exit == ExitStatus{ExitStatus::Kind::code, 0, false});
    CHECK(bench.world.violations.empty());
    return;
  }
  bench.world.ignores_channel = [](const LaunchPlan&) { return true; };
  SECTION("it does not: it gets the signal when a quarter of the time is left") {
    REQUIRE(bench.engine->stop({"web"}, bench.root));
    bench.pass(Millis{2999});
    CHECK(bench.world.table.at(start).messages == std::vector<std::string>{"\"bye\""});
    CHECK(bench.world.signals == 0);
    bench.pass(Millis{1});
    CHECK(bench.world.signals == 1);
    CHECK(bench.instance("web", 0).phase == Phase::stopped);
  }
  SECTION("neither: it is killed at the end of the timeout, also when the daemon goes down") {
    bench.world.table.at(start).ignores = true;
    bench.engine->shutdown(bench.root, false);
    bench.pass(Millis{3999});
    CHECK_FALSE(bench.engine->finished());
    bench.pass(Millis{1});
    CHECK(bench.engine->finished());
  }
  CHECK(bench.world.violations.empty());
}

TEST_CASE("scaling down drains while others serve; a stop of the rest does not wait for it", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 channel=node"));
  const auto start = StartId{bench.instance("web", 2).start};
  const auto down = bench.engine->scale("web", 2, bench.root);
  bench.settle();
  CHECK(bench.world.table.at(start).drained);
  CHECK(bench.instance("web", 2).phase == Phase::stopping);
  SECTION("for as long as Node keeps a connection, and a second") {
    bench.pass(Millis{5999});
    CHECK(bench.change(*down).state == "running");
    bench.pass(Millis{1});
  }
  SECTION("until no client is left") { bench.world.let_drain(start); }
  SECTION("until the app is stopped") { REQUIRE(bench.engine->scale("web", 0, bench.root)); }
  SECTION("until the daemon stops") { bench.engine->shutdown(bench.root, false); }
  bench.settle();
  CHECK(bench.world.living_in(slot("web", 2)) == nullptr);
  CHECK(bench.world.signals == 0);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("an instance that ends while it drains is gone, and nobody calls that a failure", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 channel=node max=0"));
  const auto down = bench.engine->scale("web", 1, bench.root);
  bench.settle();
  bench.world.crash(StartId{bench.instance("web", 1).start});
  bench.settle();
  CHECK(bench.change(*down).state == "succeeded");
  CHECK(bench.engine->instances({"web"}).value().size() == 1);
}

TEST_CASE("an app waits for what it depends on before its first start, and not before a restart",
          "[engine]") {
  Bench bench;
  bench.world.gets_ready = [](const LaunchPlan&) { return false; };
  const auto begun = bench.apply("shop\napi after=redis delay=0\nredis ready=30000 delay=60000");
  CHECK(bench.instance("api", 0).phase == Phase::waiting);
  CHECK(bench.instance("api", 0).reason == "waiting for redis to be ready");
  CHECK(bench.change(*begun).state == "running");
  bench.world.let_ready(StartId{bench.instance("redis", 0).start});
  bench.settle();
  CHECK(bench.instance("api", 0).phase == Phase::ready);
  CHECK(bench.change(*begun).state == "succeeded");
  bench.crash("redis", 0);
  bench.crash("api", 0);
  bench.pass(Millis{100});
  CHECK(bench.instance("api", 0).phase == Phase::ready);
  CHECK(bench.world.violations.empty());
}
