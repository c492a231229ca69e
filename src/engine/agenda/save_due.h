// SPDX-License-Identifier: Apache-2.0
// When the state is to be saved. A person's wish is saved with the next reconcile, before anything is done
// about it; the rest may wait to be saved together.
#pragma once

#include <cstddef>
#include <optional>

#include "base/time.h"

namespace svd {

class SaveDue {
 public:
  void at_once(TimePoint now) { by(now); }
  // A large state is saved less often: a millisecond more for each KiB, so that a burst of starts costs a few
  // saves however many slots there are, not a share of its time.
  void soon(TimePoint now) { by(now + Millis{100} + Millis{size_ / 1024}); }
  void again(TimePoint at) { at_ = at; }
  // It is being saved, in so many bytes.
  void saving() { at_.reset(); }
  void saved(std::size_t bytes) { size_ = bytes; }

  [[nodiscard]] std::optional<TimePoint> at() const { return at_; }  // nullopt: nothing is unsaved
  [[nodiscard]] bool is_costly() const { return size_ >= 64U << 10U; }

 private:
  void by(TimePoint at) {
    if (!at_ || at < *at_) at_ = at;
  }

  std::optional<TimePoint> at_;
  std::size_t size_ = 0;  // of the last saved state
};

}  // namespace svd
