// SPDX-License-Identifier: Apache-2.0
// The state on the disk, and in memory what the disk does not take. Nothing can be
// written in a directory that was removed.
#include "kernel/state_both.h"

#include <filesystem>

#include "state_support.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

const auto shop = Name::parse("shop").value();

Revision revision(std::uint64_t number, const std::string& text) {
  Revision made;
  made.view.ecosystem = shop;
  made.view.number = number;
  made.source.text = text;
  return made;
}

}  // namespace

TEST_CASE("what the disk does not take, the next engine has all the same, and the disk gets it when it can",
          "[state]") {
  const StateDirectory directory;
  const auto open = [&] { return StateStore::open(directory.path()).value(); };
  FakeHolder keeper;
  {
    StateBoth state{open(), keeper};
    REQUIRE((state.save("first") && state.save_revision(revision(1, "one"))));
    CHECK(keeper.all.empty());
  }
  {
    StateBoth state{open(), keeper};
    std::filesystem::copy(directory.path(), directory.path() + ".away",
                          std::filesystem::copy_options::recursive);
    std::filesystem::remove_all(directory.path());
    CHECK_FALSE(state.save("second"));
    CHECK_FALSE(state.save_revision(revision(2, "two")));
    CHECK(state.degraded());
    CHECK(state.load_revision(shop, 2).value().source.text == "two");
    const auto by_the_disk = state.degraded();
    keeper.full = true;
    CHECK_FALSE(state.save("third, which nobody takes"));
    CHECK(state.degraded() ==
          *by_the_disk + "; the state is not kept, should the engine die: cannot hold 'state': it is full");
    keeper.full = false;
  }
  std::filesystem::rename(directory.path() + ".away", directory.path());
  {
    StateBoth state{open(), keeper};
    const auto loaded = state.load_all();
    CHECK(loaded.runtime == "second");
    REQUIRE(loaded.revisions.size() == 2);
    CHECK(loaded.revisions.back().source.text == "two");
    REQUIRE(state.save("third"));
    CHECK_FALSE(state.degraded());
  }
  CHECK(keeper.all.empty());
  auto disk = open();
  CHECK(disk.load_all().runtime == "third");
  CHECK(disk.load_all().revisions.size() == 2);
}
