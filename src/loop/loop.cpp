// SPDX-License-Identifier: Apache-2.0
#include "loop/loop.h"

#include <sys/epoll.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <utility>
#include <vector>

namespace svd {
namespace {

std::int64_t read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// The C border: nothing is thrown through it, and the source stays enabled. The handler is a copy, so that it
// may disarm, arm anew or destroy what it belongs to (a handler that captures one pointer is copied without
// allocation).
template <class Handler, class... Arguments>
int guarded(Handler handler, Arguments... arguments) noexcept {
  try {
    handler(arguments...);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "svd: internal error in an event handler: %s\n", error.what());
  } catch (...) {
    std::fputs("svd: internal error in an event handler\n", stderr);
  }
  return 0;
}

Result<> check(int r, const char* what) {
  if (r < 0) return fail_errno(-r, what);
  return {};
}

constexpr std::int64_t lifted_priority = 5;  // after exits and cgroups, before Priority::bus
constexpr unsigned look_each = 32;           // dispatches
constexpr Millis look_every{10};

// Of this thread: all that is of Priority::message or later.
std::vector<EventSource*>& patient_ones() {
  thread_local std::vector<EventSource*> all;
  return all;
}

}  // namespace

Result<> EventSource::adopt(sd_event_source* source, Priority priority) {
  release();
  source_.reset(source);
  priority_ = priority;
  if (priority >= Priority::message) patient_ones().push_back(this);
  return check(sd_event_source_set_priority(source, static_cast<std::int64_t>(priority)),
               "cannot order an event source");
}

void EventSource::release() noexcept {
  if (source_ && priority_ >= Priority::message) std::erase(patient_ones(), this);
  source_.reset();
  waits_ = lifted_ = false;
}

void EventSource::served() noexcept {
  waits_ = false;
  if (std::exchange(lifted_, false))
    sd_event_source_set_priority(source_.get(), static_cast<std::int64_t>(priority_));
}

void EventSource::lift_if_waiting() {
  int enabled = SD_EVENT_OFF;
  const bool ready = sd_event_source_get_enabled(source_.get(), &enabled) >= 0 && enabled != SD_EVENT_OFF &&
                     sd_event_source_get_pending(source_.get()) > 0;
  if (ready && waits_ && !lifted_)
    lifted_ = sd_event_source_set_priority(source_.get(), lifted_priority) >= 0;
  waits_ = ready;
}

void EventSource::lift_those_who_wait() {
  for (auto* const one : patient_ones()) one->lift_if_waiting();
}

Result<Loop> Loop::make() {
  Loop loop;
  sd_event* event = nullptr;
  if (const int r = sd_event_new(&event); r < 0) return fail_errno(-r, "cannot create the event loop");
  loop.event_.reset(event);
  return loop;
}

Result<int> Loop::run() {
  unsigned dispatches = 0;
  auto last_look = now().mono;
  while (sd_event_get_state(event_.get()) != SD_EVENT_FINISHED) {
    if (const int r = sd_event_run(event_.get(), UINT64_MAX); r < 0)
      return fail_errno(-r, "cannot run the event loop");
    const auto time = now().mono;
    if (++dispatches < look_each && time - last_look < look_every) continue;
    dispatches = 0;
    last_look = time;
    EventSource::lift_those_who_wait();
  }
  int code = 0;
  if (const int r = sd_event_get_exit_code(event_.get(), &code); r < 0)
    return fail_errno(-r, "cannot run the event loop");
  return code;
}

void Loop::exit(int code) { sd_event_exit(event_.get(), code); }

Now Loop::now() {
  return {TimePoint{Nanos{read_clock(CLOCK_MONOTONIC)}}, WallTime{read_clock(CLOCK_REALTIME) / 1000}};
}

Result<> IoWatch::arm(const Loop& loop, int fd, std::uint32_t events, Priority priority, Handler handler) {
  release();  // first: epoll does not take the same descriptor twice
  handler_ = std::move(handler);
  sd_event_source* source = nullptr;
  const auto trampoline = [](sd_event_source*, int, std::uint32_t revents, void* self) -> int {
    auto& own = *static_cast<IoWatch*>(self);
    own.served();
    return guarded(own.handler_, revents);
  };
  SVD_CHECK(
      check(sd_event_add_io(loop.get(), &source, fd, events, trampoline, this), "cannot watch a descriptor"));
  return adopt(source, priority);
}

