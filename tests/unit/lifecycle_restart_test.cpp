// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <deque>
#include <random>

#include "lifecycle/restart.h"
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
