// SPDX-License-Identifier: Apache-2.0
// Keys that are to be looked at, each once, in the order in which they came.
#pragma once

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace svd {

template <class Key>
class Queue {
 public:
  void push(const Key& key) {
    if (known_.insert(key).second) order_.push_back(key);
  }
  void erase(const Key& key) {
    if (known_.erase(key) > 0) std::erase(order_, key);
  }
  // All of it; what is pushed from now on is a round of its own.
  [[nodiscard]] std::vector<Key> take() {
    known_.clear();
    return std::exchange(order_, {});
  }
  [[nodiscard]] bool empty() const { return order_.empty(); }

 private:
  std::vector<Key> order_;
  std::set<Key> known_;
};

}  // namespace svd
