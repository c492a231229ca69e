// SPDX-License-Identifier: Apache-2.0
#include "kernel/state_both.h"

#include <algorithm>
#include <tuple>

namespace svd {
namespace {

auto key(const Revision& revision) { return std::tie(revision.view.ecosystem, revision.view.number); }

}  // namespace

LoadedState StateBoth::load_all() {
  auto state = disk_.load_all();
  auto newer = memory_.load_all();
  behind_ = !newer.runtime.empty() || !newer.revisions.empty();
  if (!newer.runtime.empty()) state.runtime = std::move(newer.runtime);
  for (auto& problem : newer.problems) state.problems.push_back(std::move(problem));
  for (auto& revision : newer.revisions) {
    std::erase_if(state.revisions, [&](const Revision& old) { return key(old) == key(revision); });
    state.revisions.push_back(std::move(revision));
  }
  std::ranges::sort(state.revisions, [](const Revision& a, const Revision& b) { return key(a) < key(b); });
  return state;
}

std::optional<std::string> StateBoth::degraded() const {
  auto problem = disk_.degraded();
  if (const auto second = memory_.degraded(); problem && second) *problem += "; " + *second;
  return problem;
}

bool StateBoth::save(const std::string& runtime) {
  if (!disk_.save(runtime)) {
    memory_.save(runtime);
    behind_ = true;
    return false;
  }
  if (behind_) catch_up();
  return true;
}

void StateBoth::catch_up() {
  memory_.forget();
  behind_ = false;
  for (const auto& revision : memory_.load_all().revisions) save_revision(revision);
}

bool StateBoth::save_revision(const Revision& revision) {
  if (!disk_.save_revision(revision)) {
    memory_.save_revision(revision);
    behind_ = true;
    return false;
  }
  memory_.remove_revision(revision.view.ecosystem, revision.view.number);
  return true;
}

Result<Revision> StateBoth::load_revision(const Name& ecosystem, std::uint64_t number) {
  auto newer = memory_.load_revision(ecosystem, number);
  return newer ? newer : disk_.load_revision(ecosystem, number);
}

void StateBoth::remove_revision(const Name& ecosystem, std::uint64_t number) {
  disk_.remove_revision(ecosystem, number);
  memory_.remove_revision(ecosystem, number);
}

}  // namespace svd
