// SPDX-License-Identifier: Apache-2.0
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

std::vector<std::string> plan_of(Bench& bench, const std::string& text) {
  std::vector<std::string> out;
  const auto steps = bench.engine->plan(file(text));
  for (const auto& step : steps.value()) out.push_back(to_text(step));
  return out;
}

std::vector<std::int64_t> pids(Bench& bench, const std::string& app, std::uint32_t count) {
  std::vector<std::int64_t> out;
  for (std::uint32_t i = 0; i < count; ++i) out.push_back(bench.instance(app, i).pid);
  return out;
}

}  // namespace

TEST_CASE("an apply starts what the file declares, and its change succeeds when all is ready", "[engine]") {
  Bench bench;
  const auto begun = bench.apply("shop\nweb instances=3\nredis");
  REQUIRE(begun);
  CHECK(begun->revision == 1);
  const auto change = bench.change(*begun);
  CHECK(change.state == "succeeded");
  CHECK(change.done == 4);
  CHECK(change.total == 4);
  CHECK(bench.app("web").state == "ready");
  CHECK(bench.app("web").ready == 3);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a second apply of the same file changes nothing and says so", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 gen=1"));
  bench.pass(Millis{1000});
  const auto spawns = bench.world.spawns;
  const auto again = bench.apply("shop\nweb instances=3 gen=1");
  REQUIRE(again);
  CHECK(again->change == ChangeId{});
  CHECK(again->revision == 1);
  CHECK(plan_of(bench, "shop\nweb instances=3 gen=1").empty());
  CHECK(bench.world.spawns == spawns);
  CHECK_FALSE(bench.wake);  // and nothing is waited for
}

TEST_CASE("the plan says for each step what and why", "[engine][plan]") {
  Bench bench;
  CHECK(plan_of(bench, "shop\nweb instances=2") ==
        std::vector<std::string>{"web: start 2 instances: it is new"});
  REQUIRE(bench.apply("shop\nweb instances=4 gen=1\nold\nkeep keep=4"));
  const auto plan = plan_of(bench, "shop\nweb instances=4 gen=2\nkeep keep=5");
  CHECK(plan == std::vector<std::string>{"old: stop 1 instance and remove: it is not in the file",
                                         "keep: update in place: logs.keep changed 4 → 5",
                                         "web: replace 4 instances, one at a time: env.GEN changed 1 → 2"});
  CHECK(plan_of(bench, "shop\nweb instances=2 gen=1\nold\nkeep keep=4") ==
        std::vector<std::string>{"web: scale from 4 to 2 instances: instances changed 4 → 2"});
}

TEST_CASE("a changed env replaces that app's instances one at a time, the lowest first, and no other app's",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 gen=1\nredis gen=1"));
  const auto redis = pids(bench, "redis", 1);
  bench.world.lazy = true;
  const auto begun = bench.apply("shop\nweb instances=3 gen=2\nredis gen=1");
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    for (std::uint32_t i = 0; i < 3; ++i)
      CHECK((bench.instance("web", i).phase == Phase::stopping) == (i == slot));
    CHECK(bench.app("web").state == "updating");
    const auto start = StartId{bench.instance("web", slot).start};
    bench.world.let_end(start);
    bench.settle();
    CHECK(bench.instance("web", slot).phase == Phase::stopping);  // its strays may still be there
    bench.world.let_vanish(start);
    bench.settle();
    CHECK(bench.instance("web", slot).phase == Phase::ready);
    CHECK(bench.instance("web", slot).revision == 2);
  }
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(pids(bench, "redis", 1) == redis);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a live change touches no process and is used at once", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 delay=0 keep=4"));
  const auto before = pids(bench, "web", 2);
  const auto begun = bench.apply("shop\nweb instances=2 delay=5000 keep=9");
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(pids(bench, "web", 2) == before);
  CHECK(bench.world.logs.begin()->second.keep == 9);
  bench.crash("web", 0);
  bench.settle();
  CHECK(bench.instance("web", 0).reason == "signal SIGKILL, restart in 5s");
}

TEST_CASE("a removed app is stopped and dropped; another ecosystem's apps are not touched", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb\nredis"));
  REQUIRE(bench.apply("blog\nweb"));
  const auto begun = bench.apply("shop\nweb");
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.engine->apps({}).value().size() == 2);
  CHECK(bench.app("redis").state.empty());
  CHECK(bench.world.living().size() == 2);
}

