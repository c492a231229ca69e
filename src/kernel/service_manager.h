// SPDX-License-Identifier: Apache-2.0
// The service manager that started us, if one did: told when we serve, fed its watchdog, and keeper of
// descriptors across a restart of the whole service (sd_notify(3): $NOTIFY_SOCKET, $WATCHDOG_USEC, FDSTORE).
// It is to believe the main process alone (NotifyAccess=main), so the keeper is who speaks to it
// (keeper/relay.cpp), and says what this class has it say. Nothing waits for it: what it does not take now is
// queued, and what it never takes is lost to it alone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "kernel/passed.h"
#include "loop/loop.h"

namespace svd {

// What a service manager keeps for us, bounded: all names together come back in one environment variable, of
// which execve(2) takes no more than 128 KiB.
class StoredNames {
 public:
  static constexpr std::size_t most = 2'000;  // units: FileDescriptorStoreMax=
  static constexpr std::size_t most_bytes = 120U << 10;

  // May hold no ':' and nothing unprintable (sd_pid_notify_with_fds(3)): "%3A" and the like stand for that.
  [[nodiscard]] static std::string encode(std::string_view name);

  // `stored`: what it is called there, encoded. False: there is no room for it. True also where it is in
  // there already.
  bool note(const std::string& name, std::string stored);
  // What it was called there; empty: it is not in there.
  std::string forget(const std::string& name);
  [[nodiscard]] bool contains(const std::string& name) const { return names_.contains(name); }

 private:
  std::unordered_map<std::string, std::string> names_;
  std::size_t bytes_ = 0;  // encoded, with a ':' each
};

class ServiceManager {
 public:
  // Of this environment, as the keeper, `keeper_pid`, got it. Null: no service manager started us.
  static std::unique_ptr<ServiceManager> find(const Loop& loop, std::int64_t keeper_pid, Seal seal);

  // "READY=1", "STATUS=…", "STOPPING=1".
  void tell(std::string text);
  // From now on the watchdog is fed twice in its interval, as long as the loop turns. Nothing where none is
  // set.
  Result<> feed_watchdog();
  // A duplicate of `fd` (borrowed) comes back under `name` when the service is started anew
  // (kernel/passed.h); an older one of that name is given up. What is beyond the bounds of a store is not
  // stored.
  void store(const std::string& name, int fd);
  void forget(const std::string& name);
  // An engine before us has stored it.
  void note_stored(const std::string& name, int fd);
  // What it passed, by the name it has there: the name under which we stored it. nullopt: that was not us; it
  // is no longer kept.
  [[nodiscard]] std::optional<std::string> accept(const std::string& passed, int fd);

  // How the keeper is asked: text, and a descriptor (borrowed) or -1. At most keeper::max_notes are under
  // way.
  using Send = std::function<void(const std::string& text, int fd)>;
  void speak_through(Send send);
  void sent(std::uint32_t count);  // so many are no longer under way

 private:
  struct Note {
    std::string text;
    UniqueFd fd;
  };
  static constexpr std::size_t max_queued = 32'768;

  ServiceManager(const Loop& loop, Seal seal, Millis interval)
      : loop_{loop}, seal_{seal}, interval_{interval} {}
  [[nodiscard]] std::string stored_name(const std::string& name, int fd) const;
  void queue(std::string text, UniqueFd fd);
  void send();

  const Loop& loop_;
  Seal seal_;
  Timer watchdog_;
  Millis interval_;  // between two feeds; 0: it wants none
  Send send_;
  std::uint32_t under_way_ = 0;
  std::deque<Note> queue_;
  StoredNames stored_;
};

// The interval at which a watchdog wants to be fed, half of what it waits: from $WATCHDOG_USEC and
// $WATCHDOG_PID, null where they are not set. 0: none waits, or not for `keeper_pid`, or this is no number.
[[nodiscard]] Millis watchdog_interval(const char* usec, const char* pid, std::int64_t keeper_pid);

}  // namespace svd
