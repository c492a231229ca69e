// SPDX-License-Identifier: Apache-2.0
// State that the keeper holds.
#include "kernel/state_memory.h"

#include "state_support.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

Revision revision(std::uint64_t number, const std::string& ecosystem = "shop") {
  Revision made;
  made.view.ecosystem = Name::parse(ecosystem).value();
  made.view.number = number;
  made.source.text = "revision " + std::to_string(number);
  made.source.env_files = {{"/.env", "SECRET=1"}};
  return made;
}

}  // namespace

TEST_CASE("the next engine finds all that was saved last, in order, and nothing of what was removed",
          "[state]") {
  FakeHolder keeper;
  {
    StateMemory memory{keeper};
    CHECK(memory.load_all().runtime.empty());
    REQUIRE((memory.save("older, and longer") && memory.save("newest")));
    for (const auto number : {10ULL, 9ULL, 11ULL}) REQUIRE(memory.save_revision(revision(number)));
    REQUIRE(memory.save_revision(revision(1, "blog")));
    memory.remove_revision(Name::parse("shop").value(), 9);
    CHECK_FALSE(memory.degraded());
  }
  StateMemory memory{keeper};
  const auto loaded = memory.load_all();
  CHECK(loaded.runtime == "newest");
  CHECK(loaded.problems.empty());
  REQUIRE(loaded.revisions.size() == 3);
  CHECK(loaded.revisions[0].source.text == "revision 1");
  CHECK(loaded.revisions[1].source.text == "revision 10");
  CHECK(loaded.revisions[2].source == revision(11).source);
  CHECK(memory.load_revision(Name::parse("shop").value(), 10)->source == revision(10).source);
  CHECK(memory.load_revision(Name::parse("shop").value(), 9).error().text ==
        "cannot find revision 9 of shop");
}

TEST_CASE("what is held besides the state is not touched, and what is damaged is told", "[state]") {
  FakeHolder keeper;
  StateMemory memory{keeper};
  REQUIRE((memory.save("runtime") && memory.save_revision(revision(1))));
  keeper.all["bus"] = UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  REQUIRE(::ftruncate(keeper.all.at("state").get(), 5) == 0);
  const auto loaded = memory.load_all();
  CHECK(loaded.runtime.empty());
  REQUIRE(loaded.problems.size() == 1);
  CHECK_THAT(loaded.problems.front(), ContainsSubstring("cannot read what is held as 'state': "));
  CHECK(loaded.revisions.size() == 1);
}

TEST_CASE("what cannot be kept is said until it can", "[state]") {
  FakeHolder keeper;
  StateMemory memory{keeper};
  keeper.full = true;
  CHECK_FALSE(memory.save("runtime"));
  CHECK(memory.degraded() == "the state is not kept, should the engine die: cannot hold 'state': it is full");
  keeper.full = false;
  CHECK(memory.save("runtime"));
  CHECK_FALSE(memory.degraded());
}
