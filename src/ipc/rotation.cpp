// SPDX-License-Identifier: Apache-2.0
#include "ipc/rotation.h"

#include <algorithm>

namespace svd::ipc {

void Rotation::enter(StartId id, const std::string& key) {
  const bool busy = std::any_of(workers_.begin(), workers_.end(),
                                [&](const Worker& worker) { return worker.turn.id == id && worker.busy; });
  workers_.insert(workers_.begin(), {{id, key}, busy, {}, {}});
}

void Rotation::leave(StartId id, const std::string& key) {
  std::erase_if(workers_,
                [&](const Worker& worker) { return worker.turn.id == id && worker.turn.key == key; });
}

std::optional<Rotation::Turn> Rotation::next(TimePoint now) const {
  const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const Worker& worker) {
    return !worker.busy && worker.rests_until <= now;
  });
  if (found == workers_.end()) return std::nullopt;
  return found->turn;
}

void Rotation::took(const Turn& turn) {
  const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const Worker& worker) {
    return worker.turn.id == turn.id && worker.turn.key == turn.key;
  });
  if (found != workers_.end()) std::rotate(found, found + 1, workers_.end());
  for (auto& worker : workers_)
    if (worker.turn.id == turn.id) worker.busy = true;
}

void Rotation::answered(StartId id, bool accepted, TimePoint now) {
  for (auto& worker : workers_) {
    if (worker.turn.id != id) continue;
    worker.busy = false;
    worker.pause = accepted ? Millis{0} : std::clamp(worker.pause * 2, first_pause, longest_pause);
    worker.rests_until = now + worker.pause;
  }
}

std::optional<TimePoint> Rotation::wake(TimePoint now) const {
  std::optional<TimePoint> first;
  for (const auto& worker : workers_)
    if (!worker.busy && worker.rests_until > now && (!first || worker.rests_until < *first))
      first = worker.rests_until;
  return first;
}

}  // namespace svd::ipc
