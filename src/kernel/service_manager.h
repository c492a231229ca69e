// SPDX-License-Identifier: Apache-2.0
// The service manager that started us, if one did: told when we serve, fed its watchdog, and keeper of
// descriptors across a restart of the whole service (sd_notify(3): $NOTIFY_SOCKET, $WATCHDOG_USEC, FDSTORE).
// Nothing waits for it: what it does not take now is queued, and what it never takes is lost to it alone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "loop/loop.h"

namespace svd {

class ServiceManager {
 public:
  // Null: no service manager started us. Error: one did and cannot be reached.
  static Result<std::unique_ptr<ServiceManager>> find(const Loop& loop);

  // "READY=1", "STATUS=…", "STOPPING=1".
  void tell(std::string text);
  // From now on the watchdog is fed twice in its interval, as long as the loop turns. Nothing where none is
  // set.
  Result<> feed_watchdog();
  // A duplicate of `fd` (borrowed) comes back under `name` when the service is started anew; an older one of
  // that name is given up.
  void store(const std::string& name, int fd);
  void forget(const std::string& name);

  // Names of stored descriptors may hold no ':' (sd_pid_notify_with_fds(3)), ours no '/'.
  [[nodiscard]] static std::string stored_name(std::string name);

 private:
  struct Note {
    std::string text;
    UniqueFd fd;
  };
  static constexpr std::size_t max_queued = 32'768;  // more than there are descriptors to store

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
};

}  // namespace svd
