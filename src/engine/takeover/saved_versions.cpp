// SPDX-License-Identifier: Apache-2.0
#include "engine/takeover/saved_versions.h"

namespace svd {

void SavedVersions::add(const Name& ecosystem, std::uint64_t revision, const Source& source) {
  sources_[{ecosystem, revision}] = &source;
}

const Ecosystem* SavedVersions::decoded(const Name& ecosystem, std::uint64_t revision, std::string* why) {
  const auto known = decoded_.find({ecosystem, revision});
  if (known != decoded_.end()) return known->second ? &*known->second : nullptr;
  auto& out = decoded_[{ecosystem, revision}];
  const auto source = sources_.find({ecosystem, revision});
  if (source == sources_.end()) {
    if (why != nullptr) *why = "it is missing or damaged";
    return nullptr;
  }
  auto copy = *source->second;
  auto made = decode_(copy);
  if (made)
    out = std::move(*made);
  else if (why != nullptr)
    *why = made.error().text;
  return out ? &*out : nullptr;
}

VersionPtr SavedVersions::version_of(const AppId& id, std::uint64_t revision) {
  const auto* ecosystem = decoded(id.ecosystem, revision);
  if (ecosystem == nullptr) return nullptr;
  const auto spec = ecosystem->apps.find(id.app);
  return spec == ecosystem->apps.end() ? nullptr
                                       : std::make_shared<const Version>(Version{spec->second, revision});
}

VersionPtr SavedVersions::known_version(const App& app, std::uint64_t revision) {
  if (revision == 0) return nullptr;
  if (revision != app.version->revision) return version_of(app.id, revision);
  return app.version->lost ? nullptr : app.version;
}

VersionPtr SavedVersions::started_with(const App& app, std::uint64_t revision, std::uint64_t generation) {
  if (generation == 0) return nullptr;
  if (revision == app.version->revision || generation == app.version->spec.generation) return app.version;
  auto version = version_of(app.id, revision);
  if (!version) return stand_in(app.version->spec, revision, generation);
  return version->spec.generation == app.version->spec.generation ? app.version : version;
}

VersionPtr SavedVersions::started_with(const App& app, const SavedSlot& slot) {
  const bool later = slot.version != slot.revision && slot.version != app.version->revision;
  const bool lost = later && !version_of(app.id, slot.version);
  return started_with(app, lost ? slot.revision : slot.version, slot.generation);
}

VersionPtr SavedVersions::stand_in(AppSpec like, std::uint64_t revision, std::uint64_t generation) {
  like.generation = generation;
  like.listen.clear();
  return std::make_shared<const Version>(Version{std::move(like), revision, true});
}

}  // namespace svd
