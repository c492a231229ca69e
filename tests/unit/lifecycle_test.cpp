// SPDX-License-Identifier: Apache-2.0
#include <csignal>

#include "lifecycle/instance.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::lifecycle;

namespace {

constexpr TimePoint start{Nanos{1'000'000'000}};
constexpr StartId id{7};
constexpr Nanos second = std::chrono::seconds{1};

struct Policy {
  RestartPolicy restart;
  StopPolicy stop;
  std::optional<Millis> ready;
  Millis drain{0};
  bool channel = false;
  Transition operator()(State state, const Event& event, TimePoint now = start) const {
    return step({std::move(state), {}}, event, {restart, stop, ready, drain, channel}, now, 0.5);
  }
};

Stopping stopping(Stopping::Step step, Rest next = Stopped{}) {
  return {id,
          step == Stopping::Step::unanswered ? 0 : 42,
          step,
          false,
          start + second,
          start + 2 * second,
          std::move(next)};
}

// What came of a step, small enough for a table.
std::string outcome(const Transition& made) {
  std::string text{to_text(phase(made.instance.state))};
  if (!made.command) return text;
  if (std::holds_alternative<Spawn>(*made.command)) return text + " spawn";
  if (std::holds_alternative<Signal>(*made.command)) return text + " signal";
  if (std::holds_alternative<Drain>(*made.command)) return text + " drain";
  if (std::holds_alternative<Disconnect>(*made.command)) return text + " disconnect";
  if (std::holds_alternative<Cancel>(*made.command)) return text + " cancel";
  return text + (std::holds_alternative<Await>(*made.command) ? " await" : " kill");
}

const ExitStatus crash{ExitStatus::Kind::signal, SIGSEGV, true};

}  // namespace

// Rows: where it is. Columns: what happens. Each cell: where it is then, and the command.
TEST_CASE("every phase has an answer to every event", "[lifecycle]") {
  struct Row {
    State state;
    std::array<std::string, 12> want;
  };
  Policy policy;
  policy.ready = Millis{5000};
  policy.drain = Millis{500};
  policy.channel = true;
  // clang-format off
  const std::array<Event, 12> events{Begin{StartId{8}}, Stop{}, Stop{.drain = true}, Stop{.force = true}, Renew{}, Due{}, Spawned{42}, SpawnFailed{}, ToldReady{}, Drained{}, Exited{crash}, Gone{}};
  const std::vector<Row> rows{
      // Begin           Stop                   Stop and drain         by force         Renew       Due         Spawned            SpawnFailed  ToldReady   Drained                Exited            Gone
      {Waiting{},
       {"starting spawn", "stopped",             "stopped",             "stopped",       "waiting",  "waiting",  "waiting",         "waiting",   "waiting",   "waiting",             "waiting",        "waiting"}},
      {Starting{id, 0, start + second},
       {"starting",       "stopping cancel",     "stopping cancel",     "stopping cancel", "starting", "starting", "starting",        "backoff",   "starting",  "starting",            "stopping kill",  "backoff"}},
      {Starting{id, 0, start},
       {"starting",       "stopping cancel",     "stopping cancel",     "stopping cancel", "starting", "stopping kill", "starting",   "backoff",   "starting",  "starting",            "stopping kill",  "backoff"}},
      {Starting{id, 42, start + second},
       {"starting",       "stopping signal",     "stopping signal",     "stopping kill", "starting", "starting", "starting",        "backoff",   "ready",     "starting",            "stopping kill",  "backoff"}},
      {Starting{id, 42, start},
       {"starting",       "stopping signal",     "stopping signal",     "stopping kill", "starting", "stopping kill", "starting",   "backoff",   "ready",     "starting",            "stopping kill",  "backoff"}},
      {Ready{id, 42, start},
       {"ready",          "stopping disconnect", "stopping drain",      "stopping kill", "ready",    "ready",    "ready",           "ready",     "ready",     "ready",               "stopping kill",  "backoff"}},
      {stopping(Stopping::Step::unanswered),
       {"stopping",       "stopping",            "stopping",            "stopping",      "stopping", "stopping", "stopping signal", "stopped",   "stopping",  "stopping",            "stopping kill",  "stopped"}},
      {stopping(Stopping::Step::draining),
       {"stopping",       "stopping disconnect", "stopping",            "stopping kill", "stopping", "stopping", "stopping",        "stopping",  "stopping",  "stopping disconnect", "stopping kill",  "stopped"}},
      {stopping(Stopping::Step::disconnecting),
       {"stopping",       "stopping",            "stopping",            "stopping kill", "stopping", "stopping", "stopping",        "stopping",  "stopping",  "stopping",            "stopping kill",  "stopped"}},
      {stopping(Stopping::Step::asked),
       {"stopping",       "stopping",            "stopping",            "stopping kill", "stopping", "stopping", "stopping",        "stopping",  "stopping",  "stopping",            "stopping await", "stopped"}},
      {stopping(Stopping::Step::killed),
       {"stopping",       "stopping",            "stopping",            "stopping",      "stopping", "stopping", "stopping",        "stopping",  "stopping",  "stopping",            "stopping",       "stopped"}},
      {Backoff{start, second},
       {"starting spawn", "stopped",             "stopped",             "stopped",       "waiting",  "backoff",  "backoff",         "backoff",   "backoff",   "backoff",             "backoff",        "backoff"}},
      {Completed{},
       {"completed",      "stopped",             "stopped",             "stopped",       "waiting",  "completed", "completed",      "completed", "completed", "completed",           "completed",      "completed"}},
      {Stopped{},
       {"starting spawn", "stopped",             "stopped",             "stopped",       "waiting",  "stopped",  "stopped",         "stopped",   "stopped",   "stopped",             "stopped",        "stopped"}},
      {Failed{},
       {"failed",         "stopped",             "stopped",             "stopped",       "waiting",  "failed",   "failed",          "failed",    "failed",    "failed",              "failed",         "failed"}},
  };
  // clang-format on
  for (const auto& row : rows)
    for (std::size_t i = 0; i < events.size(); ++i) {
      CAPTURE(to_text(phase(row.state)), i);
      CHECK(outcome(policy(row.state, events[i])) == row.want[i]);
    }
}

TEST_CASE("a stop sends the signal of the policy, and SIGKILL when patience is over", "[lifecycle]") {
  Policy policy;
  policy.stop = {SIGINT, Millis{1000}, KillTarget::main};
  const auto asked = policy(Ready{id, 42, start}, Stop{});
  CHECK(asked.command == Command{Signal{id, SIGINT, KillTarget::main}});
  const auto patient = policy(asked.instance.state, Due{}, start + second - Nanos{1});
  CHECK_FALSE(patient.command);
  const auto forced = policy(asked.instance.state, Due{}, start + second);
  CHECK(forced.command == Command{Kill{id}});
  CHECK(pid_of(forced.instance.state) == 42);  // it lives until its exit is told
  CHECK_FALSE(policy(forced.instance.state, Due{}, start + 2 * second).command);  // once is enough
}

TEST_CASE("what a stopped main process leaves has the rest of the timeout, if it was asked as well",
          "[lifecycle]") {
  Policy policy;
  const auto asked = policy(Ready{id, 42, start}, Stop{}).instance.state;
  const auto ended = policy(asked, Exited{crash});
  CHECK(ended.command == Command{Await{id}});
  CHECK(pid_of(ended.instance.state) == 0);
  CHECK(policy(ended.instance.state, Due{}, start + policy.stop.timeout).command == Command{Kill{id}});
  policy.stop.kill = KillTarget::main;
  CHECK(policy(asked, Exited{crash}).command == Command{Kill{id}});
}

TEST_CASE("a start is ready when its gate is met; one that is late is killed, and judged as an end",
          "[lifecycle]") {
  Policy policy;
  policy.ready = Millis{30'000};
  const auto born = policy(Starting{id}, Spawned{42});
  CHECK(born.instance.state == State{Starting{id, 42, start + *policy.ready}});
  CHECK(pid_of(born.instance.state) == 42);
  CHECK(policy(born.instance.state, ToldReady{}, start + second).instance.state ==
        State{Ready{id, 42, start + second}});
  CHECK(outcome(policy(born.instance.state, Due{}, start + *policy.ready - Nanos{1})) == "starting");
  const auto late = policy(born.instance.state, Due{}, start + *policy.ready);
  CHECK(late.command == Command{Kill{id}});
  CHECK(phase(std::get<Stopping>(late.instance.state).next) == Phase::backoff);
  CHECK(phase(policy(late.instance.state, Exited{crash}).instance.state) == Phase::stopping);
  policy.ready.reset();
  CHECK(outcome(policy(Starting{id}, Spawned{42})) == "ready");
}

TEST_CASE("draining, the channel and the signal follow each other, each no longer than it may",
          "[lifecycle]") {
  using Step = Stopping::Step;
  Policy policy;
  policy.drain = Millis{6000};
  policy.channel = true;
  policy.stop.timeout = Millis{10'000};
  const auto at = [&](int seconds) { return start + seconds * second; };
  const auto step_of = [](const Transition& made) { return std::get<Stopping>(made.instance.state).step; };
  const auto draining = policy(Ready{id, 42, start}, Stop{.drain = true});
  CHECK(draining.command == Command{Drain{id}});
  CHECK_FALSE(policy(draining.instance.state, Due{}, at(6) - Nanos{1}).command);
  const auto leaving = policy(draining.instance.state, Due{}, at(6));
  CHECK(leaving.command == Command{Disconnect{id}});
  CHECK_FALSE(
      policy(leaving.instance.state, Due{}, at(14) - Nanos{1}).command);  // 2 s are kept for the signal
  const auto asked = policy(leaving.instance.state, Due{}, at(14));
  CHECK(asked.command == Command{Signal{id, SIGTERM, KillTarget::group}});
  CHECK(std::get<Stopping>(asked.instance.state).deadline == at(16));
  CHECK(policy(asked.instance.state, Due{}, at(16)).command == Command{Kill{id}});
  SECTION("a stop that nobody waits for with open connections goes on to the channel") {
    const auto cut = policy(draining.instance.state, Stop{}, at(1));
    CHECK(step_of(cut) == Step::disconnecting);
    CHECK(std::get<Stopping>(cut.instance.state).end == at(11));
  }
  SECTION("when no client is left, it is told to end at once") {
    CHECK(step_of(policy(draining.instance.state, Drained{}, at(1))) == Step::disconnecting);
    policy.channel = false;
    CHECK(step_of(policy(draining.instance.state, Drained{}, at(1))) == Step::asked);
  }
  SECTION("when its channel is closed, it has a moment to end by itself") {
    const auto closed = policy(leaving.instance.state, Drained{}, at(7));
    CHECK_FALSE(closed.command);
    CHECK(outcome(policy(closed.instance.state, Due{}, at(7) + farewell)) == "stopping signal");
    CHECK(outcome(policy(closed.instance.state, Exited{crash}, at(7))) == "stopping kill");  // the strays
  }
  SECTION("a short timeout is shared, too") {
    policy.stop.timeout = Millis{1000};
    const auto quick = policy(Ready{id, 42, start}, Stop{});
    CHECK(std::get<Stopping>(quick.instance.state).deadline == start + Millis{750});
    CHECK(std::get<Stopping>(quick.instance.state).end == start + Millis{1000});
  }
  SECTION("without anything to wait for, the signal comes first") {
    policy.channel = false;
    policy.drain = Millis{0};
    CHECK(policy(Ready{id, 42, start}, Stop{.drain = true}).command ==
          Command{Signal{id, SIGTERM, KillTarget::group}});
  }
}

TEST_CASE("a stop before the outcome of the start cancels it and waits for that outcome", "[lifecycle]") {
  const Policy policy;
  const auto unborn = policy(Starting{id}, Stop{});
  CHECK(unborn.command == Command{Cancel{id}});
  CHECK(policy(unborn.instance.state, SpawnFailed{}).instance.state == State{Stopped{}});
  const auto born = policy(unborn.instance.state, Spawned{42}, start + second);
  CHECK(born.command == Command{Signal{id, SIGTERM, KillTarget::group}});
  CHECK(std::get<Stopping>(born.instance.state).deadline == start + second + policy.stop.timeout);
  CHECK(policy(policy(Starting{id}, Stop{.force = true}).instance.state, Spawned{42}).command ==
        Command{Kill{id}});
}

TEST_CASE("a start that nobody answers is asked to end, again and again, and judged as an end",
          "[lifecycle]") {
  const Policy policy;
  const auto begun = policy(Waiting{}, Begin{id}).instance.state;
  CHECK_FALSE(policy(begun, Due{}, start + answer_within - Nanos{1}).command);
  const auto given_up = policy(begun, Due{}, start + answer_within);
  CHECK(given_up.command == Command{Kill{id}});
  const auto again = policy(given_up.instance.state, Due{}, start + 2 * answer_within);
  CHECK(again.command == Command{Kill{id}});
  for (const Event& answer : {Event{Gone{}}, Event{SpawnFailed{}}})
    CHECK(outcome(policy(again.instance.state, answer)) == "backoff");
  CHECK(policy(again.instance.state, Spawned{42}).command == Command{Kill{id}});  // after all
  const auto stopped = policy(begun, Stop{});
  CHECK(policy(stopped.instance.state, Due{}, start + answer_within).command == Command{Kill{id}});
}

TEST_CASE("nothing is started before nothing is left", "[lifecycle]") {
  Policy policy;
  policy.restart.delay = Millis{0};
  const auto ended = policy(Ready{id, 42, start}, Exited{crash});
  CHECK(ended.command == Command{Kill{id}});  // the strays
  CHECK_FALSE(policy(ended.instance.state, Begin{StartId{8}}).command);
  const auto gone = policy(ended.instance.state, Gone{});
  CHECK(std::get<Backoff>(gone.instance.state).until == start);
  CHECK(policy(gone.instance.state, Begin{StartId{8}}).command == Command{Spawn{StartId{8}}});
}

TEST_CASE("an end leads to the phase that the policy asks for", "[lifecycle]") {
  using When = RestartPolicy::When;
  const ExitStatus clean{ExitStatus::Kind::code, 0, false}, bad{ExitStatus::Kind::code, 3, false};
  const ExitStatus unknown{ExitStatus::Kind::unknown, 0, false},
      term{ExitStatus::Kind::signal, SIGTERM, false};
  const auto [when, status, want] = GENERATE_COPY(table<When, ExitStatus, Phase>({
      {When::always, clean, Phase::backoff},
      {When::always, bad, Phase::backoff},
      {When::always, unknown, Phase::backoff},
      {When::on_failure, clean, Phase::completed},
      {When::on_failure, term, Phase::completed},
      {When::on_failure, bad, Phase::backoff},
      {When::on_failure, unknown, Phase::backoff},
      {When::never, clean, Phase::completed},
      {When::never, bad, Phase::failed},
      {When::never, unknown, Phase::failed},
  }));
  Policy policy;
  policy.restart.policy = when;
  const auto ended = policy(Ready{id, 42, start}, Exited{status});
  CHECK(phase(policy(ended.instance.state, Gone{}).instance.state) == want);
}

TEST_CASE("an end that a stop brought about is not judged", "[lifecycle]") {
  Policy policy;
  policy.restart.max_restarts = 0;
  const auto asked = policy(Ready{id, 42, start}, Stop{});
  const auto ended = policy(asked.instance.state, Exited{crash});
  const auto gone = policy(ended.instance.state, Gone{});
  CHECK(phase(gone.instance.state) == Phase::stopped);
  CHECK(gone.instance.history == RestartHistory{});
}

TEST_CASE("wanted again while stopping: it finishes stopping, then waits for its start", "[lifecycle]") {
  const Policy policy;
  const auto renewed = policy(policy(Ready{id, 42, start}, Stop{}).instance.state, Renew{});
  CHECK(phase(renewed.instance.state) == Phase::stopping);
  const auto gone = policy(policy(renewed.instance.state, Exited{crash}).instance.state, Gone{});
  CHECK(phase(gone.instance.state) == Phase::waiting);
  const auto replaced = policy(Ready{id, 42, start}, Stop{.again = true});
  CHECK(phase(policy(replaced.instance.state, Gone{}).instance.state) == Phase::waiting);
}

TEST_CASE("a stay in ready of reset_after forgets the past; a shorter one does not", "[lifecycle]") {
  Policy policy;
  policy.restart.reset_after = Millis{1000};
  policy.restart.max_restarts = 1;
  RestartHistory history;
  REQUIRE(history.admit(policy.restart, start));
  const auto end_after = [&](Nanos stay) {
    const auto made = step({Ready{id, 42, start}, history}, Exited{crash}, {policy.restart, policy.stop, {}},
                           start + stay, 0);
    return phase(std::get<Stopping>(made.instance.state).next);
  };
  CHECK(end_after(second) == Phase::backoff);
  CHECK(end_after(second - Nanos{1}) == Phase::failed);
}

TEST_CASE("a failed start counts as a failure of the same policy", "[lifecycle]") {
  Policy policy;
  policy.restart.max_restarts = 2;
  Instance instance{Waiting{}, {}};
  const Rules rules{policy.restart, policy.stop, {}};
  for (const auto want : {Phase::backoff, Phase::backoff, Phase::failed}) {
    instance = step(std::move(instance), Begin{id}, rules, start, 0).instance;
    instance = step(std::move(instance), SpawnFailed{}, rules, start, 0).instance;
    CHECK(phase(instance.state) == want);
  }
  CHECK(std::get<Failed>(instance.state).why == Failed::Why::limit);
  instance = step(std::move(instance), Renew{}, rules, start, 0).instance;
  CHECK(instance.history == RestartHistory{});  // a person who says "again" gets all the tries again
}
