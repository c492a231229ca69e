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
      {lc::Starting{id, 0, later}, wait, leave, stop, stop, wait},
      {lc::Starting{id, 0, now}, due, leave, stop, stop, due},
      {lc::Starting{id, 42, later}, wait, leave, stop, stop, wait},
      {lc::Starting{id, 42, now}, due, leave, stop, stop, due},
      {lc::Ready{id, 42, now}, none, leave, stop, stop, none},
      {lc::Backoff{later, {}}, wait, stop, stop, none, none},
      {lc::Backoff{now, {}}, begin, stop, stop, none, none},
      {lc::Completed{}, none, stop, stop, none, none},
      {lc::Stopped{}, begin, none, none, none, none},
      {lc::Failed{}, none, stop, stop, none, none},
      {stopping(Step::unborn, lc::Stopped{}, later), wait, wait, wait, wait, wait},
      {stopping(Step::unborn, lc::Stopped{}, now), due, due, due, due, due},
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

namespace {

constexpr TimePoint at{Nanos{std::chrono::seconds{100}}};

RolloutSlot seen(std::uint32_t slot, Phase phase, bool stale, Part part = Part::none) {
  RolloutSlot out;
  out.slot = slot;
  out.phase = phase;
  out.stale = stale;
  out.part = part;
  return out;
}

RolloutSlot in_place(RolloutSlot slot) {
  slot.in_place = true;
  return slot;
}

RolloutSlot beside(RolloutSlot slot, Phase replacement, TimePoint since = at) {
  slot.part = Part::replaced;
  slot.replacement = replacement;
  slot.replacement_since = since;
  return slot;
}

using Slots = std::vector<std::uint32_t>;
constexpr RolloutRules one_more{1, 0, std::chrono::seconds{2}};
constexpr RolloutRules one_less{0, 1, std::chrono::seconds{2}};

}  // namespace

TEST_CASE("start-first a replacement is added beside the lowest, and takes over when it has proved itself",
          "[plan]") {
  using enum Phase;
  const auto old = seen(1, ready, true);
  const auto first = plan_rollout(std::vector{seen(0, ready, true), old}, one_more, at);
  CHECK(first.add == Slots{0});
  CHECK(first.replace.empty());
  for (const auto phase : {waiting, starting}) {
    const auto going = plan_rollout(std::vector{beside(seen(0, ready, true), phase), old}, one_more, at);
    CHECK((going.add.empty() && going.take_over.empty() && going.busy && !going.wake));
  }
  const auto young =
      plan_rollout(std::vector{beside(seen(0, ready, true), ready), old}, one_more, at + Millis{1999});
  CHECK(young.take_over.empty());
  CHECK(young.wake == at + Millis{2000});
  const auto proven =
      plan_rollout(std::vector{beside(seen(0, ready, true), ready), old}, one_more, at + Millis{2000});
  CHECK(proven.take_over == Slots{0});
  CHECK(proven.add.empty());  // the one that it takes over from has yet to leave
}

TEST_CASE("what is leaving counts: live is never above instances + max_surge", "[plan]") {
  using enum Phase;
  auto done = seen(0, ready, false, Part::proven);
  done.leaving = 1;
  const std::vector slots{done, seen(1, ready, true)};
  CHECK(plan_rollout(slots, one_more, at).add.empty());
  CHECK(plan_rollout(slots, {2, 0, {}}, at).add == Slots{1});
}

TEST_CASE("in place one goes after the other, each when the former has proved itself", "[plan]") {
  using enum Phase;
  const auto next = [](RolloutSlot a, RolloutSlot b, TimePoint now) {
    return plan_rollout(std::vector{in_place(a), in_place(b)}, one_less, now).replace;
  };
  CHECK(next(seen(0, ready, true), seen(1, ready, true), at) == Slots{0});
  CHECK(next(seen(0, stopping, true, Part::replaced), seen(1, ready, true), at).empty());
  CHECK(next(seen(0, starting, false, Part::replaced), seen(1, ready, true), at).empty());
  auto fresh = seen(0, ready, false, Part::replaced);
  fresh.since = at;
  CHECK(next(fresh, seen(1, ready, true), at).empty());
  CHECK(next(fresh, seen(1, ready, true), at + Millis{2000}) == Slots{1});
  CHECK(next(seen(0, completed, false, Part::replaced), seen(1, ready, true), at) == Slots{1});
}