TEST_CASE("a failed replacement ends the update: the rest keeps the former version, and the change says why",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 gen=1 policy=2"));
  bench.world.refuse = [](const LaunchPlan& plan) -> std::optional<StartFailure> {
    if (plan.generation == 102) return StartFailure{StartStage::exec, ENOENT, "/bin/nope"};
    return std::nullopt;
  };
  const auto begun = bench.apply("shop\nweb instances=3 gen=2 policy=2");
  const auto change = bench.change(*begun);
  CHECK(change.state == "failed");
  CHECK(change.error ==
        "cannot start web/0: executing the program '/bin/nope': No such file or directory; "
        "2 instances keep the former version");
  CHECK(change.failed.size() == 1);
  CHECK(bench.instance("web", 0).phase == Phase::failed);
  CHECK(bench.instance("web", 1).generation == 101);
  CHECK(bench.instance("web", 2).phase == Phase::ready);
  CHECK_THAT(bench.engine->history("shop").value().back().outcome,
             ContainsSubstring("failed: cannot start web/0"));

  SECTION("one that crashes meanwhile comes back as it was") {
    REQUIRE(bench.apply("shop\nweb instances=3 gen=1 policy=0 delay=0"));
    REQUIRE(bench.apply("shop\nweb instances=3 gen=2 policy=0 delay=60000"));
    bench.crash("web", 2);
    bench.pass(Millis{1});
    CHECK(bench.instance("web", 2).phase == Phase::ready);
    CHECK(bench.instance("web", 2).generation == 101);
  }
  SECTION("applying the file again, when the cause is gone, finishes it") {
    bench.world.refuse = [](const LaunchPlan&) { return std::nullopt; };
    CHECK(plan_of(bench, "shop\nweb instances=3 gen=2 policy=2") ==
          std::vector<std::string>{
              "web: replace 2 instances, one at a time: an earlier update or restart did not reach them",
              "web: start 1 instance: web/0 had failed: cannot start: executing the program '/bin/nope': No "
              "such file or "
              "directory"});
    const auto again = bench.apply("shop\nweb instances=3 gen=2 policy=2");
    CHECK(bench.change(*again).state == "succeeded");
    CHECK(bench.instance("web", 2).generation == 102);
  }
  CHECK(bench.world.violations.empty());
}

TEST_CASE("apply resolves what the user changed: stops, scale and deletion", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2\nredis\njob"));
  REQUIRE(bench.engine->stop({"web"}, bench.root));
  REQUIRE(bench.engine->scale("redis", 3, bench.root));
  REQUIRE(bench.engine->remove({"job"}, bench.root));
  bench.settle();
  CHECK(plan_of(bench, "shop\nweb instances=2\nredis\njob") ==
        std::vector<std::string>{"job: start 1 instance: it is new",
                                 "redis: scale from 3 to 1 instance: it was scaled to 3 by the user",
                                 "web: start 2 instances: it was stopped by the user"});
  const auto begun = bench.apply("shop\nweb instances=2\nredis\njob");
  CHECK(begun->revision == 2);
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.app("web").state == "ready");
  CHECK(bench.app("redis").instances == 1);
  CHECK(bench.app("job").state == "ready");
  CHECK(plan_of(bench, "shop\nweb instances=2\nredis\njob").empty());
}

TEST_CASE("rollback applies an old revision as a new one", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb gen=1"));
  REQUIRE(bench.apply("shop\nweb gen=2"));
  REQUIRE(bench.engine->stop({"web"}, bench.root));
  REQUIRE(bench.apply("shop\nweb gen=2"));  // the same content once more
  const auto begun = bench.engine->rollback("shop", 0, bench.root);
  REQUIRE(begun);
  bench.settle();
  CHECK(begun->revision == 4);
  CHECK(bench.instance("web", 0).generation == 101);
  const auto history = bench.engine->history("shop").value();
  CHECK(history.back().summary == "rollback to 1; web: replace 1 instance");
  CHECK(history.back().current);
  CHECK(history.back().who == "root (uid 0)");
  CHECK_THAT(bench.engine->rollback("shop", 9, bench.root).error().text, ContainsSubstring("1 to 4 are"));
  CHECK_THAT(bench.engine->rollback("shp", 0, bench.root).error().text,
             ContainsSubstring("did you mean 'shop'"));
}

TEST_CASE("the last twenty revisions are kept, besides the present one and what is in use", "[engine]") {
  Bench bench;
  for (int i = 0; i < 30; ++i) REQUIRE(bench.apply("shop\nweb gen=" + std::to_string(i)));
  const auto history = bench.engine->history("").value();
  CHECK(history.size() == 21);
  CHECK(history.front().number == 10);
  CHECK(bench.world.revisions.size() == 21);
}

