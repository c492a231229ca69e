// SPDX-License-Identifier: Apache-2.0
#include "engine/world/world.h"
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

SlotId slot(const char* app, std::uint32_t index) {
  return {{*Name::parse("shop"), *Name::parse(app)}, index};
}

// The machine was off: the keeper is a new one, too.
void come_back(Bench& bench) {
  bench.world.reboot();
  bench.restart_engine();
}

}  // namespace

TEST_CASE("a new engine touches nothing of what runs and is wanted", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 gen=1\njob policy=1"));
  bench.world.end(StartId{bench.instance("job", 0).start}, 0);
  bench.pass(Millis{1000});
  const auto before = bench.engine->instances({}).value();
  bench.restart_engine();
  bench.pass(Millis{5000});
  const auto after = bench.engine->instances({}).value();
  CHECK(bench.problems.empty());
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    CHECK(after[i].pid == before[i].pid);
    CHECK(after[i].phase == before[i].phase);
    CHECK(after[i].started == before[i].started);
  }
  CHECK(bench.world.spawns == 4);
  CHECK(bench.world.signals == 0);
  CHECK_FALSE(bench.wake);
}

TEST_CASE("an exit that came while there was no engine counts once", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb delay=0"));
  bench.pass(Millis{1000});
  const auto first = StartId{bench.instance("web", 0).start};
  bench.engine.reset();
  bench.world.end(first, 5);
  bench.restart_engine();
  CHECK(bench.instance("web", 0).restarts == 1);
  CHECK(bench.instance("web", 0).last_exit.number == 5);
  bench.restart_engine();  // before anything was saved again: the same exit is still kept, and is not another
                           // one
  bench.pass(Millis{1000});
  bench.restart_engine();
  CHECK(bench.instance("web", 0).restarts == 1);
  CHECK(bench.world.spawns == 2);
  CHECK_FALSE(bench.world.table.contains(first));  // on record, so forgotten
  CHECK(bench.world.violations.empty());
}

TEST_CASE("coming back after a shutdown everything is as it was, also what the user had stopped",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2\nredis\njob policy=1\nbad policy=2"));
  REQUIRE(bench.engine->stop({"redis"}, bench.root));
  REQUIRE(bench.engine->scale("web", 3, bench.root));
  bench.world.end(StartId{bench.instance("job", 0).start}, 0);
  bench.world.end(StartId{bench.instance("bad", 0).start}, 9);
  bench.settle();
  bench.engine->shutdown(bench.root, false);
  bench.settle();
  REQUIRE(bench.engine->finished());
  come_back(bench);
  CHECK(bench.app("web").ready == 3);
  CHECK(bench.app("redis").state == "stopped");
  CHECK(bench.instance("redis", 0).reason == "stopped by root");
  CHECK(bench.app("job").state == "completed");
  CHECK(bench.app("bad").state == "failed");
  CHECK(bench.instance("bad", 0).reason == "exit code 9");
  CHECK(bench.instance("web", 0).restarts == 0);
}

TEST_CASE("what ran when the machine went down runs again, and that is no restart", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb max=0\njob policy=2"));
  bench.pass(Millis{1000});
  come_back(bench);
  CHECK(bench.app("web").state == "ready");
  CHECK(bench.app("job").state == "ready");
  CHECK(bench.instance("web", 0).restarts == 0);
}

