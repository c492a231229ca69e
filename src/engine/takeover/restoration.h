// SPDX-License-Identifier: Apache-2.0
// Ecosystems, apps and slots as they were, from the saved text and the revisions.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/converge/slots.h"
#include "engine/engine.h"
#include "engine/saving/saved.h"
#include "engine/takeover/saved_versions.h"

namespace svd {

class Restoration {
 public:
  Restoration(World& world, Revisions& revisions, Slots& slots, const Decoder& decode,
              std::vector<std::string>& problems)
      : world_{world}, revisions_{revisions}, slots_{slots}, problems_{problems}, versions_{decode} {}

  void run(const Restored& from, const SavedState& saved);

  // The present revision was accepted after the last save.
  [[nodiscard]] bool is_newer(const Name& ecosystem) const;
  // The place for what the keeper knows of this slot; nullptr: there can be none.
  Slot* slot_of(const SlotId& id, const KnownChild& newest);
  SavedVersions& versions() { return versions_; }

 private:
  void collect_saved(const SavedState& saved);
  void collect_revisions(const Restored& from);
  void count_revisions(const Restored& from);
  void declare(const EcosystemRecord& eco);
  App& find_app(const AppId& id, std::uint64_t generation, std::uint64_t revision);
  [[nodiscard]] std::uint64_t accepted(const SavedApp& saved) const;
  std::uint64_t revision_of(const SavedApp& saved);
  void restore(const SavedApp& saved);
  void restore_settings(App& app, const SavedApp& saved);
  void restore_slot(App& app, const SavedSlot& saved, VersionPtr version, bool newer);
  void restore_beside(Slot& slot, const SavedSlot& saved, VersionPtr version);
  void restore_instance(Instance& one, const SavedSlot& saved, VersionPtr version);

  World& world_;
  Revisions& revisions_;
  Slots& slots_;
  std::vector<std::string>& problems_;
  SavedVersions versions_;
  std::map<Name, std::uint64_t> saved_current_;
  std::set<Name> unreadable_;
};

}  // namespace svd
