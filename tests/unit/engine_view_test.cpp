// SPDX-License-Identifier: Apache-2.0
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

TEST_CASE("a view shows no secret, anywhere", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb secret=hush gen=1"));
  CHECK(bench.app("web").env == std::vector<std::string>{"GEN=1", "TOKEN=(secret)"});
  const auto begun = bench.apply("shop\nweb secret=hush2 gen=1");
  const auto change = bench.change(*begun);
  for (const auto& step : change.steps) CHECK(to_text(step).find("hush") == std::string::npos);
  for (const auto& record : bench.world.records) CHECK(record.text.find("hush") == std::string::npos);
  for (const auto& setting : bench.app("web").settings) CHECK(setting.find("hush") == std::string::npos);
  CHECK(bench.world.saved.find("hush") == std::string::npos);
}

TEST_CASE("an app is told by the worst that is true of it", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 delay=1000 policy=0 max=1"));
  CHECK(bench.app("web").state == "ready");
  CHECK(bench.app("web").reason.empty());
  bench.crash("web", 1);
  bench.settle();
  CHECK(bench.app("web").state == "degraded");
  CHECK(bench.app("web").reason == "web/1: signal SIGKILL, restart in 1s");
  bench.pass(Millis{1000});
  bench.crash("web", 1);
  bench.settle();
  CHECK(bench.app("web").state == "degraded");
  CHECK(bench.app("web").reason == "web/1: signal SIGKILL, after 1 restart within 5m");
  for (int i = 0; i < 2; ++i) {
    bench.crash("web", 0);
    bench.pass(Millis{1000});
  }
  CHECK(bench.app("web").state == "failed");
  REQUIRE(bench.engine->scale("web", 0, bench.root));
  bench.settle();
  CHECK(bench.app("web").state == "stopped");
  CHECK(bench.app("web").reason == "it has no instances");
}

TEST_CASE("an instance is told with its process, its place and its log", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb gen=1"));
  bench.pass(Millis{5000});
  const auto view = bench.instance("web", 0);
  CHECK(view.id.str() == "shop:web/0");
  CHECK(view.pid == 1000);
  CHECK(view.started.micros == bench.world.now.wall.micros - 5'000'000);
  CHECK(view.cgroup == "/cgroup/shop:web/0." + std::to_string(view.start));
  CHECK(view.directory == "/srv/releases/" + std::to_string(view.start));
  CHECK(view.log == "/log/shop:web/0");
  CHECK(view.generation == 101);
  CHECK(bench.app("web").log == "file");
  CHECK_FALSE(bench.engine->instance({{*Name::parse("shop"), *Name::parse("web")}, 1}));
  CHECK_FALSE(bench.engine->change(ChangeId{999'999}));
}