Result<> IoWatch::set_events(std::uint32_t events) {
  return check(sd_event_source_set_io_events(source_.get(), events),
               "cannot change what a descriptor is watched for");
}

Result<> Timer::arm(const Loop& loop, Priority priority, Handler handler) {
  release();
  handler_ = std::move(handler);
  sd_event_source* source = nullptr;
  const auto trampoline = [](sd_event_source*, std::uint64_t, void* self) -> int {
    auto& own = *static_cast<Timer*>(self);
    own.served();
    return guarded(own.handler_);
  };
  SVD_CHECK(check(sd_event_add_time(loop.get(), &source, CLOCK_MONOTONIC, 0, 1, trampoline, this),
                  "cannot create a timer"));
  SVD_CHECK(adopt(source, priority));
  return check(sd_event_source_set_enabled(source, SD_EVENT_OFF), "cannot create a timer");
}

Result<> Timer::set(std::optional<TimePoint> when) {
  if (!when) return check(sd_event_source_set_enabled(source_.get(), SD_EVENT_OFF), "cannot stop a timer");
  // Rounded up: a timer that fires early would find nothing to do and be set again.
  const auto micros = (std::max<std::int64_t>(when->time_since_epoch().count(), 0) + 999) / 1000;
  SVD_CHECK(check(sd_event_source_set_time(source_.get(), static_cast<std::uint64_t>(micros)),
                  "cannot set a timer"));
  return check(sd_event_source_set_enabled(source_.get(), SD_EVENT_ONESHOT), "cannot set a timer");
}

Result<> Idle::arm(const Loop& loop, Handler handler) {
  return arm(loop, Priority::idle, std::move(handler));
}

Result<> Idle::arm(const Loop& loop, Priority priority, Handler handler) {
  release();
  handler_ = std::move(handler);
  sd_event_source* source = nullptr;
  const auto trampoline = [](sd_event_source*, void* self) -> int {
    auto& own = *static_cast<Idle*>(self);
    own.served();
    return guarded(own.handler_);
  };
  SVD_CHECK(check(sd_event_add_defer(loop.get(), &source, trampoline, this), "cannot create an idle source"));
  SVD_CHECK(adopt(source, priority));
  return check(sd_event_source_set_enabled(source, SD_EVENT_OFF), "cannot create an idle source");
}

void Idle::request() { sd_event_source_set_enabled(source_.get(), SD_EVENT_ONESHOT); }

Result<> SignalWatch::arm(const Loop& loop, std::span<const int> numbers, Handler handler) {
  sources_.clear();
  handler_ = std::move(handler);
  sigset_t mask;
  ::sigemptyset(&mask);
  for (const int number : numbers) ::sigaddset(&mask, number);
  if (::pthread_sigmask(SIG_BLOCK, &mask, nullptr) != 0) return fail_errno(errno, "cannot block signals");
  const auto trampoline = [](sd_event_source*, const signalfd_siginfo* info, void* self) -> int {
    return guarded(static_cast<SignalWatch*>(self)->handler_, static_cast<int>(info->ssi_signo));
  };
  for (const int number : numbers) {
    sd_event_source* source = nullptr;
    SVD_CHECK(
        check(sd_event_add_signal(loop.get(), &source, number, trampoline, this), "cannot watch a signal"));
    sources_.emplace_back(source);
  }
  return {};
}

Result<> ChildWatch::arm(const Loop& loop, int pid, Handler handler) {
  source_.reset();
  handler_ = std::move(handler);
  sd_event_source* source = nullptr;
  const auto trampoline = [](sd_event_source*, const siginfo_t* info, void* self) -> int {
    const int status = info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
    return guarded(static_cast<ChildWatch*>(self)->handler_, status);
  };
  SVD_CHECK(check(sd_event_add_child(loop.get(), &source, pid, WEXITED, trampoline, this),
                  "cannot watch a helper"));
  source_.reset(source);
  return {};
}

}  // namespace svd
