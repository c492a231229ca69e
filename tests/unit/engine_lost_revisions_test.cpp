// SPDX-License-Identifier: Apache-2.0
// A revision is lost on the disk, and an engine takes over.
#include "engine/saving/saved.h"
#include "engine/takeover/saved_versions.h"
#include "engine/world/world.h"
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

const Name shop = *Name::parse("shop");
const AppId web{shop, *Name::parse("web")};

// A slot at rest that was started with `revision`; `version` is the last one that changed nothing of that.
SavedSlot rested(std::uint32_t index, std::uint64_t version, std::uint64_t revision,
                 std::uint64_t generation) {
  SavedSlot slot;
  slot.index = index;
  slot.phase = Phase::completed;
  slot.start = slot.last = slot.handled = index + 1;
  slot.version = version;
  slot.revision = revision;
  slot.generation = generation;
  return slot;
}

// web as it was accepted with revision 3, which is lost; 1 and 2 are there.
void lose_third(Bench& bench, std::uint64_t generation, std::vector<SavedSlot> slots) {
  for (const std::uint64_t number : {1, 2}) {
    Revision revision;
    revision.view.ecosystem = shop;
    revision.view.number = number;
    revision.source = file("shop\nweb instances=2 gen=" + std::to_string(number));
    bench.world.revisions[{shop, number}] = revision;
  }
  SavedState state;
  state.next_start = 10;
  state.ecosystems.push_back({shop, 3, 4, {}});
  SavedApp app;
  app.id = web;
  app.generation = generation;
  app.slots = std::move(slots);
  state.apps.push_back(app);
  bench.world.saved = write_state(state);
  bench.restart_engine();
}

}  // namespace

TEST_CASE("a version that is lost is neither one to go back to, nor guessed where the start's own is there",
          "[engine]") {
  const Decoder decode = decode_simple;
  const auto first = file("shop\nweb gen=1");
  SavedVersions versions{decode};
  versions.add(shop, 1, first);
  App app;
  app.id = web;
  app.version = versions.version_of(web, 1);
  REQUIRE(app.version);
  CHECK(versions.known_version(app, 0) == nullptr);
  CHECK(versions.known_version(app, 1) == app.version);
  CHECK(versions.known_version(app, 2) == nullptr);
  app.version = SavedVersions::stand_in(app.version->spec, 2, 102);
  CHECK(versions.known_version(app, 2) == nullptr);
  CHECK(versions.known_version(app, 1) != nullptr);
  const auto own = versions.started_with(app, rested(0, 3, 1, 101));
  CHECK_FALSE(own->lost);
  CHECK(own->revision == 1);
  CHECK(versions.started_with(app, rested(0, 3, 4, 101))->lost);
  CHECK(versions.started_with(app, rested(0, 0, 0, 0)) == nullptr);
}

TEST_CASE("in place of the accepted revision an app gets one that ran of the same generation", "[engine]") {
  Bench bench;
  lose_third(bench, 102, {rested(0, 1, 1, 101), rested(1, 3, 2, 102)});
  CHECK(bench.app("web").revision == 2);
  CHECK(bench.app("web").generation == 102);
}

TEST_CASE("where no other has the accepted generation, what runs of it is not taken for another",
          "[engine]") {
  Bench bench;
  lose_third(bench, 103, {rested(0, 1, 1, 101), rested(1, 3, 3, 103)});
  CHECK(bench.app("web").revision == 1);
  CHECK(bench.instance("web", 0).generation == 101);
  CHECK(bench.instance("web", 1).generation == 103);
}

TEST_CASE("what ended long ago makes an app that cannot be read no wider", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb"));
  bench.pass(Millis{1000});
  auto former = bench.world.table.begin()->second;
  former.plan.id = StartId{700};
  former.plan.slot.slot = 3;
  former.exited = former.gone = true;
  bench.world.table[StartId{700}] = former;
  bench.world.revisions.clear();
  bench.restart_engine();
  CHECK(bench.app("web").instances == 1);
}

TEST_CASE("an instance whose time was up stays on its way out", "[engine]") {
  Bench bench;
  bench.world.lazy = true;
  REQUIRE(bench.apply("shop\nweb channel=json ready=500 delay=0"));
  bench.pass(Millis{1500});
  REQUIRE(bench.instance("web", 0).phase == Phase::stopping);
  bench.restart_engine();
  CHECK(bench.instance("web", 0).phase == Phase::stopping);
}

