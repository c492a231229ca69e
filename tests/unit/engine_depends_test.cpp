// SPDX-License-Identifier: Apache-2.0
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

// redis ← api ← web, and one that nobody has to do with.
const std::string chain = "shop\nredis instances=2\napi instances=2 after=redis\nweb after=api\nother";

std::set<std::string> asked(const Bench& bench) {
  std::set<std::string> out;
  for (const auto& [id, child] : bench.world.table)
    if (!child.exited && (child.asked || child.doomed)) out.insert(child.plan.slot.app.app.str());
  return out;
}

void end_all(Bench& bench, const std::string& app) {
  for (const auto& [id, child] : std::map{bench.world.table}) {
    if (child.plan.slot.app.app.str() != app) continue;
    bench.world.let_end(id);
    bench.settle();
    bench.world.let_vanish(id);
    bench.settle();
  }
}

using Apps = std::set<std::string>;

}  // namespace

TEST_CASE("what is to end ends after all that depends on it and is to end as well", "[engine][depends]") {
  Bench bench;
  REQUIRE(bench.apply(chain));
  bench.world.lazy = true;
  SECTION("the daemon stops") { bench.engine->shutdown(bench.root, false); }
  SECTION("a person stops all") { REQUIRE(bench.engine->stop({"all"}, bench.root)); }
  SECTION("a person deletes all") { REQUIRE(bench.engine->remove({"all"}, bench.root)); }
  SECTION("a file has none of them any more") { REQUIRE(bench.apply("shop")); }
  SECTION("a new engine takes over meanwhile") {
    REQUIRE(bench.engine->stop({"all"}, bench.root));
    bench.settle();
    bench.restart_engine();
  }
  bench.settle();
  CHECK(asked(bench) == Apps{"web", "other"});
  end_all(bench, "web");
  CHECK(asked(bench) == Apps{"api", "other"});
  end_all(bench, "api");
  CHECK(asked(bench) == Apps{"redis", "other"});
  end_all(bench, "redis");
  end_all(bench, "other");
  CHECK(bench.world.living().empty());
  for (const auto id : bench.engine->changes()) CHECK(bench.engine->change(id)->state != "running");
  CHECK(bench.world.violations.empty());
}

TEST_CASE("nobody waits for what stays, for what is wanted again, or when it has to be quick",
          "[engine][depends]") {
  Bench bench;
  REQUIRE(bench.apply(chain));
  bench.world.lazy = true;
  SECTION("what depends on it stays") {
    REQUIRE(bench.engine->stop({"redis"}, bench.root));
    bench.settle();
    CHECK(asked(bench) == Apps{"redis"});
  }
  SECTION("what depends on it is started again") {
    REQUIRE(bench.engine->stop({"all"}, bench.root));
    bench.settle();
    REQUIRE(bench.engine->start({"api"}, bench.root));
    bench.settle();
    CHECK(asked(bench) == Apps{"redis", "web", "other"});
  }
  SECTION("a forced shutdown") {
    bench.engine->shutdown(bench.root, false);
    bench.settle();
    bench.engine->shutdown(bench.root, true);
    bench.settle();
    CHECK(asked(bench) == Apps{"redis", "api", "web", "other"});
  }
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a dependency that ends while it has to wait has failed nobody, and stays down",
          "[engine][depends]") {
  Bench bench;
  REQUIRE(bench.apply(chain));
  bench.world.lazy = true;
  const auto begun = bench.engine->stop({"all"}, bench.root);
  bench.settle();
  bench.crash("redis", 0);
  bench.settle();
  for (const auto* app : {"redis", "web", "api", "redis", "other"}) end_all(bench, app);
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.instance("redis", 0).phase == Phase::stopped);
  CHECK(bench.world.spawns == 6);
}

TEST_CASE("two apps of different revisions that depend on each other do not wait for ever",
          "[engine][depends]") {
  Bench bench;
  bench.world.gets_ready = [](const LaunchPlan& plan) {
    return plan.generation != 102 || plan.slot.app.app.str() != "api";
  };
  REQUIRE(bench.apply("shop\nredis gen=1\napi gen=1 after=redis ready=1000 surge=1 rollback=1"));
  bench.pass(Millis{1000});
  REQUIRE(bench.apply("shop\nredis gen=1 after=api\napi gen=2 ready=1000 surge=1 rollback=1"));
  bench.pass(Millis{5000});
  REQUIRE(bench.app("api").revision == 1);
  REQUIRE(bench.app("redis").revision == 2);
  bench.engine->shutdown(bench.root, false);
  bench.settle();
  CHECK(bench.engine->finished());
}

