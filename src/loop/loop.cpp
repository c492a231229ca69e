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

Result<> set_priority(sd_event_source* source, Priority priority) {
  return check(sd_event_source_set_priority(source, static_cast<std::int64_t>(priority)),
               "cannot order an event source");
}

}  // namespace

Result<Loop> Loop::make() {
  Loop loop;
  sd_event* event = nullptr;
  if (const int r = sd_event_new(&event); r < 0) return fail_errno(-r, "cannot create the event loop");
  loop.event_.reset(event);
  return loop;
}

Result<int> Loop::run() {
  const int r = sd_event_loop(event_.get());
  if (r < 0) return fail_errno(-r, "cannot run the event loop");
  return r;
}

void Loop::exit(int code) { sd_event_exit(event_.get(), code); }

Now Loop::now() {
  return {TimePoint{Nanos{read_clock(CLOCK_MONOTONIC)}}, WallTime{read_clock(CLOCK_REALTIME) / 1000}};
}

Result<> IoWatch::arm(const Loop& loop, int fd, std::uint32_t events, Priority priority, Handler handler) {
  source_.reset();  // first: epoll does not take the same descriptor twice
  handler_ = std::move(handler);
  sd_event_source* source = nullptr;
  const auto trampoline = [](sd_event_source*, int, std::uint32_t revents, void* self) -> int {
    return guarded(static_cast<IoWatch*>(self)->handler_, revents);
  };
  SVD_CHECK(
      check(sd_event_add_io(loop.get(), &source, fd, events, trampoline, this), "cannot watch a descriptor"));
  source_.reset(source);
  return set_priority(source, priority);
}

Result<> IoWatch::set_events(std::uint32_t events) {
  return check(sd_event_source_set_io_events(source_.get(), events),
               "cannot change what a descriptor is watched for");
}

Result<> Timer::arm(const Loop& loop, Priority priority, Handler handler) {
  source_.reset();
  handler_ = std::move(handler);
  sd_event_source* source = nullptr;
  const auto trampoline = [](sd_event_source*, std::uint64_t, void* self) -> int {
    return guarded(static_cast<Timer*>(self)->handler_);
  };
  SVD_CHECK(check(sd_event_add_time(loop.get(), &source, CLOCK_MONOTONIC, 0, 1, trampoline, this),
                  "cannot create a timer"));
  source_.reset(source);
  SVD_CHECK(check(sd_event_source_set_enabled(source, SD_EVENT_OFF), "cannot create a timer"));
  return set_priority(source, priority);
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
  source_.reset();
  handler_ = std::move(handler);
  sd_event_source* source = nullptr;
  const auto trampoline = [](sd_event_source*, void* self) -> int {
    return guarded(static_cast<Idle*>(self)->handler_);
  };
  SVD_CHECK(check(sd_event_add_defer(loop.get(), &source, trampoline, this), "cannot create an idle source"));
  source_.reset(source);
  SVD_CHECK(check(sd_event_source_set_enabled(source, SD_EVENT_OFF), "cannot create an idle source"));
  return set_priority(source, priority);
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
