// SPDX-License-Identifier: Apache-2.0
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

constexpr std::uint64_t mib = 1U << 20;

// What was told since the last look: "3: 64" for start 3 and limits.memory of 64 MiB, "3: -" for none.
std::vector<std::string> told(Bench& bench) {
  std::vector<std::string> out;
  for (const auto& [id, limits] : std::exchange(bench.world.limits_told, {}))
    out.push_back(std::to_string(static_cast<std::uint64_t>(id)) + ": " +
                  (limits.memory ? std::to_string(*limits.memory / mib) : "-"));
  return out;
}

LaunchPlan launched(Bench& bench, std::uint32_t slot) {
  return bench.world.table.at(StartId{bench.instance("web", slot).start}).plan;
}

AppId web() { return {*Name::parse("shop"), *Name::parse("web")}; }

ExitStatus out_of_memory() { return {ExitStatus::Kind::signal, SIGKILL, false, Oom::limit, 64 * mib}; }

}  // namespace

TEST_CASE("a start carries the limits of its specification and those of its app", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb memory=64 app_memory=100 required=1"));
  const auto plan = launched(bench, 0);
  CHECK(plan.limits.memory == 64 * mib);
  CHECK(plan.app_limits.memory == 100 * mib);
  CHECK(plan.limits_required);
  CHECK(told(bench).empty());  // nothing has changed since
}

TEST_CASE("a changed limit is told to what runs, and no process is touched", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 memory=64\nother"));
  const auto pid = bench.instance("web", 0).pid;
  const auto begun = bench.apply("shop\nweb instances=2 memory=32 app_memory=50\nother");
  CHECK(told(bench) == std::vector<std::string>{"2: 32", "3: 32"});
  CHECK(bench.world.app_limits.at(web()).memory == 50 * mib);
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.instance("web", 0).pid == pid);
  REQUIRE(bench.apply("shop\nweb instances=2\nother"));
  CHECK(told(bench) == std::vector<std::string>{"2: -", "3: -"});
  CHECK(bench.world.spawns == 3);
  bench.crash("web", 0);
  bench.pass(Millis{1000});
  CHECK_FALSE(launched(bench, 0).limits.memory);
}

TEST_CASE("instances that are replaced anyway keep their limits until then", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb memory=64 gen=1"));
  REQUIRE(bench.apply("shop\nweb memory=32 gen=2"));
  bench.pass(Millis{1000});
  for (const auto& line : told(bench)) CHECK(line != "1: 32");
  CHECK(launched(bench, 0).limits.memory == 32 * mib);
}

TEST_CASE("an engine that died before it told a changed limit has it told by the next one", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb memory=64"));
  bench.pass(Millis{1000});
  bench.engine->set_now(bench.world.now);
  REQUIRE(bench.engine->apply(file("shop\nweb"), bench.root));
  bench.restart_engine();  // before it could reconcile
  CHECK(told(bench) == std::vector<std::string>{"1: -"});
}

TEST_CASE("a limit that cannot be enforced is named in the plan and in the app's view", "[engine]") {
  Bench bench;
  bench.world.has_memory_controller = false;
  const auto steps = bench.engine->plan(file("shop\nweb memory=64\nother"));
  const std::vector<std::string> note{"limits.memory cannot be enforced here: no controller"};
  for (const auto& step : steps.value())
    CHECK(step.notes == (step.app == web() ? note : std::vector<std::string>{}));
  REQUIRE(bench.apply("shop\nweb memory=64\nother"));
  CHECK(bench.app("web").degraded == note);
  CHECK(bench.app("other").degraded.empty());
}

TEST_CASE("required limits that cannot be enforced are an error of plan and apply, and nothing is changed",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb memory=64 required=1"));
  bench.world.has_memory_controller = false;
  const std::string text = "shop\nweb memory=32 required=1\nother memory=1";
  const std::string why = "web requires its limits, and limits.memory cannot be enforced here: no controller";
  CHECK(bench.apply(text).error().text == "cannot apply: " + why);
  CHECK(bench.engine->plan(file(text)).error().text == "cannot plan: " + why);
  CHECK(bench.engine->history("shop")->size() == 1);
  CHECK(told(bench).empty());
}

TEST_CASE("an end for want of memory is told as such everywhere, and is no success", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb memory=64 delay=200"));
  bench.world.exit(StartId{bench.instance("web", 0).start}, out_of_memory());
  bench.settle();
  const auto view = bench.instance("web", 0);
  CHECK(to_text(view.last_exit) == "killed: out of memory (limit 64MiB)");
  CHECK(view.reason == "killed: out of memory (limit 64MiB), restart in 200ms");
  CHECK(bench.app("web").reason == "web/0: killed: out of memory (limit 64MiB), restart in 200ms");
  CHECK(bench.world.records.back().text.ends_with("killed: out of memory (limit 64MiB), restart in 200ms"));
  bench.restart_engine();
  CHECK(bench.instance("web", 0).last_exit == out_of_memory());
}

TEST_CASE("use is that of the present start, and none is left when nothing runs", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb"));
  const auto view = bench.instance("web", 0);
  CHECK(bench.engine->usage(view.id, StartId{view.start}, Figures::brief).memory == mib);
  CHECK(bench.engine->usage(view.id, StartId{view.start}, Figures::all).pids == 1U);
  REQUIRE(bench.engine->stop({"web"}, bench.root));
  bench.settle();
  CHECK(bench.engine->usage(view.id, StartId{view.start}, Figures::all) == Usage{});
}
