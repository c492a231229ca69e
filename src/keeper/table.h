// SPDX-License-Identifier: Apache-2.0
// Everything the keeper remembers, in static tables: pages that were never needed are never touched, so the
// bounds cost nothing. Pure: no system calls but close() where a descriptor is given up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "keeper/protocol.h"

namespace svd::keeper {

// Variable-length bytes in chained blocks of 64.
class Blobs {
 public:
  static constexpr std::uint32_t none = 0;
  // A chain holding `a` and then `b`; none when the pool is used up or there is nothing to keep.
  std::uint32_t put(const char* a, std::uint32_t a_size, const char* b = nullptr, std::uint32_t b_size = 0);
  void get(std::uint32_t chain, char* out, std::uint32_t size) const;
  [[nodiscard]] bool equals(std::uint32_t chain, const char* bytes, std::uint32_t size) const;
  void free(std::uint32_t chain);
  // Whether `size` more bytes fit.
  [[nodiscard]] bool fits(std::uint32_t size) const {
    return (size + payload - 1) / payload <= capacity - 1 - used_;
  }

 private:
  static constexpr std::uint32_t payload = 60;
  static constexpr std::uint32_t capacity = 262'144;
  struct Block {
    std::uint32_t next;
    char bytes[payload];
  };
  std::uint32_t take();

  Block blocks_[capacity];   // 0 is never used
  std::uint32_t fresh_ = 1;  // blocks from here on were never used
  std::uint32_t free_ = 0;   // list of returned ones
  std::uint32_t used_ = 0;
};

// A child that lives, or that ended and was not forgotten yet.
struct Entry {
  std::uint64_t id;
  std::int64_t time;  // of the exit
  std::int32_t pid;
  std::int32_t number;
  std::int32_t pidfd;  // only of adopted ones that live; else -1
  StopRule stop;
  std::uint32_t blob;  // cgroup path, then cookie
  std::uint32_t next;  // in the list of entries with something to report, or of free ones
  std::uint16_t cgroup_size;
  std::uint16_t cookie_size;
  Ended ended;
  bool used;
  bool core_dumped;
  bool adopted;
  bool kill_group;
  std::uint8_t unsent;  // unsent_*
};
inline constexpr std::uint8_t unsent_spawned = 1;
inline constexpr std::uint8_t unsent_exited = 2;

// Finds entries by a number that is spread well in its low bits (start ids and pids both count upwards), by
// open addressing.
template <class Key, Key Entry::*Field>
class Index {
 public:
  void insert(Entry* entries, std::uint32_t entry) {
    std::uint32_t at = home(entries[entry]);
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = entry + 1;
  }
  [[nodiscard]] Entry* find(Entry* entries, Key key) const {
    for (std::uint32_t at = static_cast<std::uint32_t>(key) & mask; slots_[at] != 0; at = (at + 1) & mask)
      if (entries[slots_[at] - 1].*Field == key) return &entries[slots_[at] - 1];
    return nullptr;
  }
  // Must be called while the entry's field still has the value it was inserted with.
  void erase(const Entry* entries, std::uint32_t entry) {
    std::uint32_t at = home(entries[entry]);
    while (slots_[at] != entry + 1) {
      if (slots_[at] == 0) return;
      at = (at + 1) & mask;
    }
    for (std::uint32_t gap = at, next = (at + 1) & mask;; next = (next + 1) & mask) {
      slots_[gap] = 0;
      if (slots_[next] == 0) return;
      const std::uint32_t want = home(entries[slots_[next] - 1]);
      if (((next - want) & mask) < ((next - gap) & mask)) continue;  // it may not move before its home
      slots_[gap] = slots_[next];
      gap = next;
    }
  }

