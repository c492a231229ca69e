// SPDX-License-Identifier: Apache-2.0
// A revision is lost on the disk, and an engine takes over.
#include "engine/persist.h"
#include "engine/saved_versions.h"
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
