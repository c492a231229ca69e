// SPDX-License-Identifier: Apache-2.0
#include "ipc/spool.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace svd::ipc {

Spool::Spool(Head& head, std::span<char> room) : head_{&head}, room_{room} {
  if (begin() > end() || end() > room_.size()) store(0, 0);
  clean();
  extent_ = end();
}

std::string_view Spool::content() const { return {room_.data() + begin(), size()}; }

// A kill comes between two instructions, not between two processors: all that could reorder the stores is the
// compiler.
void Spool::store(std::size_t begin, std::size_t end) {
  if (head_ != nullptr) head_->window.store(std::uint64_t{begin} << 32U | end, std::memory_order_release);
}

// Only when the old and the new place do not overlap: a copy that was cut short must have destroyed nothing.
void Spool::move_to_front() {
  const auto from = begin(), to = end(), count = to - from;
  if (from == 0 || count > from) return;
  std::memcpy(room_.data(), room_.data() + from, count);
  head_->dirty.store(to, std::memory_order_release);
  store(0, count);
  clean();
}

void Spool::clean() {
  const auto to = std::min<std::size_t>(head_->dirty.load(std::memory_order_relaxed), room_.size());
  if (to > end()) std::memset(room_.data() + end(), 0, to - end());
  head_->dirty.store(0, std::memory_order_release);
}

std::span<char> Spool::free(std::size_t want) {
  if (room_.size() - end() < want) move_to_front();
  return room_.subspan(end());
}

void Spool::commit(std::size_t count) {
  extent_ = std::max(extent_, end() + count);
  store(begin(), end() + count);
}

void Spool::consume(std::size_t count) {
  const auto from = begin() + count, to = end();
  if (from < to) return store(from, to);
  if (head_ != nullptr) head_->dirty.store(to, std::memory_order_release);
  store(0, 0);
  if (head_ != nullptr) clean();
}

bool Spool::append(std::string_view bytes) {
  const auto to = free(bytes.size());
  if (to.size() < bytes.size()) return false;
  std::memcpy(to.data(), bytes.data(), bytes.size());
  commit(bytes.size());
  return true;
}

void Spool::recover() {
  const auto rest = room_.subspan(end());
  const auto found = std::ranges::find(rest, '\0');
  commit(static_cast<std::size_t>(found - rest.begin()));
}

std::size_t Spool::idle_extent() { return empty() ? std::exchange(extent_, 0) : 0; }

}  // namespace svd::ipc
