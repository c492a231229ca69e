// SPDX-License-Identifier: Apache-2.0
// The runtime state is lost on the disk, alone or with revisions, and an engine takes over what runs.
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

const Name shop = *Name::parse("shop");

// web as revision 2 has it, in place of revision 1.
void run_second(Bench& bench) {
  REQUIRE(bench.apply("shop\nweb instances=3 gen=1"));
  bench.pass(Millis{60'000});
  REQUIRE(bench.apply("shop\nweb instances=3 gen=2"));
  bench.pass(Millis{60'000});
  for (std::uint32_t i = 0; i < 3; ++i) REQUIRE(bench.instance("web", i).revision == 2);
}

void check_untouched(Bench& bench) {
  const auto before = bench.engine->instances({}).value();
  const auto spawns = bench.world.spawns;
  const auto signals = bench.world.signals;
  bench.restart_engine();
  bench.pass(Millis{60'000});
  const auto after = bench.engine->instances({}).value();
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    CHECK(after[i].pid == before[i].pid);
    CHECK(after[i].phase == Phase::ready);
  }
  CHECK(bench.world.spawns == spawns);
  CHECK(bench.world.signals == signals);
}

bool is_told(const Bench& bench, const std::string& text) {
  const auto has = [&](const auto& line) { return line.find(text) != std::string::npos; };
  return std::ranges::any_of(bench.problems, has) &&
         std::ranges::any_of(bench.engine->events(0, 0), has, &EventRecord::text);
}

}  // namespace

TEST_CASE("what runs is kept when all that was saved is lost, until its file is applied again", "[engine]") {
  Bench bench;
  run_second(bench);
  bench.world.saved.clear();
  bench.world.revisions.clear();
  check_untouched(bench);
  CHECK(is_told(bench, "cannot read revision 2 of shop: it is missing or damaged"));
  CHECK(is_told(bench, "there is no runtime state"));
  const auto pid = bench.instance("web", 0).pid;
  const auto steps = bench.engine->plan(file("shop\nweb instances=3 gen=2")).value();
  REQUIRE(steps.size() == 1);
  CHECK(steps.front().why == std::vector<std::string>{"what it was started with cannot be read any more"});
  REQUIRE(bench.apply("shop\nweb instances=3 gen=2"));
  bench.pass(Millis{60'000});
  CHECK(bench.instance("web", 0).pid == pid);  // it is what the file says
  bench.crash("web", 1);
  bench.pass(Millis{60'000});
  CHECK(bench.instance("web", 1).phase == Phase::ready);
}

TEST_CASE("an older revision that is still there does not replace what runs of a lost newer one",
          "[engine]") {
  Bench bench;
  run_second(bench);
  bench.world.saved.clear();
  bench.world.revisions.erase({shop, 2});
  check_untouched(bench);
  const auto history = bench.engine->history("shop").value();
  REQUIRE(history.size() == 1);
  CHECK_FALSE(history.front().current);
}

TEST_CASE("a lost runtime state alone is told, and the revisions say what runs", "[engine]") {
  Bench bench;
  run_second(bench);
  bench.world.saved.clear();
  check_untouched(bench);
  CHECK(is_told(bench, "stopped, scaled or deleted by hand is forgotten"));
  CHECK(bench.app("web").revision == 2);
}

TEST_CASE("what an update has stopped is not what it fails of, when the engine dies before that is saved",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=3 gen=1"));
  bench.pass(Millis{60'000});
  REQUIRE(bench.apply("shop\nweb instances=3 gen=2"));
  bench.pass(Millis{GENERATE(0, 1, 20, 60, 90, 150)});
  const auto before = bench.engine->instances({}).value();
  const bool is_done = std::ranges::all_of(before, [](const auto& one) { return one.revision == 2; });
  const auto spawns = bench.world.spawns;
  bench.restart_engine();
  bench.pass(Millis{60'000});
  CHECK(bench.app("web").revision == 2);
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto now = bench.instance("web", i);
    CHECK(now.revision == 2);
    CHECK(now.restarts == 0);
    if (is_done) CHECK(now.pid == before[i].pid);
  }
  if (is_done) CHECK(bench.world.spawns == spawns);
  for (const auto& record : bench.engine->events(0, 0))
    CHECK(record.text.find("the update failed") == std::string::npos);
}

TEST_CASE("how the engine before it ended, and what was found damaged, are events", "[engine]") {
  Bench bench;
  run_second(bench);
  bench.engine.reset();
  bench.world.engine_died();
  bench.engine = std::make_unique<Engine>(ports_of(bench.world), 2);
  auto from = bench.world.restored();
  ExitStatus killed;
  killed.kind = ExitStatus::Kind::signal;
  killed.number = 11;
  from.former = killed;
  from.problems = {"cannot use revision 1 of shop: it is empty"};
  bench.problems = bench.engine->restore(std::move(from), bench.world.now);
  CHECK(is_told(bench, "cannot use revision 1 of shop"));
  const auto events = bench.engine->events(0, 0);
  CHECK(std::ranges::any_of(events, [](const EventRecord& record) {
    return record.text == "the engine before this one ended: signal SIGSEGV; took over 3 instances that run";
  }));
  bench.engine->happened("keeper", "it had died", bench.world.now);
  CHECK(bench.engine->events(0, 0).back().subject == "keeper");
}