TEST_CASE("without a number a rollback goes to the last revision that worked, not to one that failed",
          "[engine]") {
  Bench bench;
  const std::string settings = " surge=1 rollback=1 policy=2";
  REQUIRE(bench.apply("shop\nweb gen=1" + settings));
  REQUIRE(bench.apply("shop\nweb gen=2" + settings));
  bench.world.refuse = [](const LaunchPlan& plan) -> std::optional<StartFailure> {
    if (plan.generation != 103) return std::nullopt;
    return StartFailure{StartStage::exec, ENOENT, "/bin/web"};
  };
  REQUIRE(bench.apply("shop\nweb gen=3" + settings));
  bench.pass(Millis{1000});
  REQUIRE(bench.apply("shop\nweb gen=4" + settings));
  bench.pass(Millis{1000});
  REQUIRE(bench.instance("web", 0).generation == 104);
  const auto begun = bench.engine->rollback("shop", 0, bench.root);
  REQUIRE(begun);
  CHECK(bench.engine->history("shop").value().back().summary.starts_with("rollback to 2; "));
  bench.pass(Millis{1000});
  CHECK(bench.instance("web", 0).generation == 102);
}

TEST_CASE("a revision that something runs, or went back to, is kept however many follow", "[engine]") {
  Bench bench;
  const auto text = [](int gen) {
    return "shop\nweb gen=" + std::to_string(gen) + " surge=1 rollback=1 policy=2";
  };
  REQUIRE(bench.apply(text(0)));
  bench.world.refuse = [](const LaunchPlan& plan) -> std::optional<StartFailure> {
    if (plan.generation == 100) return std::nullopt;
    return StartFailure{StartStage::exec, ENOENT, "/bin/web"};
  };
  for (int i = 1; i < 30; ++i) {
    REQUIRE(bench.apply(text(i)));
    bench.pass(Millis{1000});
  }
  CHECK(bench.app("web").revision == 1);
  CHECK(bench.world.revisions.size() == 21);
  CHECK(bench.world.revisions.contains({*Name::parse("shop"), 1}));
  bench.restart_engine();
  CHECK(bench.app("web").revision == 1);
  CHECK(bench.instance("web", 0).generation == 100);
  CHECK(bench.problems.empty());
  const auto again = bench.engine->rollback("shop", 0, bench.root);
  REQUIRE(again);  // to where it is
  CHECK(again->change == ChangeId{});
}

TEST_CASE("a file with an error changes nothing", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb"));
  const auto bad = bench.apply("shop\nweb instnaces=2");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == std::errc::invalid_argument);
  CHECK(bench.engine->history("shop").value().size() == 1);
}

TEST_CASE("an app's environment is complete, and says who and where it is", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 port=8080 secret=hush"));
  const auto* child = bench.world.living_in({{*Name::parse("shop"), *Name::parse("web")}, 1});
  REQUIRE(child != nullptr);
  CHECK(child->plan.envp ==
        std::vector<std::string>{"LANG=C.UTF-8", "NODE_APP_INSTANCE=1",
                                 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                 "PORT=8081", "SVD_APP=web", "SVD_ECOSYSTEM=shop", "SVD_INSTANCE=1",
                                 "SVD_INSTANCES=2", "SVD_REVISION=1", "TOKEN=hush"});
  CHECK(child->plan.logs.to == LogPolicy::To::file);
}

TEST_CASE("a variable that cannot be counted up fails the start, and says which", "[engine]") {
  Bench bench;
  const auto begun = bench.apply("shop\nweb port=http policy=2");
  bench.pass(Millis{0});
  CHECK(bench.change(*begun).error == "cannot start web/0: starting: increment_env PORT");
  CHECK(bench.world.living_in({{*Name::parse("shop"), *Name::parse("web")}, 0}) == nullptr);
}

TEST_CASE("what a stopped main process leaves has the rest of the stop's timeout, and only then is killed",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb timeout=5000"));
  bench.world.lazy = true;
  const auto start = StartId{bench.instance("web", 0).start};
  REQUIRE(bench.engine->stop({"web"}, bench.root));
  bench.settle();
  bench.world.let_end(start);
  bench.pass(Millis{4999});
  CHECK(bench.instance("web", 0).phase == Phase::stopping);
  CHECK_FALSE(bench.world.table.at(start).doomed);
  SECTION("it ends in time") {
    bench.world.let_vanish(start);
    bench.settle();
  }
  SECTION("it does not") {
    bench.pass(Millis{1});
    CHECK(bench.world.table.at(start).doomed);
    bench.world.let_vanish(start);
    bench.settle();
  }
  CHECK(bench.instance("web", 0).phase == Phase::stopped);
  CHECK(bench.world.violations.empty());
}
