// SPDX-License-Identifier: Apache-2.0
// What programs on channels can make the supervisor hold, and for how long they keep it busy. All of it is
// bounded for each app: who is over a bound has the loss, and nobody else.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/time.h"
#include "loop/loop.h"

namespace svd::budget {

// Descriptors that came on a channel and that no message has claimed. Node sends one, and the next one when
// that is acknowledged: a channel's first one is always taken. Over a bound: the channel is closed.
inline constexpr std::size_t fds_of_channel = 64, fds_of_app = 128;
// Of all channels together: an eighth of what this process may have, and never so many that accept(2) and
// starts want for some.
[[nodiscard]] std::size_t fds_in_all();
// Descriptors that are on their way to one program: with so many it is not read from until it reads.
inline constexpr std::size_t fds_waiting = 64;

// Bytes of messages that an app's instances have begun and not ended. Over it, the one that grows is thrown
// away, as one is that is too long.
inline constexpr std::size_t unfinished_of_app = 64U << 20U;
inline constexpr std::size_t always_allowed = 1U << 20U;  // of one channel, however much the others have
// One letter to many is so many copies.
inline constexpr std::size_t copies_of_letter = 64U << 20U;

inline constexpr Millis turn_of_channel{5};    // then others have their turn
inline constexpr Millis turn_of_channels{20};  // of all together; then everything else
inline constexpr unsigned lines_a_turn = 256;

// A turn of one program.
class Turn {
 public:
  // Asked before each line.
  [[nodiscard]] bool is_over() {
    if (lines_ >= lines_a_turn) return true;
    constexpr unsigned stride = 16;  // a look at the clock costs, too
    return lines_++ % stride == 0 && Loop::now().mono - begun_ > turn_of_channel;
  }
  [[nodiscard]] Nanos taken() const { return Loop::now().mono - begun_; }

 private:
  TimePoint begun_ = Loop::now().mono;
  unsigned lines_ = 0;
};

}  // namespace svd::budget
