// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>

#include "plan/diff.h"
#include "plan/rollout.h"
#include "plan/slot.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::plan;
namespace lc = svd::lifecycle;

namespace {

constexpr TimePoint now{Nanos{1'000'000}};
constexpr StartId id{7};

lc::Stopping stopping(lc::Stopping::Step step, lc::Rest next, TimePoint deadline = now) {
  return {id, step == lc::Stopping::Step::killed ? 0 : 42, step, false, deadline, deadline, std::move(next)};
}

// What a world that answers at once says to an instance that waits for it.
lc::Event answer(const lc::State& state) {
  if (phase(state) == Phase::starting && lc::pid_of(state) != 0) return lc::ToldReady{};
  const auto* going = std::get_if<lc::Stopping>(&state);
  const bool unborn = going != nullptr && going->step == lc::Stopping::Step::unborn;
  return unborn || phase(state) == Phase::starting ? lc::Event{lc::Spawned{42}} : lc::Event{lc::Gone{}};
}

}  // namespace

TEST_CASE("what a slot needs follows from what is wanted and what is", "[plan]") {
  using Step = lc::Stopping::Step;
  const TimePoint later = now + Nanos{5};
  const auto none = SlotPlan{}, begin = SlotPlan{SlotStep::begin, {}}, stop = SlotPlan{SlotStep::stop, {}};
  const auto due = SlotPlan{SlotStep::due, {}}, wait = SlotPlan{SlotStep::none, later},
             leave = SlotPlan{SlotStep::leave, {}};
  struct Row {
    lc::State state;
    SlotPlan run, leave, rest, pause, hold;
  };
  const std::vector<Row> rows{
      {lc::Waiting{}, begin, stop, stop, none, none},
      {lc::Starting{id}, none, leave, stop, stop, none},
      {lc::Starting{id, 42, later}, wait, leave, stop, stop, wait},
      {lc::Starting{id, 42, now}, due, leave, stop, stop, due},
      {lc::Ready{id, 42, now}, none, leave, stop, stop, none},
      {lc::Backoff{later, {}}, wait, stop, stop, none, none},
      {lc::Backoff{now, {}}, begin, stop, stop, none, none},
      {lc::Completed{}, none, stop, stop, none, none},
      {lc::Stopped{}, begin, none, none, none, none},
      {lc::Failed{}, none, stop, stop, none, none},
      {stopping(Step::draining, lc::Stopped{}, later), wait, wait, stop, stop, wait},
      {stopping(Step::draining, lc::Waiting{}, later), wait, leave, stop, stop, wait},
      {stopping(Step::leaving, lc::Stopped{}, later), wait, wait, wait, wait, wait},
      {stopping(Step::leaving, lc::Stopped{}, now), due, due, due, due, due},
      {stopping(Step::asked, lc::Stopped{}, later), wait, wait, wait, wait, wait},
      {stopping(Step::asked, lc::Stopped{}, now), due, due, due, due, due},
      {stopping(Step::asked, lc::Waiting{}, later), wait, leave, stop, stop, wait},
      {stopping(Step::killed, lc::Stopped{}), none, none, none, none, none},
      {stopping(Step::killed, lc::Backoff{later, {}}), none, leave, stop, none,
       none},  // a crash is remembered over a shutdown
  };
  for (const auto& row : rows) {
    CAPTURE(to_text(phase(row.state)), row.state.index());
    CHECK(plan_slot(Want::run, row.state, now) == row.run);
    CHECK(plan_slot(Want::leave, row.state, now) == row.leave);
    CHECK(plan_slot(Want::rest, row.state, now) == row.rest);
    CHECK(plan_slot(Want::pause, row.state, now) == row.pause);
    CHECK(plan_slot(Want::hold, row.state, now) == row.hold);
  }
}

// Carries out whatever is planned, with a world that answers at once, until nothing is planned; that must
// come soon.
TEST_CASE("a carried-out plan leaves nothing to do, whatever came before", "[plan][property]") {
  std::mt19937 random{Catch::rngSeed()};
  const auto pick = [&](unsigned below) { return std::uniform_int_distribution{0U, below - 1}(random); };
  const RestartPolicy restart;
  const StopPolicy patience;
  const lc::Rules rules{restart, patience, Millis{3000}, Millis{2000}, true};
  for (int round = 0; round < 2000; ++round) {
    lc::Instance instance{lc::Waiting{}, {}};
    TimePoint at = now;
    for (int i = 0; i < 8; ++i) {  // some past
      const std::vector<lc::Event> events{lc::Begin{id},
                                          lc::Stop{pick(2) == 0, pick(2) == 0, pick(2) == 0},
                                          lc::Renew{},
                                          lc::Due{},
                                          lc::Spawned{42},
                                          lc::SpawnFailed{},
                                          lc::ToldReady{},
                                          lc::Drained{},
                                          lc::Exited{{ExitStatus::Kind::code, 1, false}},
                                          lc::Gone{}};
      at += Millis{pick(3) * 5000};
      instance = lc::step(std::move(instance), events[pick(10)], rules, at, 0.5).instance;
    }
    const auto want = static_cast<Want>(pick(5));
    int steps = 0;
    for (; steps < 20; ++steps) {
      const auto plan = plan_slot(want, instance.state, at);
      const auto at_phase = phase(instance.state);
      if (plan.wake && at_phase != Phase::starting) {
        at = *plan.wake;
        continue;
      }
      if (plan.step == SlotStep::none && (!is_live(at_phase) || at_phase == Phase::ready)) break;
      lc::Event event = answer(instance.state);
      if (plan.step == SlotStep::begin) event = lc::Begin{id};
      if (plan.step == SlotStep::stop) event = lc::Stop{};
      if (plan.step == SlotStep::leave) event = lc::Stop{.drain = true};
      if (plan.step == SlotStep::due) event = lc::Due{};
      instance = lc::step(std::move(instance), event, rules, at, 0.5).instance;
    }
    CAPTURE(static_cast<int>(want), to_text(phase(instance.state)));
    CHECK(steps < 20);
    CHECK(plan_slot(want, instance.state, at) == SlotPlan{});
    if (want == Want::rest || want == Want::leave) CHECK(phase(instance.state) == Phase::stopped);
    if (want == Want::pause) CHECK_FALSE(is_live(phase(instance.state)));
  }
}

