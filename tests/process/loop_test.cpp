// SPDX-License-Identifier: Apache-2.0
#include "loop/loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include "base/unique_fd.h"
#include "support/catch.h"

using namespace svd;

namespace {

struct Pipe {
  UniqueFd read_end, write_end;
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    read_end = UniqueFd{ends[0]};
    write_end = UniqueFd{ends[1]};
  }
  void put() const { REQUIRE(::write(write_end.get(), "x", 1) == 1); }
  void take() const {
    char byte = 0;
    REQUIRE(::read(read_end.get(), &byte, 1) == 1);
  }
};

struct Fixture {
  Loop loop = std::move(*Loop::make());
  // Everything that is ready, and what becomes ready by it.
  void drain() {
    while (sd_event_run(loop.get(), 0) > 0) {
    }
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "what is ready at once runs by priority, whatever was armed first", "[loop]") {
  constexpr std::array order{Priority::client, Priority::message, Priority::cgroup, Priority::exit};
  std::array<Pipe, order.size()> pipes;
  std::array<IoWatch, order.size()> watches;
  Idle idle, early;
  std::string ran;
  REQUIRE(idle.arm(loop, [&] { ran += "i"; }));
  REQUIRE(early.arm(loop, Priority::message, [&] { ran += "e"; }));
  idle.request();
  for (std::size_t i = 0; i < order.size(); ++i) {
    REQUIRE(watches[i].arm(loop, pipes[i].read_end.get(), EPOLLIN, order[i], [&, i](std::uint32_t) {
      pipes[i].take();
      ran += std::to_string(i);
      if (i == 1) early.request();  // asked for while it all runs, and still before what is less urgent
    }));
    pipes[i].put();
  }
  drain();
  CHECK(ran == "321e0i");
}

TEST_CASE_METHOD(Fixture, "what comes last comes all the same while others never pause", "[loop]") {
  const Pipe pipe;
  pipe.put();
  IoWatch flood, patient;
  Idle idle;
  Timer timer;
  std::string ran;
  std::size_t floods = 0;
  REQUIRE(flood.arm(loop, pipe.read_end.get(), EPOLLIN, Priority::bus, [&](std::uint32_t) {
    if (++floods > 1'000'000) loop.exit(1);  // it is never taken, and so always ready
  }));
  const auto done = [&](char what) {
    ran += what;
    if (ran.size() == 6) loop.exit(0);
  };
  const Pipe other;
  other.put();
  REQUIRE(patient.arm(loop, other.read_end.get(), EPOLLIN, Priority::client, [&](std::uint32_t) {
    other.take();
    done('p');
  }));
  REQUIRE(timer.arm(loop, Priority::client, [&] { done('t'); }));
  REQUIRE(timer.set(Loop::now().mono));
  REQUIRE(idle.arm(loop, [&] {
    done('i');
    if (ran.size() >= 6) return;
    idle.request();  // and once more
  }));
  idle.request();
  CHECK(loop.run() == 0);
  CHECK(ran.find('p') != ran.npos);
  CHECK(ran.find('t') != ran.npos);
}

TEST_CASE_METHOD(Fixture, "an idle call runs once however often it was asked for", "[loop]") {
  Idle idle;
  int calls = 0;
  REQUIRE(idle.arm(loop, [&] { ++calls; }));
  drain();
  CHECK(calls == 0);
  idle.request();
  idle.request();
  drain();
  CHECK(calls == 1);
  idle.request();
  drain();
  CHECK(calls == 2);
}

TEST_CASE_METHOD(Fixture, "a handler that throws is called again the next time", "[loop]") {
  const Pipe pipe;
  IoWatch watch;
  int calls = 0;
  REQUIRE(watch.arm(loop, pipe.read_end.get(), EPOLLIN, Priority::bus, [&](std::uint32_t) {
    pipe.take();
    if (++calls == 1) throw std::runtime_error{"a mistake that this test makes on purpose"};
    if (calls == 2) throw 7;
  }));
  for (int i = 0; i < 3; ++i) {
    pipe.put();
    drain();
  }
  CHECK(calls == 3);
}

TEST_CASE_METHOD(Fixture, "a handler may disarm, arm anew or destroy its own source", "[loop]") {
  const Pipe pipe;
  std::string ran;
  auto watch = std::make_unique<IoWatch>();
  // Captures more than fits into a std::function, so that a use after the end would be seen by the sanitizer.
  const std::string text = "a text that does not fit into a small buffer";
  REQUIRE(watch->arm(loop, pipe.read_end.get(), EPOLLIN, Priority::bus, [&, text](std::uint32_t) {
    pipe.take();
    REQUIRE(watch->arm(loop, pipe.read_end.get(), EPOLLIN, Priority::bus, [&, text](std::uint32_t) {
      pipe.take();
      watch.reset();
      ran += text.substr(0, 1) + "2";
    }));
    ran += text.substr(0, 1) + "1";
  }));
  pipe.put();
  drain();
  pipe.put();
  drain();
  CHECK(ran == "a1a2");
  pipe.put();
  drain();
  CHECK(ran == "a1a2");
}

TEST_CASE_METHOD(Fixture, "a timer fires once, at its time and not before, and can be moved and stopped",
                 "[loop]") {
  Timer timer;
  std::vector<TimePoint> fired;
  REQUIRE(timer.arm(loop, Priority::cgroup, [&] { fired.push_back(Loop::now().mono); }));
  const auto soon = Loop::now().mono + Millis{5};
  REQUIRE(timer.set(Loop::now().mono + Millis{60'000}));
  REQUIRE(timer.set(soon));
  while (fired.empty()) REQUIRE(sd_event_run(loop.get(), 5'000'000) >= 0);
  CHECK(fired[0] >= soon);
  drain();
  CHECK(fired.size() == 1);
  REQUIRE(timer.set(Loop::now().mono - Millis{1}));  // the past: at once
  REQUIRE(timer.set(std::nullopt));
  drain();
  CHECK(fired.size() == 1);
  REQUIRE(timer.set(TimePoint{Nanos{-5}}));
  drain();
  CHECK(fired.size() == 2);
}

TEST_CASE_METHOD(Fixture, "what a descriptor is watched for can be changed", "[loop]") {
  const Pipe pipe;
  IoWatch watch;
  int calls = 0;
  REQUIRE(watch.arm(loop, pipe.read_end.get(), EPOLLIN, Priority::bus, [&](std::uint32_t) { ++calls; }));
  REQUIRE(watch.set_events(0));
  pipe.put();
  drain();
  CHECK(calls == 0);
  REQUIRE(watch.set_events(EPOLLIN));
  REQUIRE(sd_event_run(loop.get(), 0) > 0);
  CHECK(calls == 1);
  CHECK(watch.armed());
  watch.disarm();
  CHECK_FALSE(watch.armed());
  drain();
  CHECK(calls == 1);
}

TEST_CASE_METHOD(Fixture, "a descriptor that cannot be watched is an error", "[loop]") {
  char name[] = "/tmp/svd-loop-XXXXXX";
  const UniqueFd regular{::mkstemp(name)};
  ::unlink(name);
  IoWatch watch;
  const auto armed = watch.arm(loop, regular.get(), EPOLLIN, Priority::bus, [](std::uint32_t) {});
  REQUIRE_FALSE(armed);
  CHECK(armed.error().code == std::errc::operation_not_permitted);  // epoll_ctl(2): EPERM
  CHECK_FALSE(watch.armed());
}

TEST_CASE_METHOD(Fixture, "signals and ends of children arrive with what they mean", "[loop]") {
  SignalWatch signals;
  std::vector<int> seen;
  constexpr std::array numbers{SIGUSR1, SIGUSR2};
  REQUIRE(signals.arm(loop, numbers, [&](int number) { seen.push_back(number); }));
  ::kill(::getpid(), SIGUSR2);
  while (seen.empty()) REQUIRE(sd_event_run(loop.get(), 5'000'000) >= 0);
  CHECK(seen == std::vector<int>{SIGUSR2});

  sigset_t mask;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGCHLD);
  REQUIRE(::sigprocmask(SIG_BLOCK, &mask, nullptr) == 0);  // sd_event_add_child(3) wants that
  for (const int want : {7, -SIGKILL}) {
    const auto pid = ::fork();
    if (pid == 0) {
      if (want < 0) ::kill(::getpid(), -want);
      ::_exit(want);
    }
    std::optional<int> got;
    ChildWatch child;
    REQUIRE(child.arm(loop, pid, [&](int status) { got = status; }));
    while (!got) REQUIRE(sd_event_run(loop.get(), 5'000'000) >= 0);
    CHECK(got == want);
    CHECK(::waitpid(pid, nullptr, WNOHANG) == -1);  // it was reaped
  }
}

TEST_CASE_METHOD(Fixture, "the loop ends with the code that it was given", "[loop]") {
  Idle idle;
  REQUIRE(idle.arm(loop, [&] { loop.exit(42); }));
  idle.request();
  CHECK(*loop.run() == 42);
}
