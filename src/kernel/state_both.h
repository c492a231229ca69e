// SPDX-License-Identifier: Apache-2.0
// The state on the disk, and what the disk does not take in memory that the keeper holds: an engine that dies
// while the disk is full, or gone, is followed by one that knows what was asked for last.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "kernel/state_memory.h"

namespace svd {

class StateBoth final : public StateKeeping {
 public:
  StateBoth(StateStore disk, Holder& holder) : disk_{std::move(disk)}, memory_{holder} {}

  // What is in memory is newer than what the disk has.
  [[nodiscard]] LoadedState load_all() override;
  // That of the disk: what is in memory alone ends with the keeper. What memory did not take either is told,
  // too.
  [[nodiscard]] std::optional<std::string> degraded() const override;
  // True: it is on the disk.
  bool save(const std::string& runtime) override;
  bool save_revision(const Revision& revision) override;
  Result<Revision> load_revision(const Name& ecosystem, std::uint64_t number) override;
  void remove_revision(const Name& ecosystem, std::uint64_t number) override;

 private:
  void catch_up();  // the disk, with what is in memory

  StateStore disk_;
  StateMemory memory_;
  bool behind_ = false;  // the disk is
};

}  // namespace svd
