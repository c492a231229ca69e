// SPDX-License-Identifier: Apache-2.0
// The service manager that started us, if one did: told when we serve, fed its watchdog, and keeper of
// descriptors across a restart of the whole service (sd_notify(3): $NOTIFY_SOCKET, $WATCHDOG_USEC, FDSTORE).
// Nothing waits for it: what it does not take now is queued, and what it never takes is lost to it alone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
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

  // False: there is no room for it. True also where it is in there already.
  bool note(const std::string& name);
  // False: it is not in there.
  bool forget(const std::string& name);
  [[nodiscard]] bool contains(const std::string& name) const { return names_.contains(name); }

 private:
  std::unordered_set<std::string> names_;
  std::size_t bytes_ = 0;  // encoded, with a ':' each
};

class ServiceManager {
 public:
  // Null: no service manager started us. Error: one did and cannot be reached.
  static Result<std::unique_ptr<ServiceManager>> find(const Loop& loop);

  // "READY=1", "STATUS=…", "STOPPING=1".
  void tell(std::string text);
  // From now on the watchdog is fed twice in its interval, as long as the loop turns. Nothing where none is
  // set.
  Result<> feed_watchdog();
  // A duplicate of `fd` (borrowed) comes back under `name` when the service is started anew
  // (keeper/passed.cpp); an older one of that name is given up. What is beyond the bounds of a store is not
  // stored.
  void store(const std::string& name, int fd);
  void forget(const std::string& name);
  // An engine before us has stored it.
  void note_stored(const std::string& name) { stored_.note(name); }

 private:
  struct Note {
    std::string text;
    UniqueFd fd;
  };
  static constexpr std::size_t max_queued = 32'768;

  explicit ServiceManager(const Loop& loop) : loop_{loop} {}
  void queue(std::string text, UniqueFd fd);
  void send();
  [[nodiscard]] bool send_first();

  const Loop& loop_;
  UniqueFd socket_;
  IoWatch watch_;
  Timer watchdog_;
  Millis interval_{0};
  std::deque<Note> queue_;
  StoredNames stored_;
};

}  // namespace svd
