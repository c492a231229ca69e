// SPDX-License-Identifier: Apache-2.0
// Any bytes as the file of what runs (hosts without cgroups), behind the head of this boot.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "files/io.h"
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "kernel/child_journal.h"

using namespace svd;
using fuzz::require;

namespace {

using Entries = std::vector<ChildJournal::Entry>;

KnownChild somebody() {
  KnownChild child;
  child.id = StartId{1};
  child.slot.app = {Name::parse("shop").value(), Name::parse("web").value()};
  return child;
}

bool same(const Entries& a, const Entries& b) {
  return std::ranges::equal(a, b, [](const auto& one, const auto& other) {
    return one.child.id == other.child.id && one.child.slot == other.child.slot &&
           one.child.pid == other.child.pid && one.start_ticks == other.start_ticks &&
           one.stop.timeout == other.stop.timeout && one.stop.signal == other.stop.signal;
  });
}

}  // namespace

FUZZ_TARGET(journal) {
  static const fuzz::Scratch scratch;
  const auto path = scratch.path() + "/children";
  ::unlink(path.c_str());
  {
    ChildJournal journal{path};
    require(journal.put({somebody(), 1, {}}).has_value());
  }
  const UniqueFd file{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
  require(::ftruncate(file.get(), 256) == 0);
  require(::pwrite(file.get(), bytes.data(), bytes.size(), 256) == static_cast<ssize_t>(bytes.size()));

  ChildJournal journal{path};
  const auto found = journal.load();
  require(found.size() <= bytes.size() / 256);
  for (const auto& entry : found) require(journal.contains(entry.child.id) && journal.put(entry).has_value());
  ChildJournal next{path};
  require(same(next.load(), found));
  for (const auto& entry : found) journal.erase(entry.child.id);
  require(ChildJournal{path}.load().empty());
  journal.remove_if_empty();
  require(found.empty() || ::access(path.c_str(), F_OK) != 0);
}