 private:
  static constexpr std::uint32_t mask = 2 * max_children - 1;
  static_assert((max_children & (max_children - 1)) == 0);
  static std::uint32_t home(const Entry& entry) { return static_cast<std::uint32_t>(entry.*Field) & mask; }
  std::uint32_t slots_[mask + 1];
};

class Children {
 public:
  // nullptr: the table is full, or the id is 0 or in use. The entry is alive and known by id and pid.
  Entry* add(std::uint64_t id, std::int32_t pid, const StopRule& stop);
  // Keeps the path and the cookie with the entry; the caller has asked fits() before. A caller that has put
  // them into the blobs itself sets the entry's fields.
  void keep(Entry& entry, const char* cgroup, std::uint32_t cgroup_size, const char* cookie,
            std::uint32_t cookie_size);
  [[nodiscard]] bool fits(std::uint32_t bytes) const;
  [[nodiscard]] Entry* by_id(std::uint64_t id) { return ids_.find(entries_, id); }
  // Only of living ones: a pid means nothing after its process was reaped.
  [[nodiscard]] Entry* by_pid(std::int32_t pid) { return pids_.find(entries_, pid); }
  void finish(Entry& entry, Ended ended, int number, bool core_dumped, std::int64_t time);
  // Only what has ended and has nothing left to report; else nothing happens until it is reported.
  void forget(Entry& entry);

  void report(Entry& entry, std::uint8_t what);
  [[nodiscard]] Entry* first_unsent() { return unsent_ == 0 ? nullptr : &entries_[unsent_ - 1]; }
  [[nodiscard]] Entry* next_unsent(const Entry& entry) {
    return entry.next == 0 ? nullptr : &entries_[entry.next - 1];
  }
  void sent_first();  // takes the first one off the list
  void nothing_unsent();

  // All entries, used or not.
  [[nodiscard]] Entry* begin() { return entries_; }
  [[nodiscard]] Entry* end() { return entries_ + fresh_; }
  [[nodiscard]] std::uint32_t alive() const { return alive_; }
  [[nodiscard]] std::uint32_t known() const { return known_; }
  [[nodiscard]] Blobs& blobs() { return blobs_; }
  [[nodiscard]] const Blobs& blobs() const { return blobs_; }

 private:
  [[nodiscard]] std::uint32_t number(const Entry& entry) const {
    return static_cast<std::uint32_t>(&entry - entries_);
  }

  Entry entries_[max_children];
  std::uint32_t fresh_ = 0;              // entries from here on were never used
  std::uint32_t free_ = 0;               // list of returned ones; number + 1
  std::uint32_t unsent_ = 0, last_ = 0;  // list of those with something to report; number + 1
  std::uint32_t alive_ = 0, known_ = 0;
  Index<std::uint64_t, &Entry::id> ids_;
  Index<std::int32_t, &Entry::pid> pids_;
  Blobs blobs_;
};

// Descriptors kept by name.
class Held {
 public:
  struct Item {
    int fd;
    std::uint32_t hash;
    std::uint32_t blob;
    std::uint32_t size;
  };
  // Takes `fd`; an older one of that name is closed. False (and `fd` closed): no room.
  bool put(Blobs& blobs, const char* name, std::uint32_t size, int fd);
  void release(Blobs& blobs, const char* name, std::uint32_t size);
  // Borrowed; -1: none is held by that name.
  [[nodiscard]] int find(const Blobs& blobs, const char* name, std::uint32_t size) const;
  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] const Item& at(std::uint32_t index) const { return items_[index]; }

 private:
  static constexpr std::uint32_t mask = 2 * max_held - 1;
  static_assert((max_held & (max_held - 1)) == 0);
  // Of the name's slot in the index, or of the free one where it would go.
  [[nodiscard]] std::uint32_t place(const Blobs& blobs, const char* name, std::uint32_t size) const;
  [[nodiscard]] std::uint32_t place_of(std::uint32_t item) const;
  void erase(std::uint32_t at);

  Item items_[max_held];
  std::uint32_t count_ = 0;
  std::uint32_t slots_[mask + 1];  // open addressing; number of the item + 1, 0: free
};

}  // namespace svd::keeper
