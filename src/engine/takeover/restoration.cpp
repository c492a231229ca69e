// SPDX-License-Identifier: Apache-2.0
#include "engine/takeover/restoration.h"

#include <algorithm>

#include "engine/takeover/saved_life.h"

namespace svd {
namespace {

// A value that this version does not know is as good as none.
template <class Enum>
Enum known(std::uint8_t number, Enum last) {
  return number <= static_cast<std::uint8_t>(last) ? static_cast<Enum>(number) : Enum{};
}

plan::RolloutState rollout_of(const SavedApp& saved, bool readable, TimePoint now) {
  if (saved.rolling) return plan::Rolling{saved.going_back && readable, saved.paused, now};
  if (saved.halted) return plan::Halted{};
  return plan::Idle{};
}

}  // namespace

void Restoration::run(const Restored& from, const SavedState& saved) {
  world_.starts.continue_at(saved.next_start);
  world_.journal.continue_at(saved.next_event);
  for (const auto& child : from.children)
    world_.starts.continue_at(std::max(world_.starts.next(), static_cast<std::uint64_t>(child.id) + 1));
  collect_saved(saved);
  collect_revisions(from);
  count_revisions(from);
  for (const auto& [name, eco] : revisions_.all()) declare(eco);
  for (const auto& app : saved.apps) restore(app);
}

void Restoration::collect_saved(const SavedState& saved) {
  for (const auto& one : saved.ecosystems) {
    auto& eco = revisions_.all()[one.name];
    eco.name = one.name;
    eco.current = saved_current_[one.name] = one.current;
    eco.next = std::max(one.next, one.current + 1);
    eco.deleted.insert(one.deleted.begin(), one.deleted.end());
  }
}

void Restoration::collect_revisions(const Restored& from) {
  for (const auto& revision : from.revisions) {
    auto& eco = revisions_.all()[revision.view.ecosystem];
    eco.name = revision.view.ecosystem;
    eco.current = std::max(eco.current, revision.view.number);
    eco.next = std::max(eco.next, eco.current + 1);
    eco.history.push_back(revision.view);
    versions_.add(eco.name, revision.view.number, revision.source);
  }
  for (auto& [name, eco] : revisions_.all()) {
    std::ranges::sort(eco.history, {}, &RevisionView::number);
    if (is_newer(name)) eco.deleted.clear();
  }
}

// A revision that could not be saved is lost, but not its number, while something has it. Where nothing
// else tells which one is the present one, what runs does: an older one that is still there is not it.
void Restoration::count_revisions(const Restored& from) {
  for (const auto& child : from.children) {
    auto& eco = revisions_.all()[child.slot.app.ecosystem];
    eco.name = child.slot.app.ecosystem;
    eco.next = std::max(eco.next, child.revision + 1);
    if (!child.exited && !saved_current_.contains(eco.name))
      eco.current = std::max(eco.current, child.revision);
  }
  for (auto& [name, eco] : revisions_.all())
    for (auto& view : eco.history) view.current = view.number == eco.current;
}

bool Restoration::is_newer(const Name& ecosystem) const {
  const auto saved = saved_current_.find(ecosystem);
  return saved != saved_current_.end() && revisions_.current(ecosystem) > saved->second;
}

void Restoration::declare(const EcosystemRecord& eco) {
  if (eco.current == 0) return;
  std::string why;
  const auto* ecosystem = versions_.decoded(eco.name, eco.current, &why);
  if (ecosystem == nullptr) {
    problems_.push_back(
        "cannot read revision " + std::to_string(eco.current) + " of " + eco.name.str() + ": " + why +
        "; what runs of it is kept, nothing of it is started until its file is applied again");
    unreadable_.insert(eco.name);
    return;
  }
  for (const auto& [name, spec] : ecosystem->apps)
    if (!eco.deleted.contains(name))
      world_.apps.add({eco.name, name}, std::make_shared<const Version>(Version{spec, eco.current}));
}

// The app, or a place for what is left of one that is not declared.
App& Restoration::find_app(const AppId& id, std::uint64_t generation, std::uint64_t revision) {
  if (auto* found = world_.apps.find(id)) return *found;
  auto version = versions_.version_of(id, revision);
  if (!version) {
    AppSpec spec;
    spec.name = id.app;
    version = SavedVersions::stand_in(std::move(spec), revision, generation);
  }
  auto& app = world_.apps.add(id, std::move(version));
  app.unreadable = unreadable_.contains(id.ecosystem);
  app.removed = !app.unreadable;
  return app;
}

// The one that the app was last accepted with.
std::uint64_t Restoration::accepted(const SavedApp& saved) const {
  if (saved.version != 0) return saved.version;
  const auto current = saved_current_.find(saved.id.ecosystem);
  return current == saved_current_.end() ? 0 : current->second;
}

// If that cannot be had, one that it ran: best of the same generation.
std::uint64_t Restoration::revision_of(const SavedApp& saved) {
  const auto own = accepted(saved);
  if (versions_.version_of(saved.id, own)) return own;
  auto found = own;
  for (const auto& slot : saved.slots)
    for (const auto ran : {slot.version, slot.revision}) {
      if (!versions_.version_of(saved.id, ran)) continue;
      if (slot.generation == saved.generation) return ran;
      if (found == own) found = ran;
    }
  return found;
}

void Restoration::restore(const SavedApp& saved) {
  const bool newer = is_newer(saved.id.ecosystem);
  const auto revision = revision_of(saved);
  const bool declared = world_.apps.find(saved.id) != nullptr;
  if (!declared && saved.slots.empty() && !unreadable_.contains(saved.id.ecosystem)) return;
  auto& app = find_app(saved.id, saved.generation, revision);
  if (!newer) restore_settings(app, saved);
  app.stable = versions_.known_version(app, saved.stable);
  if (app.unreadable && !app.scale) app.scale = saved.slots.empty() ? 0 : saved.slots.back().index + 1;
  const bool has_accepted = !newer && app.version->revision == accepted(saved);
  const auto version_for = [&](const SavedSlot& slot) {
    const bool as_accepted = has_accepted && slot.generation != 0 && slot.generation == saved.generation;
    return as_accepted ? app.version : versions_.started_with(app, slot);
  };
  for (const auto& slot : saved.slots)
    if (slot.index < max_instances) restore_slot(app, slot, version_for(slot), newer);
  for (const auto& one : saved.besides)
    if (auto* slot = world_.apps.find(SlotId{app.id, one.index}))
      restore_beside(*slot, one, version_for(one));
}

void Restoration::restore_settings(App& app, const SavedApp& saved) {
  app.wanted = saved.wanted;
  app.scale = saved.scale;
  app.rollout =
      rollout_of(saved, !app.unreadable, world_.now.mono);  // else nothing of it moves, back neither
  app.removed = app.removed || saved.removed;
  if (saved.version == 0 || app.unreadable) return;
  if (auto version = versions_.known_version(app, saved.version))
    app.version = std::move(version);
  else
    problems_.push_back("cannot read revision " + std::to_string(saved.version) + " of " +
                        app.id.ecosystem.str() + ", which " + app.id.app.str() +
                        " had gone back to; it follows the present one");
}

void Restoration::restore_slot(App& app, const SavedSlot& saved, VersionPtr version, bool newer) {
  auto& slot = slots_.make(app, saved.index, Cause::returned, nullptr);
  slot.wanted = saved.wanted || newer;
  slot.restarts = saved.restarts;
  slot.last = StartId{std::max(saved.last, saved.start)};
  slot.stage = newer ? plan::Stage::none : known(saved.stage, plan::Stage::broken);
  slot.renewal = newer ? Renewal::none : known(saved.renewal, Renewal::reload);
  restore_instance(*slot.main, saved, std::move(version));
}

void Restoration::restore_beside(Slot& slot, const SavedSlot& saved, VersionPtr version) {
  const auto role = known(saved.role, Role::superseded);
  if (role == Role::main || !version || saved.start == 0) return;
  auto one = std::make_unique<Instance>();
  one->slot = &slot;
  one->nth = slot.made++;
  one->role = role;
  restore_instance(*one, saved, std::move(version));
  if (role == Role::replacement && !slot.replacement)
    slot.replacement = std::move(one);
  else
    slot.retired.push_back(std::move(one));
  slot.last = std::max(slot.last, StartId{saved.start});
}

void Restoration::restore_instance(Instance& one, const SavedSlot& saved, VersionPtr version) {
  one.cause = known(saved.cause, Cause::withdrawn);
  if (!saved.by.empty()) one.by = world_.journal.intern(saved.by);
  one.end.late = saved.late;
  one.handled = StartId{saved.handled};
  one.since = {saved.since};
  one.end.exit = saved.last_exit;
  if (saved.failure) one.end.failure = std::make_unique<StartFailure>(*saved.failure);
  one.version = std::move(version);
  one.start = StartId{saved.start};
  one.revision = saved.revision;
  one.started = {saved.started};
  one.life.history = saved_history(saved, world_.now);
  world_.correct(one, saved_state(saved, world_.now));
}

Slot* Restoration::slot_of(const SlotId& id, const KnownChild& newest) {
  const bool declared = world_.apps.find(id.app) != nullptr;
  auto& app = find_app(id.app, newest.generation, newest.revision);
  if (id.slot >= max_instances) return nullptr;
  if (app.unreadable && !newest.exited) app.scale = std::max(app.instances(), id.slot + 1);
  if (!declared && app.removed && !newest.exited)
    problems_.push_back(id.str() + " runs (start " + std::to_string(static_cast<std::uint64_t>(newest.id)) +
                        "), but no app of that name is declared: it is stopped");
  if (auto* slot = world_.apps.find(id)) return slot;
  auto& slot = slots_.make(app, id.slot, Cause::returned, nullptr);
  slot.last = {};
  slot.stage = plan::Stage::none;
  return &slot;
}

}  // namespace svd
