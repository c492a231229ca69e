// SPDX-License-Identifier: Apache-2.0
// Round robin: who gets the next connection. A worker has one at a time that it has not answered; one that
// refuses (server.maxConnections) is left alone for a while, longer each time, so that a connection which
// nobody wants does not go round and round.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/names.h"

namespace svd::ipc {

class Rotation {
 public:
  static constexpr Millis first_pause{10}, longest_pause{1'000};

  struct Turn {
    StartId id{};
    std::string key;
  };

  // A worker serves the key: it is next in turn.
  void enter(StartId id, const std::string& key);
  void leave(StartId id, const std::string& key);
  // Whose turn it is; nullopt: nobody can take one now.
  [[nodiscard]] std::optional<Turn> next(TimePoint now) const;
  // It got one: it is busy until answered(), and then last in turn.
  void took(const Turn& turn);
  void answered(StartId id, bool accepted, TimePoint now);
  // When a pause ends, if all that keeps a worker from its turn is one.
  [[nodiscard]] std::optional<TimePoint> wake(TimePoint now) const;
  [[nodiscard]] bool empty() const { return workers_.empty(); }

 private:
  struct Worker {
    Turn turn;
    bool busy = false;
    Millis pause{0};
    TimePoint rests_until{};
  };
  std::vector<Worker> workers_;  // the next one first
};

}  // namespace svd::ipc
