// SPDX-License-Identifier: Apache-2.0
#include "keeper/table.h"

#include <unistd.h>

#include <cstring>

namespace svd::keeper {

std::uint32_t Blobs::take() {
  std::uint32_t block = free_;
  if (block != 0)
    free_ = blocks_[block].next;
  else if (fresh_ < capacity)
    block = fresh_++;
  else
    return none;
  blocks_[block].next = none;
  ++used_;
  return block;
}

std::uint32_t Blobs::put(const char* a, std::uint32_t a_size, const char* b, std::uint32_t b_size) {
  const std::uint32_t size = a_size + b_size;
  if (size == 0 || !fits(size)) return none;
  std::uint32_t first = none, last = none;
  for (std::uint32_t done = 0; done < size;) {
    const std::uint32_t block = take();
    (last == none ? first : blocks_[last].next) = block;
    last = block;
    for (std::uint32_t i = 0; i < payload && done < size; ++i, ++done)
      blocks_[block].bytes[i] = done < a_size ? a[done] : b[done - a_size];
  }
  return first;
}

void Blobs::get(std::uint32_t chain, char* out, std::uint32_t size) const {
  for (; chain != none && size > 0; chain = blocks_[chain].next) {
    const std::uint32_t part = size < payload ? size : payload;
    std::memcpy(out, blocks_[chain].bytes, part);
    out += part;
    size -= part;
  }
}

bool Blobs::equals(std::uint32_t chain, const char* bytes, std::uint32_t size) const {
  for (; chain != none && size > 0; chain = blocks_[chain].next) {
    const std::uint32_t part = size < payload ? size : payload;
    if (std::memcmp(bytes, blocks_[chain].bytes, part) != 0) return false;
    bytes += part;
    size -= part;
  }
  return size == 0;
}

void Blobs::free(std::uint32_t chain) {
  while (chain != none) {
    const std::uint32_t next = blocks_[chain].next;
    blocks_[chain].next = free_;
    free_ = chain;
    --used_;
    chain = next;
  }
}

Entry* Children::add(std::uint64_t id, std::int32_t pid, const StopRule& stop) {
  if (id == 0 || by_id(id) != nullptr) return nullptr;
  std::uint32_t index = 0;
  if (free_ != 0) {
    index = free_ - 1;
    free_ = entries_[index].next;
  } else if (fresh_ < max_children) {
    index = fresh_++;
  } else {
    return nullptr;
  }
  Entry& entry = entries_[index];
  entry = {};
  entry.id = id;
  entry.pid = pid;
  entry.pidfd = -1;
  entry.stop = stop;
  entry.used = true;
  ids_.insert(entries_, index);
  pids_.insert(entries_, index);
  ++alive_;
  ++known_;
  return &entry;
}

void Children::keep(Entry& entry, const char* cgroup, std::uint32_t cgroup_size, const char* cookie,
                    std::uint32_t cookie_size) {
  entry.blob = blobs_.put(cgroup, cgroup_size, cookie, cookie_size);
  if (entry.blob == Blobs::none) return;
  entry.cgroup_size = static_cast<std::uint16_t>(cgroup_size);
  entry.cookie_size = static_cast<std::uint16_t>(cookie_size);
}

bool Children::fits(std::uint32_t bytes) const {
  return (free_ != 0 || fresh_ < max_children) && blobs_.fits(bytes);
}

void Children::finish(Entry& entry, Ended ended, int number, bool core_dumped, std::int64_t time) {
  pids_.erase(entries_, this->number(entry));
  --alive_;
  entry.ended = ended;
  entry.number = number;
  entry.core_dumped = core_dumped;
  entry.time = time;
}

void Children::forget(Entry& entry) {
  if (entry.ended == Ended::no || entry.unsent != 0) return;
  blobs_.free(entry.blob);
  ids_.erase(entries_, number(entry));
  entry.used = false;
  entry.next = free_;
  free_ = number(entry) + 1;
  --known_;
}

void Children::report(Entry& entry, std::uint8_t what) {
  const bool listed = entry.unsent != 0;
  entry.unsent |= what;
  if (listed) return;
  entry.next = 0;
  (last_ == 0 ? unsent_ : entries_[last_ - 1].next) = number(entry) + 1;
  last_ = number(entry) + 1;
}

void Children::sent_first() {
  Entry& entry = entries_[unsent_ - 1];
  entry.unsent = 0;
  unsent_ = entry.next;
  if (unsent_ == 0) last_ = 0;
}

void Children::nothing_unsent() {
  while (unsent_ != 0) sent_first();
}

namespace {

std::uint32_t hash(const char* name, std::uint32_t size) {  // FNV-1a
  std::uint32_t value = 2166136261U;
  for (std::uint32_t i = 0; i < size; ++i) value = (value ^ static_cast<unsigned char>(name[i])) * 16777619U;
  return value;
}

}  // namespace

std::uint32_t Held::place(const Blobs& blobs, const char* name, std::uint32_t size) const {
  const std::uint32_t wanted = hash(name, size);
  for (std::uint32_t at = wanted & mask;; at = (at + 1) & mask) {
    if (slots_[at] == 0) return at;
    const Item& item = items_[slots_[at] - 1];
    if (item.hash == wanted && item.size == size && blobs.equals(item.blob, name, size)) return at;
  }
}

std::uint32_t Held::place_of(std::uint32_t item) const {
  std::uint32_t at = items_[item].hash & mask;
  while (slots_[at] != item + 1) at = (at + 1) & mask;
  return at;
}

void Held::erase(std::uint32_t at) {
  for (std::uint32_t gap = at, next = (at + 1) & mask;; next = (next + 1) & mask) {
    slots_[gap] = 0;
    if (slots_[next] == 0) return;
    const std::uint32_t want = items_[slots_[next] - 1].hash & mask;
    if (((next - want) & mask) < ((next - gap) & mask)) continue;  // it may not move before its home
    slots_[gap] = slots_[next];
    gap = next;
  }
}

int Held::find(const Blobs& blobs, const char* name, std::uint32_t size) const {
  const std::uint32_t slot = slots_[place(blobs, name, size)];
  return slot == 0 ? -1 : items_[slot - 1].fd;
}

bool Held::put(Blobs& blobs, const char* name, std::uint32_t size, int fd) {
  const std::uint32_t at = place(blobs, name, size);
  if (slots_[at] != 0) {
    Item& item = items_[slots_[at] - 1];
    ::close(item.fd);
    item.fd = fd;
    return true;
  }
  const std::uint32_t blob = count_ < max_held ? blobs.put(name, size) : Blobs::none;
  if (blob == Blobs::none) {
    ::close(fd);
    return false;
  }
  items_[count_++] = {fd, hash(name, size), blob, size};
  slots_[at] = count_;
  return true;
}

// The last item moves into the place of the one that goes.
void Held::release(Blobs& blobs, const char* name, std::uint32_t size) {
  const std::uint32_t at = place(blobs, name, size);
  if (slots_[at] == 0) return;
  const std::uint32_t index = slots_[at] - 1;
  ::close(items_[index].fd);
  blobs.free(items_[index].blob);
  slots_[place_of(count_ - 1)] = index + 1;
  items_[index] = items_[--count_];
  erase(at);
}

}  // namespace svd::keeper
