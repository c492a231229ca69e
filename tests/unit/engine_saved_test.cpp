// SPDX-License-Identifier: Apache-2.0
// States that another version of svd wrote.
#include <fstream>
#include <sstream>

#include "engine/saving/saved.h"
#include "support/catch.h"

using namespace svd;

namespace {

// The text with the sum that belongs to it.
std::string sealed(const std::string& body) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : body) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  std::ostringstream out;
  out << body << "end " << std::hex;
  out.width(16);
  out.fill('0');
  out << hash << '\n';
  return out.str();
}

SavedSlot slot_of(const std::string& line) {
  const auto read = read_state(sealed("svd-runtime 1\napp shop:web\n" + line + "\n"));
  if (!read) FAIL(read.error().text);
  return read->apps.at(0).slots.at(0);
}

}  // namespace

TEST_CASE("a state of a lower level is read, one of a higher is not", "[engine][saved]") {
  CHECK(read_state(sealed("svd-runtime 0\nnext start=7\n")).value().next_start == 7);
  CHECK(read_state(sealed("svd-runtime 1\nnext start=7\n")).value().next_start == 7);
  CHECK(read_state(sealed("svd-runtime 2\nnext start=7\n")).error().text ==
        "cannot read the runtime state: it was written by another version of svd ('svd-runtime 2')");
  CHECK_FALSE(read_state(sealed("svd-runtime 1x\n")));
}

TEST_CASE("what a later version added is ignored, and the rest is read", "[engine][saved]") {
  CHECK(read_state(sealed("svd-runtime 1\nlater x=1\nnext start=7 colour=blue\n")).value().next_start == 7);
  CHECK(slot_of("slot 0 phase=dreaming start=7").phase == Phase::waiting);
  CHECK(slot_of("slot 0 phase=dreaming start=7").start == 7);
  CHECK(slot_of("slot 0 phase=ready exit=9 status=3").last_exit.kind == ExitStatus::Kind::none);
  CHECK(slot_of("slot 0 phase=ready exit=2 oom=9").last_exit.oom == Oom::no);
  const auto failed = slot_of("slot 0 phase=failed stage=200 errno=2");
  REQUIRE(failed.failure);
  CHECK(failed.failure->stage == StartStage::none);
  CHECK_FALSE(to_text(*failed.failure).empty());
}

TEST_CASE("a state that svd 0.1 wrote reads as it was, and is written again byte by byte",
          "[engine][saved]") {
  std::ifstream file{"golden/engine/runtime-1.txt"};
  std::stringstream text;
  text << file.rdbuf();
  const auto state = read_state(text.str()).value();
  REQUIRE(state.apps.size() == 3);
  CHECK(state.apps[2].id.str() == "shop:web");
  CHECK(state.apps[2].scale == 3);
  CHECK_FALSE(state.apps[2].slots.at(0).wanted);
  CHECK(state.apps[2].slots.at(1).phase == Phase::ready);
  CHECK(state.apps[1].slots.at(0).phase == Phase::completed);
  CHECK(state.apps[0].slots.at(0).phase == Phase::backoff);
  CHECK(write_state(state) == text.str());
}
