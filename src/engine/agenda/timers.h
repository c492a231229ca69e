// SPDX-License-Identifier: Apache-2.0
// When keys are to be looked at again, one time a key. What is due at the same time comes in the order of
// keys, so that it happens in the same order in every build and run.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/time.h"

namespace svd {

template <class Key>
class Timers {
 public:
  // nullopt: not at all.
  void set(const Key& key, std::optional<TimePoint> at) {
    const auto armed = armed_.find(key);
    if (armed != armed_.end() && at == armed->second) return;
    if (armed != armed_.end()) {
      order_.erase({armed->second, key});
      armed_.erase(armed);
    }
    if (!at) return;
    order_.emplace(*at, key);
    armed_.emplace(key, *at);
  }
  // Those that are due; they are not set any more.
  [[nodiscard]] std::vector<Key> take_due(TimePoint now) {
    std::vector<Key> due;
    for (; !order_.empty() && order_.begin()->first <= now; order_.erase(order_.begin())) {
      due.push_back(order_.begin()->second);
      armed_.erase(due.back());
    }
    return due;
  }
  [[nodiscard]] std::optional<TimePoint> next() const {
    return order_.empty() ? std::nullopt : std::optional{order_.begin()->first};
  }
  // The one that is due first comes first.
  [[nodiscard]] std::vector<Key> keys() const {
    std::vector<Key> all;
    for (const auto& [at, key] : order_) all.push_back(key);
    return all;
  }

 private:
  std::set<std::pair<TimePoint, Key>> order_;
  std::map<Key, TimePoint> armed_;
};

}  // namespace svd
