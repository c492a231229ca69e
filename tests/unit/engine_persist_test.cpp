// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "engine/saving/saved.h"
#include "support/catch.h"

using namespace svd;

namespace {

Name name(const char* text) { return Name::parse(text).value(); }

SavedState example() {
  SavedState state;
  state.next_start = 12;
  state.next_change = 3;
  state.next_event = 99;
  state.ecosystems = {{name("shop"), 4, 5, {name("a"), name("b.c")}}, {name("blog"), 1, 2, {}}};
  SavedSlot slot;
  slot.index = 3;
  slot.phase = Phase::stopping;
  slot.next = Phase::backoff;
  slot.cause = 4;
  slot.by = "a b,c=d\n%ä";
  slot.wanted = false;
  slot.renewal = 1;
  slot.stage = 2;
  slot.last = 13;
  slot.start = 11;
  slot.handled = 10;
  slot.generation = ~0ULL;
  slot.version = 4;
  slot.revision = 2;
  slot.restarts = 7;
  slot.since = 1'700'000'000'000'000;
  slot.until = -5;
  slot.delay = 200'000'000;
  slot.streak = 2;
  slot.recent = {1, 2, -3};
  slot.last_exit = {ExitStatus::Kind::signal, 9, true, Oom::app_limit, 64U << 20};
  slot.failure = StartFailure{StartStage::exec, 2, "/bin/no such\tfile"};
  SavedApp web, other;
  web.id = {name("shop"), name("web")};
  web.generation = 8;
  web.slots = {slot, {}};
  other.id = {name("blog"), name("x")};
  other.generation = 1;
  web.wanted = false;
  web.removed = web.halted = web.rolling = web.paused = web.going_back = true;
  web.scale = 0;
  web.version = 3;
  web.stable = 2;
  slot.role = 1;
  slot.late = true;
  web.besides = {slot};
  state.apps = {web, other};
  state.changes = {{7,
                    "apply",
                    "3 apps",
                    "root",
                    name("shop"),
                    4,
                    17,
                    {{name("shop"), name("web")}},
                    {"shop:web/0", "a"},
                    {"b c", "d"}}};
  return state;
}

std::string sum(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

Result<SavedState> read_lines(const std::string& lines) {
  const auto text = "svd-runtime 1\n" + lines;
  return read_state(text + "end " + sum(text) + "\n");
}

}  // namespace

TEST_CASE("what is saved reads back the same", "[engine]") {
  CHECK(read_state(write_state(example())).value() == example());
  CHECK(read_state(write_state({})).value() == SavedState{});
}

TEST_CASE("a damaged state is told from a good one, wherever it is damaged", "[engine]") {
  const auto good = write_state(example());
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    CAPTURE(i);
    CHECK_FALSE(read_state(flipped));
    CHECK_FALSE(read_state(std::string_view{good}.substr(0, i)));
  }
  CHECK_FALSE(read_state(good + "x"));
  CHECK(read_state("").error().text == "cannot read the runtime state: it does not begin like one");
  CHECK(read_state("svd-runtime 2\nend 0\n").error().text ==
        "cannot read the runtime state: it was written by another version of svd ('svd-runtime 2')");
}

TEST_CASE("a state that is whole but makes no sense is refused, and never crashes", "[engine][property]") {
  std::mt19937 random{Catch::rngSeed()};
  const auto good = write_state(example());
  const auto body = good.substr(0, good.rfind("end "));
  REQUIRE(read_state(body + "end " + sum(body) + "\n"));
  for (int i = 0; i < 3000; ++i) {
    auto text = body;
    for (std::size_t n = 1 + random() % 4; n > 0; --n) {
      const auto at = 14 + random() % (text.size() - 14);
      if (random() % 2 == 0)
        text[at] = " =%,:\n0x-"[random() % 9];
      else
        text.erase(at, 1 + random() % 5);
    }
    const auto read = read_state(text + "end " + sum(text) + "\n");
    if (read) CHECK(read_state(write_state(*read)));  // what was taken for sense can be written again
  }
}

TEST_CASE("a list keeps its items, empty ones included", "[engine]") {
  auto state = example();
  state.changes[0].failed = {"shop:web/0", "shop:web/1"};
  for (const auto& why : {std::vector<std::string>{"", ""}, {"x", ""}, {"", "x"}, {""}, {}}) {
    state.changes[0].why = why;
    CHECK(read_state(write_state(state)).value() == state);
  }
  CHECK_FALSE(read_lines("change 1 failed=a,%4\n"));
}

TEST_CASE("whatever is taken for a state is written as it was read", "[engine]") {
  for (const std::string lines :
       {"next start=0 change=0 event=0\n", "eco shop next=0\n", "app a:b\nslot 0 phase=ready next=failed\n",
        "app a:b\nslot 0 phase=stopping next=failed\n", "app a:b wanted=7\n", "change 1 apps=a:b,a:c\n"}) {
    CAPTURE(lines);
    const auto read = read_lines(lines);
    REQUIRE(read);
    CHECK(read_state(write_state(*read)).value() == *read);
  }
  CHECK_FALSE(read_lines("app a:b\nslot 0 role=1\n"));  // each line under its own name
  CHECK_FALSE(read_lines("app a:b\nbeside 0\n"));
}
