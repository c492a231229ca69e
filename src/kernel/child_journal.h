// SPDX-License-Identifier: Apache-2.0
// What runs, in a file: for hosts without cgroups, where nothing else tells who is who after both keeper and
// engine died. One record of fixed size for each living process, written in place when it was born and wiped
// when nothing is left of it; whole after the death of any process, since a record never crosses a page.
// A process is known again by its pid and the time of its birth in ticks since boot, which no two processes
// share; what another boot of the machine wrote counts for nothing.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/engine.h"
#include "keeper/protocol.h"

namespace svd {

class ChildJournal {
 public:
  struct Entry {
    KnownChild child;
    std::uint64_t start_ticks = 0;
    keeper::StopRule stop{};
  };

  // The file is made with the first put().
  explicit ChildJournal(std::string path) : path_{std::move(path)} {}

  // Opens the file if there is one; all that it says of this boot.
  std::vector<Entry> load();
  // Error: it could not be written. The next put() tries again.
  Result<> put(const Entry& entry);
  // Nothing happens when there is none of that id.
  void erase(StartId id);
  [[nodiscard]] bool contains(StartId id) const { return records_.contains(static_cast<std::uint64_t>(id)); }
  // The file itself, when nothing is in it any more.
  void remove_if_empty();

 private:
  Result<> make();

  std::string path_;
  UniqueFd file_;
  std::unordered_map<std::uint64_t, std::uint32_t> records_;  // start id → its place; 0 is the head's
  std::vector<std::uint32_t> free_;
  std::uint32_t end_ = 1;  // places from here on were never used
};

}  // namespace svd
