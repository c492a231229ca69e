// SPDX-License-Identifier: Apache-2.0
// Puts on record what a new engine has to know, and lets the keeper forget what is on it.
#pragma once

#include "engine/changes/changes.h"
#include "engine/ports.h"
#include "engine/saving/saved.h"

namespace svd {

class Saver {
 public:
  Saver(World& world, const Changes& changes, Revisions& revisions, const Ports& ports)
      : world_{world}, changes_{changes}, revisions_{revisions}, ports_{ports} {}

  void save_if_due();
  // The daemon may end: nothing runs, and that is on record, if it can be.
  [[nodiscard]] bool is_finished() const;

 private:
  // Numbers as if so many more had been given away.
  [[nodiscard]] SavedState snapshot(std::uint64_t ahead) const;
  void tell_if_new(bool saved);
  void forget_gone();

  World& world_;
  const Changes& changes_;
  Revisions& revisions_;
  const Ports& ports_;
  bool failing_ = false;
};

}  // namespace svd
