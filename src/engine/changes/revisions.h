// SPDX-License-Identifier: Apache-2.0
// Accepted applies, by ecosystem: recording, pruning, which one to go back to.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/changes/change.h"
#include "engine/control.h"
#include "engine/ports.h"
#include "engine/world/world.h"

namespace svd {

struct EcosystemRecord {
  Name name;
  std::uint64_t current = 0;  // revision
  std::uint64_t next = 1;
  std::vector<RevisionView> history;  // ascending; see prune()
  std::set<Name> deleted;             // apps of the current revision that the user deleted
};

class Revisions {
 public:
  using Map = std::map<Name, EcosystemRecord>;

  Revisions(World& world, StatePort& store, const Decoder& decode)
      : world_{world}, store_{store}, decode_{decode} {}

  [[nodiscard]] Map& all() { return all_; }
  [[nodiscard]] const Map& all() const { return all_; }
  [[nodiscard]] std::uint64_t current(const Name& ecosystem) const;  // 0: there is none
  // Error no_such_process: "cannot VERB …", with the nearest name.
  [[nodiscard]] Result<const EcosystemRecord*> find(const std::string& name, const std::string& cannot) const;

  std::uint64_t record(const Name& ecosystem, Source source, const Actor& who, const std::string& summary);
  void set_outcome(const Name& ecosystem, std::uint64_t number, const std::string& outcome);
  [[nodiscard]] Result<Revision> stored(const Name& ecosystem, std::uint64_t number) const;
  // The newest one before the present one that says something else, and was seen to work.
  [[nodiscard]] Result<std::uint64_t> former(const EcosystemRecord& eco) const;
  // Once more what could not be saved. True: nothing is left.
  bool save_unsaved();

 private:
  void prune(EcosystemRecord& eco);
  [[nodiscard]] std::set<std::uint64_t> used(const Name& ecosystem) const;

  World& world_;
  StatePort& store_;
  const Decoder& decode_;
  Map all_;
  std::map<std::pair<Name, std::uint64_t>, Revision> unsaved_;
};

}  // namespace svd