TEST_CASE("a rollout takes the lowest live slot, and the next one when that has settled", "[plan]") {
  using enum Phase;
  const auto next = [](std::vector<RolloutSlot> slots) { return plan_rollout(slots).replace; };
  using Slots = std::vector<std::uint32_t>;
  CHECK(next({{0, ready, true, Part::none}, {1, ready, true, Part::none}}) == Slots{0});
  CHECK(next({{0, stopping, false, Part::replaced}, {1, ready, true, Part::none}}).empty());
  CHECK(next({{0, starting, false, Part::replaced}, {1, ready, true, Part::none}}).empty());
  CHECK(next({{0, ready, false, Part::replaced}, {1, ready, true, Part::none}}) == Slots{1});
  CHECK(next({{0, completed, false, Part::replaced}, {1, ready, true, Part::none}}) == Slots{1});
  CHECK(next({{0, ready, false, Part::none}, {2, ready, true, Part::none}}) ==
        Slots{2});  // a slot of no concern
}

TEST_CASE("slots without a process have nothing to lose, and are replaced at once", "[plan]") {
  using enum Phase;
  const std::vector<RolloutSlot> slots{{0, ready, true, Part::none},
                                       {1, backoff, true, Part::none},
                                       {2, failed, true, Part::none},
                                       {3, stopping, true, Part::none}};
  CHECK(plan_rollout(slots).replace == std::vector<std::uint32_t>{1, 2, 3});
}

TEST_CASE("a rollout ends where a replacement fails, and when nothing is stale", "[plan]") {
  using enum Phase;
  const std::vector<RolloutSlot> broken{{0, backoff, false, Part::broken}, {1, ready, true, Part::none}};
  CHECK(plan_rollout(broken).broken);
  CHECK(plan_rollout(broken).replace.empty());
  const std::vector<RolloutSlot> done{{0, ready, false, Part::replaced}, {1, ready, false, Part::none}};
  CHECK(plan_rollout(done).finished);
  const std::vector<RolloutSlot> busy{{0, starting, false, Part::replaced}};
  CHECK_FALSE(plan_rollout(busy).finished);
}

TEST_CASE("a rollout replaces each stale slot once, never two live ones at a time", "[plan][property]") {
  std::mt19937 random{Catch::rngSeed()};
  for (int round = 0; round < 300; ++round) {
    std::vector<RolloutSlot> slots;
    for (std::uint32_t i = 0; i < 1 + random() % 8; ++i)
      slots.push_back({i, std::array{Phase::ready, Phase::backoff, Phase::completed}[random() % 3],
                       random() % 2 == 0, Part::none});
    std::vector<int> replaced(slots.size());
    for (int steps = 0; !plan_rollout(slots).finished; ++steps) {
      REQUIRE(steps < 100);
      std::size_t live = 0;
      for (const auto index : plan_rollout(slots).replace) {
        live += slots[index].phase == Phase::ready ? 1U : 0U;
        ++replaced[index];
        slots[index] = {index, Phase::starting, false, Part::replaced};
      }
      CHECK(live <= 1);
      for (auto& slot : slots)
        if (slot.phase == Phase::starting && random() % 2 == 0) slot.phase = Phase::ready;
    }
    for (const auto& slot : slots) CHECK(replaced[slot.slot] == (slot.part == Part::replaced ? 1 : 0));
    CHECK(std::ranges::none_of(slots, &RolloutSlot::stale));
  }
}

TEST_CASE("a difference that the field table cannot name is still a step", "[plan]") {
  AppSpec have, want;
  have.name = want.name = *Name::parse("web");
  want.generation = have.generation = 1;
  want.env_file = {"/etc/other.env"};
  std::map<Name, AppNow> now_apps;
  now_apps[have.name].spec = &have;
  now_apps[have.name].instances = 1;
  const Ecosystem file{*Name::parse("shop"), {{want.name, want}}};
  const auto steps =
      diff(now_apps, file, [](const AppSpec&, const AppSpec&) { return std::vector<FieldChange>{}; });
  REQUIRE(steps.size() == 1);
  CHECK(steps.front().action == PlanStep::Action::update);
}