TEST_CASE("an app that waits says for whom, and why that does not come; a change fails, not hangs",
          "[engine][depends]") {
  Bench bench;
  std::string why;
  SECTION("it does not become ready") {
    bench.world.gets_ready = [](const LaunchPlan&) { return false; };
    const auto begun =
        bench.apply("shop\nredis ready=1000 delay=60000\napi after=redis\nweb instances=2 after=api");
    CHECK(bench.instance("web", 1).reason == "waiting for api to be ready");
    CHECK(bench.app("web").reason == "waiting for api to be ready");
    CHECK(bench.change(*begun).state == "running");
    bench.pass(Millis{1500});
    why = "redis/0: not ready within 1s, restart in 30s";
    CHECK(bench.change(*begun).state == "failed");
    CHECK_THAT(bench.change(*begun).error, ContainsSubstring("cannot start api/0: waiting for redis"));
    bench.world.gets_ready = [](const LaunchPlan&) { return true; };
  }
  SECTION("it failed before") {
    bench.world.refuse = [](const LaunchPlan&) -> std::optional<StartFailure> {
      return StartFailure{StartStage::exec, ENOENT, "/bin/redis"};
    };
    REQUIRE(bench.apply("shop\nredis policy=2"));
    bench.pass(Millis{1000});
    const auto begun = bench.apply("shop\nredis policy=2\napi after=redis\nweb instances=2 after=api");
    CHECK(bench.change(*begun).state == "failed");
    why = "redis/0: " + bench.instance("redis", 0).reason;
    bench.world.refuse = [](const LaunchPlan&) { return std::nullopt; };
  }
  CHECK(bench.instance("api", 0).reason == "waiting for redis to be ready, which has failed: " + why);
  CHECK(bench.instance("web", 1).reason ==
        "waiting for api to be ready, which is waiting for redis to be ready, which has failed: " + why);
  REQUIRE(bench.engine->start({"redis"}, bench.root));
  bench.settle();
  CHECK(bench.instance("web", 1).phase == Phase::ready);  // what failed may come all the same
  CHECK(bench.world.violations.empty());
}

TEST_CASE("after a restart of the daemon an app waits for its dependency, too", "[engine][depends]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nredis ready=1000\napi after=redis"));
  bench.pass(Millis{100});
  bench.engine->shutdown(bench.root, false);
  bench.settle();
  bench.world.reboot();
  bench.world.gets_ready = [](const LaunchPlan&) { return false; };
  bench.restart_engine();
  CHECK(bench.instance("api", 0).reason == "waiting for redis to be ready");
  bench.world.let_ready(StartId{bench.instance("redis", 0).start});
  bench.settle();
  CHECK(bench.instance("api", 0).phase == Phase::ready);
}

TEST_CASE("an update waits for what it depends on, within its deadline, and takes nothing down meanwhile",
          "[engine][depends]") {
  Bench bench;
  bench.world.beside = 1;
  const std::string settings = GENERATE(" surge=1", "") + std::string{" deadline=5000"};
  bench.world.gets_ready = [](const LaunchPlan&) { return false; };
  REQUIRE(bench.apply("shop\napi instances=2 gen=1" + settings));
  const auto before = bench.instance("api", 1).start;
  const auto begun = bench.apply("shop\nredis ready=60000\napi instances=2 gen=2 after=redis" + settings);
  bench.pass(Millis{4000});
  CHECK(bench.app("api").ready == 2);
  CHECK(bench.instance("api", 1).start == before);
  SECTION("it comes") {
    bench.world.let_ready(StartId{bench.instance("redis", 0).start});
    bench.pass(Millis{1000});
    CHECK(bench.change(*begun).state == "succeeded");
    CHECK(bench.instance("api", 1).generation == 102);
  }
  SECTION("it does not") {
    bench.pass(Millis{1000});
    CHECK(bench.app("api").ready == 2);
    CHECK(bench.instance("api", 1).start == before);
    bench.pass(Millis{60'000});
    CHECK(bench.change(*begun).state == "failed");
    CHECK_THAT(bench.change(*begun).error,
               ContainsSubstring("cannot replace api/0: ready after 5s without progress: waiting for redis"));
  }
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a slot that an update had left out waits as any other when the app goes back",
          "[engine][depends]") {
  Bench bench;
  const auto with = [](const std::string& web) {
    return "shop\nredis delay=5000\nweb after=redis rollback=1 " + web;
  };
  REQUIRE(bench.apply(with("instances=2 gen=1")));
  bench.pass(Millis{1000});
  bench.world.lazy = true;
  const auto begun = bench.apply(with("instances=1 gen=2"));
  REQUIRE(bench.instance("web", 1).phase == Phase::stopping);
  bench.world.crash(bench.world.living_in({{*Name::parse("shop"), *Name::parse("redis")}, 0})->plan.id);
  bench.settle();
  REQUIRE(bench.engine->abort("web", bench.root));
  bench.world.lazy = false;
  for (const auto id : bench.world.unfinished()) {
    bench.world.let_end(id);
    bench.world.let_vanish(id);
  }
  bench.settle();
  CHECK(bench.instance("web", 1).reason.starts_with("waiting for redis"));
  bench.pass(Millis{10'000});
  CHECK(bench.instance("web", 1).phase == Phase::ready);
  CHECK(bench.change(*begun).state == "failed");
}

TEST_CASE("who waits for a start does not wait for readiness", "[engine][depends]") {
  Bench bench;
  bench.world.lazy = true;
  REQUIRE(bench.apply("shop\ndb ready=60000\nweb begun=db"));
  CHECK(bench.instance("db", 0).phase == Phase::starting);
  CHECK(bench.instance("web", 0).phase == Phase::ready);
}
