// SPDX-License-Identifier: Apache-2.0
#include "engine/world/world.h"
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

const std::string rolling = " surge=1 min_ready=2000 delay=100";

std::vector<InstanceView> all(Bench& bench) { return bench.engine->instances({"web"}).value(); }

std::vector<std::int64_t> pids(Bench& bench, std::uint32_t count) {
  std::vector<std::int64_t> out;
  for (std::uint32_t i = 0; i < count; ++i) out.push_back(bench.instance("web", i).pid);
  return out;
}

std::uint64_t start_of(Bench& bench, std::uint32_t slot, const std::string& role) {
  for (const auto& view : all(bench))
    if (view.id.slot == slot && view.role == role) return view.start;
  return 0;
}

// An app that serves, with a stable revision to go back to.
void serve(Bench& bench, const std::string& settings = "", std::uint32_t instances = 3) {
  bench.world.beside = 2;
  REQUIRE(bench.apply("shop\nweb instances=" + std::to_string(instances) + " gen=1" + rolling + settings));
  bench.pass(Millis{10'000});
}

Result<Begun> update(Bench& bench, const std::string& settings = "", std::uint32_t instances = 3) {
  return bench.apply("shop\nweb instances=" + std::to_string(instances) + " gen=2" + rolling + settings);
}

}  // namespace

TEST_CASE("start-first a replacement takes over when it has stayed ready, and no slot is ever without one",
          "[engine][rollout]") {
  Bench bench;
  serve(bench);
  const auto begun = update(bench);
  CHECK(all(bench).size() == 4);
  CHECK(bench.app("web").ready == 3);
  CHECK(bench.app("web").state == "updating");
  CHECK(bench.app("web").update == "0 of 3 replaced");
  bench.pass(Millis{1999});
  CHECK(bench.instance("web", 0).generation == 101);
  bench.pass(Millis{1});
  CHECK(bench.instance("web", 0).generation == 102);
  CHECK(bench.app("web").update == "1 of 3 replaced");
  bench.pass(Millis{4000});
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(all(bench).size() == 3);
  CHECK(bench.app("web").update.empty());
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a broken release is withdrawn, what serves is not touched, and the app goes back",
          "[engine][rollout]") {
  Bench bench;
  serve(bench, " ready=30000 rollback=1");
  const auto before = pids(bench, 3);
  std::string why;
  SECTION("it throws at start") {
    const auto begun = update(bench, " ready=30000 rollback=1");
    bench.world.end(StartId{start_of(bench, 0, "replacement")}, 1);
    bench.pass(Millis{5000});
    why = bench.change(*begun).error;
    CHECK(why == "cannot keep web/0 running: exit code 1; rolled back to revision 1");
  }
  SECTION("it never listens") {
    bench.world.gets_ready = [](const LaunchPlan& plan) { return plan.generation == 101; };
    const auto begun = update(bench, " ready=30000 rollback=1");
    bench.pass(Millis{35'000});
    why = bench.change(*begun).error;
    CHECK(why == "cannot start web/0: not ready within 30s; rolled back to revision 1");
  }
  SECTION("it listens, then crashes") {
    const auto begun = update(bench, " ready=30000 rollback=1");
    bench.pass(Millis{1000});
    bench.world.crash(StartId{start_of(bench, 0, "replacement")});
    bench.pass(Millis{5000});
    why = bench.change(*begun).error;
    CHECK(why == "cannot keep web/0 running: signal SIGKILL; rolled back to revision 1");
  }
  SECTION("it cannot be executed") {
    bench.world.refuse = [](const LaunchPlan& plan) -> std::optional<StartFailure> {
      if (plan.generation == 101) return std::nullopt;
      return StartFailure{StartStage::exec, ENOENT, "/bin/nope"};
    };
    why = bench.change(*update(bench, " ready=30000 rollback=1")).error;
    CHECK_THAT(why, ContainsSubstring("'/bin/nope': No such file or directory; rolled back to revision 1"));
  }
  CHECK(pids(bench, 3) == before);
  CHECK(all(bench).size() == 3);
  CHECK(bench.engine->history("shop").value().back().outcome == "failed: " + why);
  CHECK(bench.app("web").state == "ready");
  CHECK(bench.app("web").revision == 1);
  bench.world.gets_ready = [](const LaunchPlan&) { return true; };
  bench.world.refuse = [](const LaunchPlan&) { return std::nullopt; };
  bench.pass(Millis{600'000});  // and it stays there, also under another engine
  bench.restart_engine();
  CHECK(bench.app("web").revision == 1);
  CHECK(pids(bench, 3) == before);
  CHECK(bench.engine->plan(file("shop\nweb instances=3 gen=2" + rolling + " ready=30000 rollback=1"))
            .value()
            .size() == 1);
  const auto fixed = update(bench, " ready=30000 rollback=1");
  bench.pass(Millis{30'000});
  CHECK(bench.change(*fixed).state == "succeeded");
  CHECK(bench.world.violations.empty());
}

TEST_CASE("slots that were replaced already go back the same way", "[engine][rollout]") {
  Bench bench;
  serve(bench, " rollback=1");
  const auto begun = update(bench, " rollback=1");
  bench.pass(Millis{2500});
  REQUIRE(bench.instance("web", 0).generation == 102);
  bench.world.crash(StartId{start_of(bench, 1, "replacement")});
  bench.settle();
  CHECK(bench.app("web").update == "2 of 3 back on revision 1");
  CHECK(bench.app("web").ready == 3);
  bench.pass(Millis{10'000});
  CHECK(bench.change(*begun).state == "failed");
  CHECK(bench.instance("web", 0).generation == 101);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a way back that fails as well is not tried again", "[engine][rollout]") {
  Bench bench;
  serve(bench, " rollback=1");
  const auto begun = update(bench, " rollback=1");
  bench.pass(Millis{2500});
  bench.world.refuse = [](const LaunchPlan&) { return StartFailure{StartStage::exec, ENOENT, "/bin/nope"}; };
  bench.world.crash(StartId{start_of(bench, 1, "replacement")});
  bench.pass(Millis{60'000});
  CHECK(bench.change(*begun).state == "failed");
  CHECK_THAT(bench.change(*begun).error, ContainsSubstring("cannot roll back to revision 1"));
  CHECK(bench.app("web").ready == 3);
  const auto spawns = bench.world.spawns;
  bench.pass(Millis{600'000});
  CHECK(bench.world.spawns == spawns);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("the old one dies while its replacement starts: it is restarted, and the update goes on",
          "[engine][rollout]") {
  Bench bench;
  serve(bench, "", 2);
  const auto begun = update(bench, "", 2);
  bench.crash("web", 0);
  bench.pass(Millis{500});
  CHECK(bench.instance("web", 0).generation == 101);
  CHECK(bench.instance("web", 0).restarts == 1);
  bench.pass(Millis{10'000});
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.instance("web", 0).generation == 102);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("an engine that dies in the middle of an update is followed by one that goes on with it",
          "[engine][rollout]") {
  Bench bench;
  serve(bench);
  const auto begun = update(bench);
  const auto after = GENERATE(0, 150, 1000, 2050, 3000);
  bench.pass(Millis{after});
  const auto spawns = bench.world.spawns;
  bench.restart_engine();
  bench.pass(Millis{200});
  CHECK(bench.world.spawns == spawns);  // what is under way is found again
  bench.pass(Millis{20'000});
  CHECK(bench.problems.empty());
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(all(bench).size() == 3);
  CHECK(bench.world.spawns == 6);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a newer apply takes the place of an update; its replacements go, those of the newest stay",
          "[engine][rollout]") {
  Bench bench;
  serve(bench);
  const auto first = update(bench);
  bench.pass(Millis{500});
  const auto second = bench.apply("shop\nweb instances=3 gen=3" + rolling);
  CHECK(bench.change(*first).state == "superseded");
  bench.pass(Millis{20'000});
  CHECK(bench.change(*second).state == "succeeded");
  for (std::uint32_t i = 0; i < 3; ++i) CHECK(bench.instance("web", i).generation == 103);
  CHECK(all(bench).size() == 3);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a reload replaces what is of the present generation by the same rules", "[engine][rollout]") {
  Bench bench;
  serve(bench);
  const auto before = pids(bench, 3);
  const auto begun = bench.engine->reload({"web"}, bench.root);
  bench.settle();
  CHECK(pids(bench, 3) == before);
  CHECK(all(bench).size() == 4);
  bench.pass(Millis{10'000});
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.change(*begun).kind == "reload");
  for (std::uint32_t i = 0; i < 3; ++i) CHECK(bench.instance("web", i).pid != before[i]);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a paused update takes no further step, not even over another engine, and goes on when told",
          "[engine][rollout]") {
  Bench bench;
  serve(bench);
  const auto begun = update(bench);
  bench.pass(Millis{2000});
  CHECK(bench.app("web").update == "1 of 3 replaced");
  REQUIRE(bench.engine->pause("web", bench.root));
  CHECK_FALSE(bench.engine->pause("web", bench.root));
  bench.pass(Millis{600'000});  // the deadline does not count what was held on purpose
  CHECK(bench.app("web").update == "1 of 3 replaced, paused");
  CHECK(bench.instance("web", 2).generation == 101);
  REQUIRE(bench.engine->resume("web", bench.root));
  CHECK_FALSE(bench.engine->resume("web", bench.root));
  bench.pass(Millis{10'000});
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.instance("web", 2).generation == 102);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("an update that is aborted is taken back, also while it is paused", "[engine][rollout]") {
  Bench bench;
  serve(bench);
  const auto begun = update(bench);
  bench.pass(Millis{2500});
  CHECK(bench.instance("web", 0).generation == 102);
  if (GENERATE(false, true)) REQUIRE(bench.engine->pause("web", bench.root));
  REQUIRE(bench.engine->abort("web", bench.root));
  bench.pass(Millis{20'000});
  for (std::uint32_t slot = 0; slot < 3; ++slot) CHECK(bench.instance("web", slot).generation == 101);
  CHECK(bench.change(*begun).state == "failed");
  CHECK_THAT(bench.change(*begun).error, ContainsSubstring("aborted by root"));
  CHECK_THAT(bench.change(*begun).error, ContainsSubstring("rolled back to revision 1"));
  CHECK(bench.world.violations.empty());
}

TEST_CASE("without an update there is nothing to steer", "[engine][rollout]") {
  Bench bench;
  serve(bench);
  for (const auto& tried : {bench.engine->pause("web", bench.root), bench.engine->resume("web", bench.root),
                            bench.engine->abort("web", bench.root)}) {
    REQUIRE_FALSE(tried);
    CHECK_THAT(tried.error().text, ContainsSubstring("no update runs in web"));
  }
}

TEST_CASE("of an update that failed and stopped it is said what can be done", "[engine][rollout]") {
  Bench bench;
  serve(bench, " ready=30000");
  bench.world.gets_ready = [](const LaunchPlan& plan) { return plan.generation == 101; };
  REQUIRE(update(bench, " ready=30000"));
  bench.pass(Millis{35'000});
  REQUIRE(bench.app("web").update == "0 of 3 replaced, stopped");
  for (const auto& tried : {bench.engine->pause("web", bench.root), bench.engine->resume("web", bench.root),
                            bench.engine->abort("web", bench.root)}) {
    REQUIRE_FALSE(tried);
    CHECK_THAT(tried.error().text,
               ContainsSubstring("the update of web failed and stopped; apply the file again"));
    CHECK_THAT(tried.error().text, ContainsSubstring("'svctl rollback shop'"));
  }
}

TEST_CASE("an update that has no place, because others are not ready, is late in time, and says so",
          "[engine][rollout]") {
  Bench bench;
  const std::string rest = "\nweb instances=2 surge=0 missing=1 deadline=2000 after=db";
  REQUIRE(bench.apply("shop\ndb policy=2" + rest));
  bench.pass(Millis{1000});
  REQUIRE(bench.engine->stop({"web/0"}, bench.root));
  bench.world.crash(bench.world.living_in({{*Name::parse("shop"), *Name::parse("db")}, 0})->plan.id);
  bench.pass(Millis{1000});
  REQUIRE(bench.instance("db", 0).phase == Phase::failed);
  REQUIRE(bench.engine->start({"web/0"}, bench.root));
  bench.pass(Millis{100});
  REQUIRE(bench.instance("web", 0).phase == Phase::waiting);
  const auto begun = bench.engine->reload({"web"}, bench.root);
  bench.pass(Millis{10'000});
  CHECK(bench.change(*begun).state == "failed");
  CHECK_THAT(bench.change(*begun).error, ContainsSubstring("cannot replace web/1"));
  CHECK(bench.instance("web", 1).phase == Phase::ready);
}

TEST_CASE("an update whose slot ended, and waits for what has failed, is late in time", "[engine][rollout]") {
  Bench bench;
  const auto crash = [&](const char* app, std::uint32_t slot) {
    bench.world.crash(bench.world.living_in({{*Name::parse("shop"), *Name::parse(app)}, slot})->plan.id);
    bench.pass(Millis{0});
  };
  REQUIRE(bench.apply(
      "shop\ndb policy=2\nweb instances=2 surge=0 missing=0 delay=100000 deadline=2000 after=db"));
  bench.pass(Millis{1000});
  crash("db", 0);
  REQUIRE(bench.instance("db", 0).phase == Phase::failed);
  const auto begun = bench.engine->reload({"web"}, bench.root);
  bench.pass(Millis{100});
  bench.world.lazy = true;
  crash("web", 0);
  bench.world.lazy = false;
  for (const auto id : bench.world.unfinished()) bench.world.let_vanish(id);
  bench.pass(Millis{10'000});
  CHECK(bench.change(*begun).state == "failed");
  CHECK_FALSE(bench.engine->world().apps.all().at({*Name::parse("shop"), *Name::parse("web")}).is_rolling());
}

TEST_CASE("a replacement that was held back answers to the bounds of the newer file", "[engine][rollout]") {
  Bench bench;
  bench.world.beside = 1;
  const auto with = [](const std::string& job, const std::string& api) {
    return "shop\napi after=job gen=" + api + "\njob gen=" + job;
  };
  REQUIRE(bench.apply(with("1", "1 surge=1")));
  bench.pass(Millis{1000});
  bench.world.lazy = true;
  REQUIRE(bench.apply(with("2", "2 surge=1")));
  const auto& slot = *bench.engine->world().apps.all().begin()->second.slots.front();
  REQUIRE(slot.replacement);
  REQUIRE(slot.replacement->phase() == Phase::waiting);  // the job is being replaced, too
  REQUIRE(bench.apply("shop\napi gen=2 surge=0 missing=1"));
  CHECK(bench.world.living().size() == 2);
  CHECK_FALSE(slot.replacement);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("an app that is deleted while it is updated has no replacement any more", "[engine][rollout]") {
  Bench bench;
  serve(bench);
  bench.world.lazy = true;
  REQUIRE(update(bench));
  REQUIRE(all(bench).size() == 4);
  REQUIRE(bench.engine->remove({"web"}, bench.root));
  bench.engine->shutdown(bench.root, false);
  bench.pass(Millis{0});
  for (const auto& slot : bench.engine->world().apps.all().begin()->second.slots)
    CHECK_FALSE(slot->replacement);
}

TEST_CASE("what is asked of an app in the middle of its update becomes part of that, with one outcome",
          "[engine][rollout]") {
  Bench bench;
  serve(bench, " rollback=1");
  SECTION("a restart of one instance, also of one that was replaced already") {
    const auto begun = update(bench, " rollback=1");
    bench.pass(Millis{2500});
    const auto replaced = bench.instance("web", 0);
    REQUIRE(replaced.generation == 102);
    const auto asked = bench.engine->restart({"web/0"}, bench.root);
    CHECK(asked->change == begun->change);
    bench.pass(Millis{20'000});
    CHECK(bench.change(*begun).state == "succeeded");
    CHECK(bench.change(*begun).done == bench.change(*begun).total);
    CHECK(bench.instance("web", 0).pid != replaced.pid);
    for (std::uint32_t slot = 0; slot < 3; ++slot) CHECK(bench.instance("web", slot).generation == 102);
  }
  SECTION("a scale, which fails when the update does") {
    bench.world.gets_ready = [](const LaunchPlan& plan) { return plan.generation != 102; };
    const auto begun = update(bench, " ready=3000 rollback=1");
    bench.pass(Millis{500});
    const auto asked = bench.engine->scale("web", 4, bench.root);
    CHECK(asked->change == begun->change);
    bench.pass(Millis{30'000});
    CHECK(bench.change(*begun).state == "failed");
    CHECK_THAT(bench.change(*begun).error, ContainsSubstring("rolled back to revision 1"));
    CHECK_THAT(bench.engine->history("shop").value().back().outcome, ContainsSubstring("rolled back"));
    CHECK(all(bench).size() == 4);
  }
  SECTION("while it is held nobody is made to wait for it") {
    const auto begun = update(bench, " rollback=1");
    REQUIRE(bench.engine->pause("web", bench.root));
    const auto asked = bench.engine->scale("web", 4, bench.root);
    bench.pass(Millis{1000});
    CHECK(bench.change(*asked).state == "succeeded");
    CHECK(bench.change(*begun).state == "running");
    REQUIRE(bench.engine->resume("web", bench.root));
    bench.pass(Millis{20'000});
    CHECK(bench.change(*begun).state == "succeeded");
    CHECK(all(bench).size() == 4);
  }
  SECTION("but a stop of all of it ends it") {
    const auto begun = update(bench, " rollback=1");
    REQUIRE(bench.engine->stop({"web"}, bench.root));
    bench.pass(Millis{5000});
    CHECK(bench.change(*begun).state == "superseded");
  }
  CHECK(bench.world.violations.empty());
}
