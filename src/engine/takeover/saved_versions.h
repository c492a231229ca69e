// SPDX-License-Identifier: Apache-2.0
// The specifications that a saved state speaks of, read anew from the revisions. Where a revision is lost,
// what is known of it is guessed from what the app has now.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engine/ports.h"
#include "engine/saving/saved.h"
#include "engine/world/app.h"

namespace svd {

class SavedVersions {
 public:
  explicit SavedVersions(const Decoder& decode) : decode_{decode} {}

  // `source` is borrowed.
  void add(const Name& ecosystem, std::uint64_t revision, const Source& source);

  // The ecosystem as this build reads that revision; nullptr when it is missing or cannot be read.
  const Ecosystem* decoded(const Name& ecosystem, std::uint64_t revision, std::string* why = nullptr);

  // nullptr: it is lost, or has no such app.
  VersionPtr version_of(const AppId& id, std::uint64_t revision);
  // The same, but the app's own where that is meant; nullptr for revision 0, too.
  VersionPtr known_version(const App& app, std::uint64_t revision);

  // What a process was started with. Its revision is what counts, read by this build: another build may have
  // hashed the same specification differently, and that is no reason to restart anything. Of a revision that
  // cannot be had, the generation tells that it was another one. nullptr for generation 0: never started.
  VersionPtr started_with(const App& app, std::uint64_t revision, std::uint64_t generation);
  // Later revisions that changed nothing it was started with gave it their own policies. When they are lost,
  // the one that it was started with is not.
  VersionPtr started_with(const App& app, const SavedSlot& slot);

  // In place of a version that is lost: how it is to be treated is guessed from `like`.
  static VersionPtr stand_in(AppSpec like, std::uint64_t revision, std::uint64_t generation);

 private:
  using Key = std::pair<Name, std::uint64_t>;

  const Decoder& decode_;
  std::map<Key, const Source*> sources_;
  std::map<Key, std::optional<Ecosystem>> decoded_;
};

}  // namespace svd
