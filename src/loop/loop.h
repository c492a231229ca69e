// SPDX-License-Identifier: Apache-2.0
// sd-event behind RAII. One loop, one thread. A handler never blocks and never throws into C: whatever it
// throws is reported and swallowed, since a negative return would disable its source for good
// (sd_event_add_io(3)).
#pragma once

#include <systemd/sd-event.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace svd {

// What runs first when several sources are ready at once. The order is part of the design: what others can
// make ready as often as they like (messages, clients) comes after what they cannot, and among themselves
// each has its turn; an exit status is known before the cgroup is seen empty, and N events cost one
// reconcile. What comes last comes all the same: who has waited for long is lifted above the crowd
// (EventSource).
enum class Priority : std::int64_t {
  exit = -10,
  cgroup = 0,
  bus = 10,      // the private socket: who may act
  message = 15,  // programs on their channels, strangers on the system bus
  client = 20,
  idle = SD_EVENT_PRIORITY_IDLE
};

struct SourceDeleter {
  void operator()(sd_event_source* source) const noexcept { sd_event_source_disable_unref(source); }
};
using SourcePtr = std::unique_ptr<sd_event_source, SourceDeleter>;

class Loop {
 public:
  static Result<Loop> make();
  [[nodiscard]] sd_event* get() const noexcept { return event_.get(); }
  // Runs until exit(); returns its code.
  Result<int> run();
  void exit(int code);
  // Both clocks, as of now (not cached: a handler may take long).
  [[nodiscard]] static Now now();

 private:
  struct Unref {
    void operator()(sd_event* event) const noexcept { sd_event_unref(event); }
  };
  std::unique_ptr<sd_event, Unref> event_;
};

// The sources below are pinned in memory, since sd-event keeps a pointer to them. A handler may disarm, arm
// anew and even destroy its own source.
class Pinned {
 public:
  Pinned() = default;
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
};

// What those below share: one of Priority::message or later that is ready and has not had its turn for 32
// others, or 10 ms, twice over, goes before all that others can make ready, once.
class EventSource : Pinned {
 public:
  static void lift_those_who_wait();  // by Loop::run()

 protected:
  EventSource() = default;
  ~EventSource() { release(); }
  Result<> adopt(sd_event_source* source, Priority priority);
  void release() noexcept;
  void served() noexcept;  // its handler is about to run
  SourcePtr source_;

 private:
  void lift_if_waiting();
  Priority priority_{};
  bool waits_ = false;   // at the last look
  bool lifted_ = false;  // until it is served
};

// Calls `handler(revents)` whenever `fd` (borrowed) is ready for `events` (EPOLLIN …).
class IoWatch : EventSource {
 public:
  using Handler = std::function<void(std::uint32_t revents)>;
  Result<> arm(const Loop& loop, int fd, std::uint32_t events, Priority priority, Handler handler);
  Result<> set_events(std::uint32_t events);
  void disarm() noexcept { release(); }
  [[nodiscard]] bool armed() const noexcept { return source_ != nullptr; }

 private:
  Handler handler_;
};

// Calls `handler` once at a time of CLOCK_MONOTONIC. set() again moves it; nullopt switches it off. No slack
// is added.
class Timer : EventSource {
 public:
  using Handler = std::function<void()>;
  Result<> arm(const Loop& loop, Priority priority, Handler handler);
  Result<> set(std::optional<TimePoint> when);

 private:
  Handler handler_;
};

// Calls `handler` once after every other pending source of higher priority has run, each time request() was
// called.
class Idle : EventSource {
 public:
  using Handler = std::function<void()>;
  Result<> arm(const Loop& loop, Handler handler);
  // The same, among the sources of `priority` instead of after all.
  Result<> arm(const Loop& loop, Priority priority, Handler handler);
  void request();

 private:
  Handler handler_;
};

// Calls `handler(signal)`; blocks the signals in the calling thread first.
class SignalWatch : Pinned {
 public:
  using Handler = std::function<void(int number)>;
  Result<> arm(const Loop& loop, std::span<const int> numbers, Handler handler);

 private:
  Handler handler_;
  std::vector<SourcePtr> sources_;
};

// Calls `handler(code or -signal)` when our own child `pid` (a helper) has ended, and reaps it.
class ChildWatch : Pinned {
 public:
  using Handler = std::function<void(int status)>;
  Result<> arm(const Loop& loop, int pid, Handler handler);

 private:
  Handler handler_;
  SourcePtr source_;
};

}  // namespace svd
