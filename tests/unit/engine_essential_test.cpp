// SPDX-License-Identifier: Apache-2.0
// The end of a daemon that belongs to its apps: `svd FILE`.
#include <cerrno>

#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

constexpr auto never = " policy=2", on_failure = " policy=1";

struct Container : Bench {
  Container() { engine->end_with_apps(); }
  void end(const std::string& app, std::uint32_t slot, int code) {
    world.end(StartId{instance(app, slot).start}, code);
    settle();
  }
  [[nodiscard]] bool ended_with(int code) const {
    return engine->finished() && engine->exit_code() == code && world.living().empty();
  }
};

}  // namespace

TEST_CASE(
    "an essential app that has failed for good ends svd with its exit code, after the others stopped in "
    "order",
    "[engine][essential]") {
  Container svd;
  svd.world.lazy = true;
  REQUIRE(svd.apply(std::string{"shop\nweb essential=1"} + never + "\nother"));
  svd.end("web", 0, 7);
  const auto other = svd.instance("other", 0);
  CHECK(other.phase == Phase::ready);  // what web left has not gone yet
  svd.world.let_vanish(StartId{svd.instance("web", 0).start});
  svd.settle();
  CHECK(svd.instance("other", 0).phase == Phase::stopping);
  CHECK(svd.world.table.at(StartId{other.start}).signals == std::vector<int>{SIGTERM});
  CHECK_FALSE(svd.engine->finished());
  svd.world.let_end(StartId{other.start});
  svd.settle();
  svd.world.let_vanish(StartId{other.start});
  svd.settle();
  CHECK(svd.ended_with(7));
  CHECK(std::ranges::any_of(svd.world.records, [](const auto& record) {
    return record.text == "web/0 has failed: exit code 7; svd ends with 7";
  }));
}