TEST_CASE("slots that will not come back have nothing to lose; others wait for a proof, unless nothing is up",
          "[plan]") {
  using enum Phase;
  const auto replaced = [](std::vector<RolloutSlot> slots) {
    return plan_rollout(slots, one_more, at).replace;
  };
  CHECK(replaced({seen(0, ready, true), seen(1, failed, true), seen(2, completed, true)}) == Slots{1, 2});
  CHECK(replaced({seen(0, backoff, true), seen(1, failed, true), seen(2, stopping, true)}) == Slots{0, 1, 2});
  // One is tried, and the others may come back as they were.
  CHECK(replaced({beside(seen(0, ready, true), starting), seen(1, backoff, true)}).empty());
  CHECK(replaced({seen(0, ready, false, Part::proven), seen(1, backoff, true), seen(2, starting, true)}) ==
        Slots{1, 2});
}

TEST_CASE("a rollout ends where a replacement fails, and when nothing is stale and the old ones are gone",
          "[plan]") {
  using enum Phase;
  const std::vector broken{seen(0, backoff, false, Part::broken), seen(1, ready, true)};
  CHECK(plan_rollout(broken, one_more, at).broken);
  CHECK(plan_rollout(broken, one_more, at).add.empty());
  std::vector done{seen(0, ready, false, Part::proven), seen(1, ready, false)};
  CHECK(plan_rollout(done, one_more, at).finished);
  done[0].leaving = 1;
  CHECK(plan_rollout(done, one_more, at).works);
  CHECK_FALSE(plan_rollout(done, one_more, at).finished);
  CHECK_FALSE(plan_rollout(std::vector{seen(0, starting, false, Part::replaced)}, one_more, at).works);
}

TEST_CASE("a new version works when it does on every slot, not when nothing is left to replace", "[plan]") {
  using enum Phase;
  const auto rollout = plan_rollout(std::vector{seen(0, ready, false), seen(1, failed, false)}, one_more, at);
  CHECK(rollout.finished);
  CHECK_FALSE(rollout.works);
}

TEST_CASE("a slot that is down and gets the new version is missing until it is up", "[plan]") {
  using enum Phase;
  const std::vector slots{in_place(seen(0, failed, true)), in_place(seen(1, ready, true))};
  CHECK(plan_rollout(slots, one_less, at).replace == Slots{0});  // not 1: both would be down
}

TEST_CASE("portions are rounded as in Kubernetes, and one of the two is never nothing", "[plan]") {
  const auto bounds = [](Portion surge, Portion unavailable, std::uint32_t instances) {
    UpdatePolicy update;
    update.max_surge = surge;
    update.max_unavailable = unavailable;
    const auto rules = rules_of(update, instances);
    return std::pair{rules.surge, rules.unavailable};
  };
  CHECK(bounds({25, true}, {25, true}, 10) == std::pair{3U, 2U});
  CHECK(bounds({0, true}, {10, true}, 4) == std::pair{0U, 1U});
  CHECK(bounds({2, false}, {0, false}, 4) == std::pair{2U, 0U});
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

TEST_CASE("a plan says what a replacement will be like, in the words of `update`", "[plan]") {
  UpdatePolicy update;
  CHECK(replace_summary(4, update, 4) == "replace 4 instances, start-first, at most 1 more");
  CHECK(restart_summary(4, update, 4) == "replace 4 instances, one at a time");
  update.max_surge = {50, true};
  update.max_unavailable = {25, true};
  CHECK(replace_summary(3, update, 4) == "replace 3 instances, start-first, at most 2 more and 1 fewer");
  update.order = UpdatePolicy::Order::stop_first;
  CHECK(replace_summary(4, update, 4) == "replace 4 instances, one at a time");
  update.max_unavailable = {2, false};
  CHECK(replace_summary(4, update, 4) == "replace 4 instances, 2 at a time");
  CHECK(replace_summary(2, update, 4) == "replace 2 instances, all at once");
  CHECK(replace_summary(1, update, 4) == "replace 1 instance");
}
