// SPDX-License-Identifier: Apache-2.0
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

const StartFailure no_file{StartStage::exec, ENOENT, "/bin/nope"};

}  // namespace

TEST_CASE("a change with a failed start fails, and names every slot with its reason", "[engine]") {
  Bench bench;
  bench.world.refuse = [](const LaunchPlan& plan) -> std::optional<StartFailure> {
    if (plan.slot.app.app.str() == "web" || plan.slot.slot == 1) return no_file;
    return std::nullopt;
  };
  const auto begun = bench.apply("shop\nweb delay=5000\napi instances=3 delay=5000\nredis");
  const auto change = bench.change(*begun);
  CHECK(change.state == "failed");
  CHECK(change.error ==
        "cannot start api/1: executing the program '/bin/nope': No such file or directory; "
        "cannot start web/0: executing the program '/bin/nope': No such file or directory");
  CHECK(change.failed.size() == 2);
  CHECK(change.done == 3);
  CHECK(change.total == 5);
  CHECK(bench.app("redis").state == "ready");  // other apps are unaffected
  CHECK(bench.instance("web", 0).phase == Phase::backoff);
  CHECK(bench.instance("web", 0).reason ==
        "cannot start: executing the program '/bin/nope': No such file or directory, restart in 5s");
}

TEST_CASE("a change ends only when every other slot has settled", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb\nslow gen=1"));
  bench.world.lazy = true;
  bench.world.refuse = [](const LaunchPlan& plan) -> std::optional<StartFailure> {
    if (plan.slot.app.app.str() == "bad") return no_file;
    return std::nullopt;
  };
  const auto begun = bench.apply("shop\nweb\nslow gen=2\nbad delay=60000");
  CHECK(bench.change(*begun).state == "running");
  CHECK(bench.change(*begun).failed.size() == 1);  // what is known already is told
  const auto id = StartId{bench.instance("slow", 0).start};
  bench.world.let_end(id);
  bench.settle();
  bench.world.let_vanish(id);
  bench.settle();
  CHECK(bench.change(*begun).state == "failed");
  CHECK(bench.change(*begun).done == 1);
}

TEST_CASE("a process that ends before its change does fails the change, even if it comes back", "[engine]") {
  Bench bench;
  bench.world.on_spawned = [&](const SlotId&) {};
  bench.engine->set_now(bench.world.now);
  const auto begun = bench.engine->apply(file("shop\nweb instances=2 delay=0"), bench.root);
  bench.engine->reconcile(bench.world.now);
  bench.engine->dispatch(bench.world.take_event(), bench.world.now);  // web/0 runs; web/1 is still starting
  bench.world.events.push_front(Exited{StartId{1}, {}});
  bench.world.events.clear();
  bench.world.end(StartId{1}, 3);
  bench.engine->dispatch(bench.world.take_event(), bench.world.now);
  bench.world.events.push_back(Spawned{StartId{2}, 1001});
  bench.settle();
  CHECK(bench.change(*begun).state == "failed");
  CHECK(bench.change(*begun).error == "cannot keep web/0 running: exit code 3");
  CHECK(bench.instance("web", 0).phase == Phase::ready);
  CHECK(bench.instance("web", 0).restarts == 1);
}

TEST_CASE("a one-shot that ends cleanly completes, and its change succeeds", "[engine]") {
  Bench bench;
  const auto begun = bench.apply("shop\njob policy=1");
  bench.world.end(StartId{bench.instance("job", 0).start}, 0);
  bench.settle();
  CHECK(bench.change(*begun).state == "succeeded");
  CHECK(bench.app("job").state == "completed");
  bench.pass(Millis{60'000});
  CHECK(bench.world.spawns == 1);
}

TEST_CASE("a newer change of the same app takes over; of another app it does not", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb gen=1\nredis gen=1"));
  bench.world.lazy = true;
  const auto both = bench.apply("shop\nweb gen=2\nredis gen=2");
  const auto stop = bench.engine->stop({"web"}, bench.root);
  bench.settle();
  CHECK(bench.change(*both).state == "running");  // redis is still its own
  const auto again = bench.engine->stop({"redis"}, bench.root);
  bench.settle();
  CHECK(bench.change(*both).state == "superseded");
  CHECK(bench.change(*both).error.empty());
  CHECK(bench.engine->history("shop").value().back().outcome == "superseded");
  for (const auto id : bench.world.living()) bench.world.let_end(id);
  bench.settle();
  for (const auto& [id, child] : std::map{bench.world.table}) bench.world.let_vanish(id);
  bench.settle();
  CHECK(bench.change(*stop).state == "succeeded");
  CHECK(bench.change(*again).state == "succeeded");
}

TEST_CASE("the same file again, while it is being applied, names the change that is to be waited for",
          "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb gen=1"));
  bench.world.lazy = true;
  const auto first = bench.apply("shop\nweb gen=2");
  const auto second = bench.apply("shop\nweb gen=2");
  CHECK(second->change == first->change);
  CHECK(second->revision == first->revision);
}

TEST_CASE("finished changes are kept for a while, and not for ever", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb"));
  for (std::uint32_t i = 0; i < 300; ++i) {
    REQUIRE(bench.engine->scale("web", 2 + i % 2, bench.root));
    bench.settle();
  }
  CHECK(bench.engine->changes().size() == 256);
}

TEST_CASE("every failure, start and end is one event, in the words of the views", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb delay=200 policy=0 max=1"));
  const auto after = bench.engine->events(0, 0).back().sequence;
  bench.crash("web", 0);
  bench.pass(Millis{200});
  bench.crash("web", 0);
  bench.settle();
  std::vector<std::string> told;
  const auto records = bench.engine->events(after, 0);
  for (const auto& record : records) {
    CHECK(record.subject == "shop:web/0");
    told.push_back(record.text);
  }
  CHECK(told == std::vector<std::string>{"ready → stopping: signal SIGKILL",
                                         "stopping → backoff: signal SIGKILL, restart in 200ms",
                                         "backoff → starting: restart 1 after signal SIGKILL",
                                         "starting → ready: pid 1001", "ready → stopping: signal SIGKILL",
                                         "stopping → failed: signal SIGKILL, after 1 restart within 5m"});
  CHECK(bench.instance("web", 0).reason == "signal SIGKILL, after 1 restart within 5m");
  CHECK(bench.engine->events(0, 3).size() == 3);
}

TEST_CASE("the last thousand events are kept", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb delay=0 max=1000000000"));
  for (int i = 0; i < 500; ++i) {
    bench.crash("web", 0);
    bench.settle();
  }
  const auto records = bench.engine->events(0, 0);
  CHECK(records.size() == 1000);
  for (std::size_t i = 1; i < records.size(); ++i) CHECK(records[i].sequence == records[i - 1].sequence + 1);
}

TEST_CASE("without a delay an instance is restarted in the same reconcile as it is gone", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb delay=0"));
  bench.crash("web", 0);
  while (!bench.world.events.empty()) bench.engine->dispatch(bench.world.take_event(), bench.world.now);
  bench.engine->reconcile(bench.world.now);  // the strays are killed
  while (!bench.world.events.empty()) bench.engine->dispatch(bench.world.take_event(), bench.world.now);
  bench.engine->reconcile(bench.world.now);
  CHECK(bench.world.spawns == 2);
}
