// SPDX-License-Identifier: Apache-2.0
#include "ipc/rotation.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::ipc;

namespace {

struct Ring {
  std::uint64_t next() {
    const auto turn = rotation.next(now);
    if (!turn) return 0;
    rotation.took(*turn);
    return static_cast<std::uint64_t>(turn->id);
  }
  void answer(std::uint64_t id, bool accepted = true) { rotation.answered(StartId{id}, accepted, now); }
  Rotation rotation;
  TimePoint now{Nanos{1'000'000'000}};
};

}  // namespace

TEST_CASE("each worker gets one connection in turn, as it answers", "[ipc]") {
  Ring ring;
  CHECK(ring.next() == 0);
  for (const std::uint64_t id : {3U, 2U, 1U}) ring.rotation.enter(StartId{id}, "k");
  CHECK(ring.next() == 1);
  CHECK(ring.next() == 2);
  CHECK(ring.next() == 3);
  CHECK(ring.next() == 0);
  ring.answer(2);
  CHECK(ring.next() == 2);
  CHECK(ring.next() == 0);
  for (const std::uint64_t id : {1U, 2U, 3U}) ring.answer(id);
  CHECK(ring.next() == 1);
  CHECK(ring.next() == 3);
  CHECK(ring.next() == 2);
}

TEST_CASE("to look whose turn it is costs nobody its turn", "[ipc]") {
  Ring ring;
  ring.rotation.enter(StartId{2}, "k");
  ring.rotation.enter(StartId{1}, "k");
  CHECK(ring.rotation.next(ring.now)->id == StartId{1});
  CHECK(ring.rotation.next(ring.now)->id == StartId{1});
}

TEST_CASE("a worker that refuses is left alone for a while, longer each time, until it takes one", "[ipc]") {
  Ring ring;
  ring.rotation.enter(StartId{1}, "k");
  auto pause = Rotation::first_pause;
  for (int i = 0; i < 10; ++i) {
    CAPTURE(i);
    REQUIRE(ring.next() == 1);
    CHECK_FALSE(ring.rotation.wake(ring.now));  // busy: its answer is waited for
    ring.answer(1, false);
    CHECK(ring.next() == 0);
    CHECK(ring.rotation.wake(ring.now) == ring.now + pause);
    ring.now += pause;
    pause = std::min(pause * 2, Rotation::longest_pause);
  }
  CHECK(ring.next() == 1);
  ring.answer(1, true);
  CHECK(ring.next() == 1);
  ring.answer(1, false);
  CHECK(ring.rotation.wake(ring.now) == ring.now + Rotation::first_pause);
}

TEST_CASE("a worker with two servers has one turn for each, and one connection at a time", "[ipc]") {
  Ring ring;
  ring.rotation.enter(StartId{1}, "b");
  ring.rotation.enter(StartId{1}, "a");
  const auto first = ring.rotation.next(ring.now);
  CHECK(first->key == "a");
  ring.rotation.took(*first);
  CHECK_FALSE(ring.rotation.next(ring.now));
  ring.rotation.enter(StartId{1}, "c");
  CHECK_FALSE(ring.rotation.next(ring.now));
  ring.answer(1);
  ring.rotation.leave(StartId{1}, "c");
  CHECK(ring.rotation.next(ring.now)->key == "b");
  ring.rotation.leave(StartId{1}, "b");
  ring.rotation.leave(StartId{1}, "a");
  CHECK(ring.rotation.empty());
}