TEST_CASE("a back-off goes on where it was", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb delay=30000 max=2"));
  bench.crash("web", 0);
  bench.pass(Millis{10'000});
  bench.restart_engine();
  CHECK(bench.instance("web", 0).reason == "signal SIGKILL, restart in 30s");
  bench.pass(Millis{19'999});
  CHECK(bench.instance("web", 0).phase == Phase::backoff);
  bench.pass(Millis{1});
  CHECK(bench.instance("web", 0).phase == Phase::ready);
}

TEST_CASE("the window of restarts outlives the engine", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb delay=0 max=2"));
  for (const auto want : {Phase::ready, Phase::ready, Phase::failed}) {
    bench.crash("web", 0);
    bench.pass(Millis{200});
    CHECK(bench.instance("web", 0).phase == want);
    bench.restart_engine();
    CHECK(bench.instance("web", 0).phase == want);
  }
}

TEST_CASE("another build that hashes the same file differently restarts nothing", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 gen=1"));
  bench.pass(Millis{1000});
  bench.engine.reset();
  bench.world.engine_died();
  auto ports = ports_of(bench.world);
  ports.decode = [](Source& source) {
    auto decoded = decode_simple(source);
    if (decoded)
      for (auto& [name, app] : decoded->apps) app.generation += 5'000'000;
    return decoded;
  };
  bench.engine = std::make_unique<Engine>(ports, 1);
  CHECK(bench.engine->restore(bench.world.restored(), bench.world.now).empty());
  bench.pass(Millis{5000});
  CHECK(bench.world.spawns == 2);
  CHECK(bench.engine->plan(file("shop\nweb instances=2 gen=1")).value().empty());
  CHECK(bench.app("web").state == "ready");
}

TEST_CASE("a state that cannot be read costs nothing that runs", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2"));
  bench.pass(Millis{1000});
  bench.world.saved = GENERATE(std::string{"garbage"}, std::string{"svd-runtime 9\n"}, std::string{});
  const auto start = bench.instance("web", 1).start;
  bench.restart_engine();
  bench.pass(Millis{5000});
  CHECK(bench.problems.size() == 1);
  CHECK(bench.world.spawns == 2);
  CHECK(bench.world.signals == 0);
  CHECK(bench.app("web").ready == 2);
  REQUIRE(bench.engine->scale("web", 3, bench.root));
  bench.settle();
  CHECK(bench.instance("web", 2).start > start);  // no number is used twice
}

TEST_CASE("a revision that cannot be read keeps what runs, starts nothing, and says so", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 delay=0"));
  bench.pass(Millis{1000});
  SECTION("damaged") { bench.world.revisions.begin()->second.source.text = "shop\nweb nonsense=1"; }
  SECTION("missing") { bench.world.revisions.clear(); }
  bench.restart_engine();
  REQUIRE(bench.problems.size() == 1);
  CHECK_THAT(bench.problems.front(), ContainsSubstring("cannot read revision 1 of shop"));
  CHECK(bench.app("web").ready == 2);
  CHECK(bench.app("web").state == "degraded");
  CHECK(bench.app("web").degraded.size() == 1);
  bench.crash("web", 0);
  bench.pass(Millis{60'000});
  CHECK(bench.app("web").ready == 1);
  const auto begun = bench.apply("shop\nweb instances=2 delay=0");  // and an apply mends it
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.app("web").ready == 2);
  CHECK(bench.app("web").state == "ready");
}

TEST_CASE("what runs and belongs to nothing is stopped, and reported", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb"));
  bench.pass(Millis{1000});
  auto stranger = bench.world.table.begin()->second;
  stranger.plan.slot = slot("ghost", 0);
  stranger.plan.id = StartId{700};
  bench.world.table[StartId{700}] = stranger;
  bench.restart_engine();
  bench.pass(Millis{1000});
  REQUIRE(bench.problems.size() == 1);
  CHECK_THAT(bench.problems.front(), ContainsSubstring("shop:ghost/0 runs (start 700)"));
  CHECK(bench.world.living().size() == 1);
  CHECK(bench.app("ghost").state.empty());
  CHECK(bench.app("web").state == "ready");
}

TEST_CASE("of two processes in one slot the newer is kept", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb"));
  bench.pass(Millis{1000});
  auto twin = bench.world.table.begin()->second;
  twin.plan.id = StartId{700};
  twin.pid = 4242;
  bench.world.table[StartId{700}] = twin;
  bench.restart_engine();
  bench.pass(Millis{1000});
  REQUIRE(bench.problems.size() == 1);
  CHECK_THAT(bench.problems.front(), ContainsSubstring("runs twice"));
  CHECK(bench.instance("web", 0).pid == 4242);
  CHECK(bench.world.living() == std::vector<StartId>{StartId{700}});
  CHECK(bench.world.table.size() == 1);
}

TEST_CASE("of two processes in one slot the newer is kept for what it is", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb gen=1"));
  bench.pass(Millis{1000});
  REQUIRE(bench.apply("shop\nweb gen=2"));
  bench.pass(Millis{5000});
  auto twin = bench.world.table.rbegin()->second;
  twin.plan.id = StartId{700};
  twin.plan.revision = 1;
  twin.plan.generation = 101;
  bench.world.table[StartId{700}] = twin;
  bench.world.lazy = true;
  bench.restart_engine();
  CHECK(bench.instance("web", 0).generation == 101);
  CHECK(bench.app("web").state == "updating");
}

TEST_CASE("a change goes on under a new engine, with its number, and its revision learns how it ended",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 gen=1"));
  bench.world.lazy = true;
  const auto begun = bench.apply("shop\nweb instances=2 gen=2");
  bench.restart_engine();
  CHECK(bench.change(*begun).state == "running");
  bench.world.lazy = false;
  for (int i = 0; i < 4; ++i) {
    for (const auto& [id, child] : std::map{bench.world.table}) {
      bench.world.let_end(id);
      bench.world.let_vanish(id);
    }
    bench.pass(Millis{1000});
  }
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.engine->history("shop").value().back().outcome == "succeeded");
  CHECK(bench.instance("web", 1).generation == 102);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a wish is on record before anything is done about it", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb"));
  bench.pass(Millis{1000});
  bench.world.on_call = [&, calls = 0]() mutable {
    if (++calls == 2) throw EngineKilled{};  // the first call saves, the second would send the signal
  };
  REQUIRE(bench.engine->stop({"web"}, bench.root));
  CHECK_THROWS_AS(bench.engine->reconcile(bench.world.now), EngineKilled);
  bench.world.on_call = [] {};
  bench.restart_engine();
  CHECK(bench.app("web").state == "stopped");
  CHECK(bench.world.living().empty());
}

TEST_CASE("a full disk stops nothing; when there is room again, all is saved and forgotten", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb delay=0 max=1000000"));
  bench.pass(Millis{1000});
  bench.world.save_fails = bench.world.save_revision_fails = true;
  REQUIRE(bench.apply("shop\nweb delay=0 max=1000000\nredis"));
  for (int i = 0; i < 20; ++i) {
    bench.crash("web", 0);
    bench.pass(Millis{100});
  }
  CHECK(bench.app("redis").state == "ready");
  CHECK(bench.instance("web", 0).restarts == 20);
  CHECK(bench.world.table.size() == 22);  // no exit is forgotten that is not on record
  bench.world.save_fails = bench.world.save_revision_fails = false;
  bench.pass(Millis{10'000});
  CHECK(bench.world.table.size() == 2);
  CHECK(bench.world.revisions.size() == 2);
  CHECK_FALSE(bench.wake);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("nothing that happens means nothing to save and no wake-up", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3"));
  bench.pass(Millis{500});
  const auto saves = bench.world.saves;
  CHECK_FALSE(bench.wake);
  bench.pass(Millis{3'600'000});
  CHECK(bench.world.saves == saves);
}

TEST_CASE("a revision that was never saved is gone, but its number is not used again", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb gen=1"));
  bench.pass(Millis{1000});
  bench.world.save_fails = bench.world.save_revision_fails = true;
  REQUIRE(bench.apply("shop\nweb gen=2").value().revision == 2);
  CHECK(bench.instance("web", 0).generation == 102);
  bench.world.save_fails = bench.world.save_revision_fails = false;
  bench.restart_engine();
  bench.pass(Millis{20'000});
  CHECK(bench.instance("web", 0).generation == 101);  // it was seen that the other one is not what is wanted
  CHECK(bench.app("web").state == "ready");
  CHECK(bench.apply("shop\nweb gen=3").value().revision == 3);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("what was started after the last save is told from its replacement by its own version",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb gen=1"));
  bench.pass(Millis{1000});
  bench.world.save_fails = true;
  REQUIRE(bench.apply("shop\nweb gen=2"));
  const auto serving = bench.instance("web", 0).start;
  bench.world.gets_ready = [](const LaunchPlan&) { return false; };
  REQUIRE(bench.apply("shop\nweb gen=1 surge=1 ready=60000"));
  REQUIRE(bench.world.living().size() == 2);
  bench.restart_engine();
  CHECK(bench.problems.empty());
  CHECK(bench.world.living().size() == 2);
  CHECK(bench.instance("web", 0).start == serving);
  CHECK(bench.instance("web", 0).generation == 102);
}

TEST_CASE("when every revision is lost, none is taken for the one that was stable", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb gen=1"));
  bench.pass(Millis{1000});
  bench.world.lazy = true;
  REQUIRE(bench.apply("shop\nweb gen=2"));
  bench.world.revisions.clear();
  bench.restart_engine();
  const auto& web = bench.engine->world().apps.all().at({*Name::parse("shop"), *Name::parse("web")});
  CHECK(web.version->spec.generation == 102);
  CHECK_FALSE(web.stable);
}

TEST_CASE("a restart that a person asked for counts as none, also when the engine dies meanwhile",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 surge=0 missing=1"));
  bench.pass(Millis{1000});
  REQUIRE(bench.engine->reload({"web"}, bench.root));
  bench.settle();
  REQUIRE(bench.world.spawns == 6);
  bench.restart_engine();
  bench.pass(Millis{1000});
  CHECK(bench.world.spawns == 6);
  for (std::uint32_t slot = 0; slot < 3; ++slot) CHECK(bench.instance("web", slot).restarts == 0);
  for (const auto& record : bench.world.records)
    CHECK_THAT(record.text, !ContainsSubstring("signal SIGTERM"));
}