TEST_CASE("a way back whose revision is lost ends with what runs", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2 gen=1 surge=0 missing=1 rollback=1"));
  bench.pass(Millis{1000});
  const auto begun = bench.apply("shop\nweb instances=2 gen=2 surge=0 missing=1 rollback=1 min_ready=1000");
  bench.pass(Millis{1500});
  bench.world.lazy = true;
  REQUIRE(bench.engine->abort("web", bench.root));
  REQUIRE(bench.engine->world().apps.find(web)->is_going_back());
  bench.pass(Millis{200});
  REQUIRE(bench.change(*begun).state == "running");
  bench.world.revisions.erase({shop, 2});
  bench.restart_engine();
  CHECK_FALSE(bench.app("web").degraded.empty());
  bench.world.lazy = false;
  for (const auto id : bench.world.unfinished()) {
    bench.world.let_end(id);
    bench.world.let_vanish(id);
  }
  bench.pass(Millis{5000});
  CHECK(bench.change(*begun).state == "failed");
}

TEST_CASE("of two replacements that nobody saved the former goes in order", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb gen=1 surge=2"));
  bench.pass(Millis{1000});
  bench.world.save_fails = true;
  bench.world.lazy = true;
  REQUIRE(bench.apply("shop\nweb gen=2 surge=2 ready=60000"));
  REQUIRE(bench.world.living().size() == 2);
  auto other = bench.world.table.rbegin()->second;
  other.plan.id = StartId{700};
  other.plan.revision = 1;
  other.plan.generation = 101;
  bench.world.table[StartId{700}] = other;
  const auto former = bench.world.living().at(1);
  bench.restart_engine();
  REQUIRE(bench.engine->world().starts.contains(former));
  const auto& one = *bench.engine->world().starts.find(former);
  CHECK(one.start == former);
  CHECK(one.phase() == Phase::stopping);
  CHECK(bench.engine->world().agenda.ended.empty());
}

TEST_CASE("in an app that cannot be read nothing is half replaced", "[engine]") {
  Bench bench;
  bench.world.beside = 1;
  REQUIRE(bench.apply("shop\nweb gen=1 surge=1"));
  bench.pass(Millis{1000});
  const auto serving = bench.instance("web", 0).start;
  bench.world.gets_ready = [](const LaunchPlan&) { return false; };
  REQUIRE(bench.apply("shop\nweb gen=2 surge=1 ready=60000"));
  REQUIRE(bench.world.living().size() == 2);
  bench.world.revisions.erase({shop, 2});
  SECTION("what serves stays, its replacement goes") {
    bench.restart_engine();
    bench.pass(Millis{1000});
    CHECK(bench.instance("web", 0).start == serving);
  }
  SECTION("what is left stays") {
    const auto replacement = bench.world.living().back();
    bench.world.crash(bench.world.living().front());
    bench.restart_engine();
    bench.pass(Millis{1000});
    CHECK(bench.instance("web", 0).start == static_cast<std::uint64_t>(replacement));
  }
  CHECK(bench.world.living().size() == 1);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("a replacement of an update that had stopped goes", "[engine]") {
  Bench bench;
  bench.world.beside = 2;
  REQUIRE(bench.apply("shop\nweb gen=1 surge=1"));
  bench.pass(Millis{1000});
  bench.world.gets_ready = [](const LaunchPlan&) { return false; };
  REQUIRE(bench.apply("shop\nweb gen=2 surge=1 ready=500 deadline=600"));
  bench.pass(Millis{5000});
  REQUIRE(bench.engine->world().apps.find(web)->is_halted());
  bench.world.save_fails = true;
  REQUIRE(bench.engine->reload({"web"}, bench.root));
  bench.pass(Millis{0});
  REQUIRE(bench.world.living().size() == 2);
  bench.restart_engine();
  bench.pass(Millis{100});
  CHECK(bench.instance("web", 0).generation == 101);
  CHECK(bench.world.living().size() == 1);
  CHECK(bench.world.violations.empty());
}

TEST_CASE("an address of an app that was lost with its revision goes to who asks for it", "[engine]") {
  Bench bench;
  bench.world.save_fails = bench.world.save_revision_fails = true;
  REQUIRE(bench.apply("shop\nold instances=0 listen=80 listen=81"));
  bench.restart_engine();
  REQUIRE(bench.engine->world().apps.all().empty());
  REQUIRE(bench.world.bound.size() == 2);
  bench.world.save_fails = bench.world.save_revision_fails = false;
  REQUIRE(bench.apply("shop\nweb listen=80"));
  bench.pass(Millis{1000});
  CHECK(bench.instance("web", 0).phase == Phase::ready);
  CHECK(bench.world.bound.size() == 1);  // and what nobody asks for is held by nobody
  CHECK(bench.world.violations.empty());
}