TEST_CASE("a failure that is not final ends nothing", "[engine][essential]") {
  Container svd;
  REQUIRE(svd.apply("shop\nweb essential=1 delay=1000 max=2 window=600000"));
  for (int i = 0; i < 2; ++i) {
    svd.end("web", 0, 3);
    CHECK(svd.instance("web", 0).phase == Phase::backoff);
    svd.pass(Millis{10'000});
    CHECK(svd.instance("web", 0).phase == Phase::ready);
  }
  svd.end("web", 0, 3);
  CHECK(svd.ended_with(3));
}

TEST_CASE(
    "an app has failed when none of its instances is left to serve, with the code of the first that failed",
    "[engine][essential]") {
  Container svd;
  REQUIRE(svd.apply(std::string{"shop\nweb essential=1 instances=3"} + never));
  svd.end("web", 2, 9);
  svd.pass(Millis{10});
  svd.end("web", 0, 8);
  svd.pass(Millis{10});
  CHECK_FALSE(svd.engine->finished());
  svd.end("web", 1, 0);
  CHECK(svd.ended_with(9));
}

TEST_CASE("svd ends with 0 when the last essential app has completed, and stops the rest",
          "[engine][essential]") {
  Container svd;
  REQUIRE(svd.apply(std::string{"shop\nfirst essential=1"} + on_failure + "\nsecond essential=1" +
                    on_failure + "\nrest"));
  svd.end("first", 0, 0);
  CHECK(svd.instance("rest", 0).phase == Phase::ready);
  svd.end("second", 0, 0);
  CHECK(svd.ended_with(0));
}

TEST_CASE("without an essential app svd ends when all have ended, with the code of the first that failed",
          "[engine][essential]") {
  Container svd;
  REQUIRE(svd.apply(std::string{"shop\njob"} + never + "\nother" + never + "\nlast" + never));
  svd.end("job", 0, 0);
  svd.pass(Millis{1});
  svd.end("other", 0, 5);
  svd.pass(Millis{1});
  CHECK_FALSE(svd.engine->finished());
  svd.end("last", 0, 6);
  CHECK(svd.ended_with(5));
}

TEST_CASE("what a person stopped or scaled to none can come back, so svd stays for it",
          "[engine][essential]") {
  Container svd;
  REQUIRE(svd.apply(std::string{"shop\nweb essential=1\njob essential=1"} + never));
  SECTION("stopped") { REQUIRE(svd.engine->stop({"web"}, svd.root)); }
  SECTION("one of its instances") {
    REQUIRE(svd.engine->scale("web", 2, svd.root));
    svd.settle();
    REQUIRE(svd.engine->stop({"web/1"}, svd.root));
  }
  svd.settle();
  svd.end("job", 0, 0);
  CHECK_FALSE(svd.engine->finished());
  CHECK(svd.world.violations.empty());
}

TEST_CASE("an app without instances neither holds svd nor ends it", "[engine][essential]") {
  Container svd;
  REQUIRE(svd.apply(std::string{"shop\nweb instances=0 essential=1"}));
  CHECK_FALSE(svd.engine->finished());
  REQUIRE(svd.apply(std::string{"shop\nweb instances=0 essential=1\njob essential=1"} + never));
  svd.end("job", 0, 0);
  CHECK(svd.ended_with(0));
}

TEST_CASE("a program that cannot be executed ends svd as a shell would", "[engine][essential]") {
  const auto [stage, err, code] = GENERATE(table<StartStage, int, int>({{StartStage::exec, ENOENT, 127},
                                                                        {StartStage::exec, EACCES, 126},
                                                                        {StartStage::directory, ENOENT, 1}}));
  Container svd;
  svd.world.refuse = [stage = stage, err = err](const LaunchPlan&) {
    return std::optional{StartFailure{stage, err, "x"}};
  };
  REQUIRE(svd.apply(std::string{"shop\nweb essential=1"} + never));
  CHECK(svd.ended_with(code));
}

TEST_CASE("an end by signal n is 128 + n, and too many clean ends are a failure", "[engine][essential]") {
  Container svd;
  SECTION("a signal") {
    REQUIRE(svd.apply(std::string{"shop\nweb essential=1"} + never));
    svd.crash("web", 0);
    svd.settle();
    CHECK(svd.ended_with(137));
  }
  SECTION("clean ends") {
    REQUIRE(svd.apply("shop\nweb essential=1 max=0"));
    svd.end("web", 0, 0);
    CHECK(svd.ended_with(1));
  }
}

TEST_CASE("an engine that dies on the way to the end comes to the same end", "[engine][essential]") {
  Container svd;
  svd.world.lazy = true;
  REQUIRE(svd.apply(std::string{"shop\nweb essential=1"} + never + "\nother"));
  svd.end("web", 0, 7);
  svd.world.let_vanish(StartId{svd.instance("web", 0).start});
  svd.settle();
  svd.pass(Millis{1000});  // on record
  svd.engine.reset();
  svd.world.engine_died();
  svd.world.strict_changes = false;
  svd.engine = std::make_unique<Engine>(ports_of(svd.world), 2);
  svd.engine->restore(svd.world.restored(), svd.world.now);
  svd.engine->end_with_apps();
  const auto spawns = svd.world.spawns;
  svd.world.lazy = false;
  svd.settle();
  svd.pass(Millis{60'000});
  CHECK(svd.ended_with(7));
  CHECK(svd.world.spawns == spawns);
  CHECK(svd.world.violations.empty());
}

TEST_CASE("a daemon that was told to stop ends with 0, and one that belongs to nobody with none of its apps",
          "[engine][essential]") {
  Container svd;
  REQUIRE(svd.apply("shop\nweb essential=1"));
  svd.engine->shutdown(svd.root, false);
  svd.settle();
  CHECK(svd.ended_with(0));

  Bench daemon;
  REQUIRE(daemon.apply(std::string{"shop\nweb essential=1"} + never));
  daemon.crash("web", 0);
  daemon.settle();
  CHECK_FALSE(daemon.engine->finished());
}
