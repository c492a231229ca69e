// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <deque>
#include <random>

#include "lifecycle/restart.h"
#include "model/restart_arithmetic.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::lifecycle;

namespace {

RestartPolicy backing_off(std::int64_t delay, double factor, std::int64_t cap) {
  RestartPolicy policy;
  policy.delay = Millis{delay};
  policy.factor = factor;
  policy.max_delay = Millis{cap};
  return policy;
}

}  // namespace

TEST_CASE("each further restart waits longer, up to the cap", "[lifecycle]") {
  const auto [delay, factor, cap, streak, want] =
      GENERATE(table<int, double, int, std::uint32_t, int>({{100, 2.0, 30'000, 0, 100},
                                                            {100, 2.0, 30'000, 1, 200},
                                                            {100, 2.0, 30'000, 8, 25'600},
                                                            {100, 2.0, 30'000, 9, 30'000},
                                                            {100, 2.0, 30'000, 4'000'000'000, 30'000},
                                                            {0, 2.0, 30'000, 4'000'000'000, 0},
                                                            {500, 1.0, 30'000, 50, 500},
                                                            {500, 3.0, 100, 0, 100},
                                                            {100, 1.5, 30'000, 2, 225}}));
  CAPTURE(delay, factor, streak);
  CHECK(backoff_delay(backing_off(delay, factor, cap), streak, 0.7) == Millis{want});
}

TEST_CASE("an end for want of memory is never clean", "[lifecycle]") {
  RestartPolicy policy;
  policy.success_exit = {{true, SIGKILL}};
  CHECK(is_clean({ExitStatus::Kind::signal, SIGKILL, false}, policy));
  CHECK_FALSE(is_clean({ExitStatus::Kind::signal, SIGKILL, false, Oom::limit, 0}, policy));
}

TEST_CASE("jitter takes its share off the delay, and no more", "[lifecycle]") {
  auto policy = backing_off(1000, 2, 30'000);
  policy.jitter = 0.25;
  CHECK(backoff_delay(policy, 0, 0.0) == Millis{750});
  CHECK(backoff_delay(policy, 0, 0.5) == Millis{875});
  CHECK(backoff_delay(policy, 0, 0.999999) <= Millis{1000});
  policy.jitter = 1;
  CHECK(backoff_delay(policy, 0, 0.0) == Millis{0});
}

TEST_CASE("success_exit says which ends are clean", "[lifecycle]") {
  RestartPolicy policy;
  policy.success_exit = {{false, 3}, {true, SIGINT}};
  using Kind = ExitStatus::Kind;
  CHECK(is_clean({Kind::code, 3, false}, policy));
  CHECK(is_clean({Kind::signal, SIGINT, false}, policy));
  for (const auto& bad :
       {ExitStatus{Kind::code, 0, false}, ExitStatus{Kind::code, SIGINT, false},
        ExitStatus{Kind::signal, 3, false}, ExitStatus{Kind::unknown, 3, false}, ExitStatus{}})
    CHECK_FALSE(is_clean(bad, policy));
}

// Against the plainest thing that can be right: all times, counted each time.
TEST_CASE("the limit of restarts is a sliding window, exact up to a thousand", "[lifecycle][property]") {
  std::mt19937 random{Catch::rngSeed()};
  const std::uint32_t limit = GENERATE(1U, 2U, 15U, 1000U);
  RestartPolicy policy;
  policy.max_restarts = limit;
  policy.window = Millis{1000};
  RestartHistory history;
  std::deque<TimePoint> all;
  TimePoint now{};
  for (int i = 0; i < 5000; ++i) {
    now += std::chrono::microseconds{random() % (2'000'000 / (limit + 1))};
    while (!all.empty() && now - all.front() >= policy.window) all.pop_front();
    const bool within = all.size() < limit;
    CHECK(history.admit(policy, now) == within);
    if (within) all.push_back(now);
    CHECK(history.times().size() <= limit);
  }
}

TEST_CASE("a huge limit costs no memory, is never reached too early, and at most 0.2 % too late",
          "[lifecycle]") {
  RestartPolicy policy;
  policy.max_restarts = 1'000'000;
  policy.window = Millis{3'600'000};
  RestartHistory history;
  std::uint32_t admitted = 0;
  while (history.admit(policy, TimePoint{Nanos{admitted}}) && admitted < 1'100'000) ++admitted;
  CHECK(admitted >= 1'000'000);
  CHECK(admitted <= 1'002'000);
  CHECK(history.times().size() <= RestartHistory::max_exact + 1);
  policy.max_restarts = 1'000'000'000;
  RestartHistory billion;
  for (int i = 0; i < 100'000; ++i) CHECK(billion.admit(policy, TimePoint{Nanos{i}}));
  CHECK(billion.times().size() <= 1);
}

TEST_CASE("no restart at all is a limit too", "[lifecycle]") {
  RestartPolicy policy;
  policy.max_restarts = 0;
  CHECK_FALSE(RestartHistory{}.admit(policy, {}));
}

TEST_CASE("a history that was saved goes on where it was", "[lifecycle]") {
  RestartPolicy policy;
  policy.max_restarts = 3;
  RestartHistory history, copy;
  for (int i = 0; i < 2; ++i) REQUIRE(history.admit(policy, TimePoint{Millis{i}}));
  copy.restore(history.streak(), {history.times().begin(), history.times().end()});
  CHECK(copy == history);
  CHECK(copy.admit(policy, TimePoint{Millis{3}}));
  CHECK_FALSE(copy.admit(policy, TimePoint{Millis{4}}));
  history.forget();
  CHECK(history.streak() == 0);
  CHECK(history.times().empty());
}

namespace {

// How many restarts a program gets that ends `run` after each start, by the very code that counts them;
// nullopt: more than `most`.
std::optional<GivesUp> tried(const RestartPolicy& policy, Millis run, std::uint32_t most) {
  RestartHistory history;
  TimePoint now{run};
  for (std::uint32_t restarts = 0; restarts <= most; ++restarts) {
    if (run >= policy.reset_after) history.forget();
    const auto delay = backoff_delay(policy, history.streak(), 0.0);  // the shortest waits
    if (!history.admit(policy, now))
      return GivesUp{restarts, std::chrono::ceil<Millis>(now.time_since_epoch()), {}};
    now += delay + run;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("a program that ends at once is failed after a known number and time, by default", "[lifecycle]") {
  CHECK(gives_up(RestartPolicy{}) == GivesUp{10, Millis{81'100}, Millis{81'100}});
  CHECK(gives_up(RestartPolicy{}, Millis{9'000}) == GivesUp{10, Millis{180'100}, Millis{180'100}});
  CHECK_FALSE(gives_up(RestartPolicy{}, Millis{10'000}));  // a clean record each time
  RestartPolicy policy;
  policy.jitter = 0.5;
  CHECK(gives_up(policy) == GivesUp{10, Millis{40'550}, Millis{81'100}});
  policy.max_restarts = 0;
  CHECK(gives_up(policy, Millis{5}) == GivesUp{0, Millis{5}, Millis{5}});
  policy = backing_off(100, 2, 30'000);
  policy.max_restarts = 15;
  policy.window = Millis{60'000};  // the waits of 15 restarts are 231.1 s
  CHECK_FALSE(gives_up(policy));
  policy.max_restarts = 1'000'000'000;
  CHECK_FALSE(gives_up(policy));
}

TEST_CASE("what is said of when a policy gives up is what happens", "[lifecycle][property]") {
  std::mt19937 random{Catch::rngSeed()};
  const auto below = [&](std::uint32_t n) { return static_cast<std::int64_t>(random() % n); };
  std::uint32_t reached = 0;
  for (int i = 0; i < 20'000; ++i) {
    RestartPolicy policy =
        backing_off(below(2'000), 1 + static_cast<double>(below(30)) / 10, 2'000 + below(60'000));
    policy.jitter = static_cast<double>(below(11)) / 10;
    policy.max_restarts = static_cast<std::uint32_t>(below(30));
    policy.window = Millis{1 + below(900'000)};
    policy.reset_after = Millis{below(20'000)};
    const Millis run{below(3) == 0 ? below(15'000) : below(50)};
    const auto said = gives_up(policy, run);
    const auto is = tried(policy, run, 3 * policy.max_restarts + 10);
    CAPTURE(policy.delay, policy.factor, policy.max_delay, policy.jitter, policy.max_restarts, policy.window,
            policy.reset_after, run);
    auto wider = policy;
    wider.window += Millis{2};  // waits are rounded to nanoseconds, the sum to milliseconds
    if (said.has_value() != is.has_value()) CHECK(gives_up(wider, run).has_value() != said.has_value());
    if (!said || !is) continue;
    ++reached;
    CHECK(said->restarts == is->restarts);
    CHECK(std::abs((said->soonest - is->soonest).count()) <= 1);
    CHECK(said->latest >= said->soonest);
  }
  CHECK(reached > 5'000);
}
