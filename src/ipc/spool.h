// SPDX-License-Identifier: Apache-2.0
// A queue of bytes in memory that outlives the process: what was read from a channel and is not handled yet,
// and what is to be written to it. The engine may be killed between any two instructions; the next one goes
// on with the same memory. So every step is one store to the window, made when what it speaks of is in place.
//
// What a system call has put into free() when the process died before commit() is found again by recover():
// the free part is kept zeroed, and no byte of a message is NUL.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace svd::ipc {

class Spool {
 public:
  struct Head {                         // zeros in new memory: empty
    std::atomic<std::uint64_t> window;  // begin << 32 | end of the content
    std::atomic<std::uint64_t> dirty;   // not 0: from the content's end up to here there may be leftovers
  };
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(Head) == 16);

  Spool() = default;
  // Both borrowed. A window that `room` cannot hold is taken for an empty one.
  Spool(Head& head, std::span<char> room);

  [[nodiscard]] std::string_view content() const;
  [[nodiscard]] bool empty() const { return begin() == end(); }
  [[nodiscard]] std::size_t size() const { return end() - begin(); }
  // Room behind the content, at least `want` bytes where that can be had by moving the content to the front.
  [[nodiscard]] std::span<char> free(std::size_t want);
  // The first `count` bytes of free() are content now.
  void commit(std::size_t count);
  // The first `count` bytes of the content are done with.
  void consume(std::size_t count);
  // Copies `bytes` behind the content. False: no room.
  bool append(std::string_view bytes);
  // See above: only for a spool that is filled by way of free() and commit().
  void recover();
  // How far into the room anything was ever written since the last call, when the spool is empty; else 0:
  // memory that can be given back.
  [[nodiscard]] std::size_t idle_extent();

 private:
  [[nodiscard]] std::uint64_t window() const {
    return head_ == nullptr ? 0 : head_->window.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t begin() const { return window() >> 32U; }
  [[nodiscard]] std::size_t end() const { return window() & 0xffff'ffffU; }
  void store(std::size_t begin, std::size_t end);
  void move_to_front();
  void clean();

  Head* head_ = nullptr;
  std::span<char> room_;
  std::size_t extent_ = 0;
};

}  // namespace svd::ipc
