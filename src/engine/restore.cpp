// SPDX-License-Identifier: Apache-2.0
// Taking over after a former engine: apps and slots, from the saved text and the revisions. adopt.cpp does
// their processes, restore_changes.cpp what was under way.
//
// Three witnesses, in order of trust: the keeper's table says what runs and what ended; the revisions say
// what was accepted (a revision that is newer than the saved text was applied after the last save, and
// resolves what the user had changed before); the saved text says the rest. Whatever is damaged or missing
// becomes a sentence, and what runs and is wanted is let run.
#include <algorithm>

#include "engine/persist.h"
#include "engine/saved_versions.h"
#include "engine/state.h"

namespace svd {
namespace {

class Restorer {
 public:
  Restorer(Engine::State& state, Restored from)
      : s_{state},
        from_{std::move(from)},
        versions_{state.ports.decode},
        problems_{std::move(from_.problems)} {}

  std::vector<std::string> run() {
    read();
    count();
    collect_ecosystems();
    count_revisions();
    for (auto& [name, eco] : s_.ecosystems) declare(eco);
    for (const auto& app : saved_.apps) restore_app(app);
    adopt();
    for (auto& [id, app] : s_.apps) wake(app);
    forget_unaccepted();
    s_.restore_changes(saved_.changes);
    report();
    return std::move(problems_);
  }

 private:
  void read() {
    if (from_.runtime.empty()) {
      if (!from_.children.empty())
        problems_.emplace_back(
            "there is no runtime state: what was stopped, scaled or deleted by hand is forgotten; going on "
            "with "
            "the revisions and with what runs");
      return;
    }
    auto read = read_state(from_.runtime);
    if (read)
      saved_ = std::move(*read);
    else
      problems_.push_back(read.error().text + "; going on with the revisions and with what runs");
  }

  void count() {
    s_.next_start = saved_.next_start;
    s_.next_change = saved_.next_change;
    s_.next_event = saved_.next_event;
    for (const auto& child : from_.children)
      s_.next_start = std::max(s_.next_start, static_cast<std::uint64_t>(child.id) + 1);
  }

  // A revision that could not be saved is lost, but not its number, while something has it. Where nothing
  // else tells which one is the present one, what runs does: an older one that is still there is not it.
  void count_revisions() {
    for (const auto& child : from_.children) {
      auto& eco = s_.ecosystems[child.slot.app.ecosystem];
      eco.name = child.slot.app.ecosystem;
      eco.next = std::max(eco.next, child.revision + 1);
      if (!child.exited && !saved_current_.contains(eco.name))
        eco.current = std::max(eco.current, child.revision);
    }
    for (auto& [name, eco] : s_.ecosystems)
      for (auto& view : eco.history) view.current = view.number == eco.current;
  }

  void collect_ecosystems() {
    for (const auto& saved : saved_.ecosystems) {
      auto& eco = s_.ecosystems[saved.name];
      eco.name = saved.name;
      eco.current = saved_current_[saved.name] = saved.current;
      eco.next = std::max(saved.next, saved.current + 1);
      eco.deleted.insert(saved.deleted.begin(), saved.deleted.end());
    }
    for (auto& revision : from_.revisions) {
      auto& eco = s_.ecosystems[revision.view.ecosystem];
      eco.name = revision.view.ecosystem;
      eco.current = std::max(eco.current, revision.view.number);
      eco.next = std::max(eco.next, eco.current + 1);
      eco.history.push_back(revision.view);
      versions_.add(eco.name, revision.view.number, revision.source);
    }
    for (auto& [name, eco] : s_.ecosystems) {
      std::ranges::sort(eco.history, {}, &RevisionView::number);
      if (is_newer(name)) eco.deleted.clear();
    }
  }

  // The present revision was accepted after the last save.
  [[nodiscard]] bool is_newer(const Name& ecosystem) const {
    const auto saved = saved_current_.find(ecosystem);
    const auto eco = s_.ecosystems.find(ecosystem);
    return saved != saved_current_.end() && eco != s_.ecosystems.end() && eco->second.current > saved->second;
  }

  void declare(Eco& eco) {
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
    for (const auto& [name, spec] : ecosystem->apps) {
      if (eco.deleted.contains(name)) continue;
      make_app({eco.name, name}, std::make_shared<const Version>(Version{spec, eco.current}));
    }
  }

  App& make_app(const AppId& id, VersionPtr version) {
    auto& app = s_.apps[id];
    app.id = id;
    app.version = std::move(version);
    return app;
  }

  // The app, or a place for what is left of one that is not declared.
  App& find_app(const AppId& id, std::uint64_t generation, std::uint64_t revision) {
    const auto found = s_.apps.find(id);
    if (found != s_.apps.end()) return found->second;
    auto version = versions_.version_of(id, revision);
    if (!version) {
      AppSpec spec;
      spec.name = id.app;
      version = SavedVersions::stand_in(std::move(spec), revision, generation);
    }
    auto& app = make_app(id, std::move(version));
    app.unreadable = unreadable_.contains(id.ecosystem);
    app.leaving = !app.unreadable;
    return app;
  }

  // The one that the app was last accepted with.
  [[nodiscard]] std::uint64_t accepted(const SavedApp& saved) const {
    if (saved.version != 0) return saved.version;
    const auto current = saved_current_.find(saved.id.ecosystem);
    return current == saved_current_.end() ? 0 : current->second;
  }

  // If that cannot be had, one that it ran: best of the same generation.
  std::uint64_t revision_of(const SavedApp& saved) {
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

  void restore_app(const SavedApp& saved) {
    const bool newer = is_newer(saved.id.ecosystem);
    const auto revision = revision_of(saved);
    const bool declared = s_.apps.contains(saved.id);
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
      if (one.index < app.slots.size() && app.slots[one.index])
        restore_beside(*app.slots[one.index], one, version_for(one));
  }

  void restore_settings(App& app, const SavedApp& saved) {
    app.wanted = saved.wanted;
    app.scale = saved.scale;
    app.halted = saved.halted;
    app.rolling = saved.rolling;
    app.paused = saved.paused;
    app.reverting = saved.reverting && !app.unreadable;  // else nothing of it moves, back neither
    app.leaving = app.leaving || saved.leaving;
    if (saved.version == 0 || app.unreadable) return;
    if (auto version = versions_.known_version(app, saved.version))
      app.version = std::move(version);
    else
      problems_.push_back("cannot read revision " + std::to_string(saved.version) + " of " +
                          app.id.ecosystem.str() + ", which " + app.id.app.str() +
                          " had gone back to; it follows the present one");
  }

  void restore_slot(App& app, const SavedSlot& saved, VersionPtr version, bool newer) {
    auto& slot = s_.make_slot(app, saved.index, Cause::returned, nullptr);
    slot.wanted = saved.wanted || newer;
    slot.restarts = saved.restarts;
    slot.last = StartId{std::max(saved.last, saved.start)};
    slot.part = plan::Part::none;
    if (!newer && saved.part <= static_cast<std::uint8_t>(plan::Part::broken))
      slot.part = static_cast<plan::Part>(saved.part);
    if (!newer && saved.renewal <= static_cast<std::uint8_t>(Renewal::reload))
      slot.renewal = static_cast<Renewal>(saved.renewal);
    restore_occupant(*slot.occupant, saved, std::move(version));
  }

  void restore_beside(Slot& slot, const SavedSlot& saved, VersionPtr version) {
    const bool sound = saved.role > 0 && saved.role <= static_cast<std::uint8_t>(Role::leaving) && version;
    if (!sound || saved.start == 0) return;
    auto one = std::make_unique<Occupant>();
    one->slot = &slot;
    one->nth = slot.made++;
    one->role = static_cast<Role>(saved.role);
    restore_occupant(*one, saved, std::move(version));
    if (one->role == Role::replacement && !slot.replacement)
      slot.replacement = std::move(one);
    else
      slot.leaving.push_back(std::move(one));
    slot.last = std::max(slot.last, StartId{saved.start});
  }

  void restore_occupant(Occupant& one, const SavedSlot& saved, VersionPtr version) {
    one.cause = saved.cause < cause_count ? static_cast<Cause>(saved.cause) : Cause::none;
    if (!saved.by.empty()) one.by = s_.intern(saved.by);
    one.late = saved.late;
    one.handled = StartId{saved.handled};
    one.since = {saved.since};
    one.last_exit = saved.last_exit;
    if (saved.failure) one.failure = std::make_unique<StartFailure>(*saved.failure);
    one.version = std::move(version);
    one.start = StartId{saved.start};
    one.revision = saved.revision;
    one.started = {saved.started};
    one.life.state = state_of(saved);
    std::vector<TimePoint> recent;
    for (const auto at : saved.recent) recent.push_back(std::min(to_mono(at), s_.now.mono));
    std::ranges::sort(recent);
    one.life.history.restore(saved.streak, std::move(recent));
  }

  [[nodiscard]] TimePoint to_mono(std::int64_t wall) const {
    constexpr std::int64_t limit =
        3650LL * 86400 * 1'000'000;  // a wall clock that was set must not overflow anything
    const auto distance = std::clamp(wall - s_.now.wall.micros, -limit, limit);
    return s_.now.mono + std::chrono::microseconds{distance};
  }

  [[nodiscard]] lifecycle::Rest rest_of(const SavedSlot& saved, Phase phase) const {
    switch (phase) {
      case Phase::backoff: {
        const Nanos delay{std::max<std::int64_t>(saved.delay, 0)};
        return lifecycle::Backoff{std::min(to_mono(saved.until), s_.now.mono + delay), delay};
      }
      case Phase::completed:
        return lifecycle::Completed{};
      case Phase::stopped:
        return lifecycle::Stopped{};
      case Phase::failed:
        return lifecycle::Failed{saved.limit ? lifecycle::Failed::Why::limit
                                             : lifecycle::Failed::Why::policy};
      case Phase::waiting:
      case Phase::starting:
      case Phase::ready:
      case Phase::stopping:
        break;
    }
    return lifecycle::Waiting{};
  }

  // Live phases are provisional: adopt() confirms them by the keeper's table, or corrects them.
  [[nodiscard]] lifecycle::State state_of(const SavedSlot& saved) const {
    const StartId id{saved.start};
    switch (saved.phase) {
      case Phase::starting:
        return lifecycle::Starting{id};
      case Phase::ready:
        return lifecycle::Ready{id, 0, to_mono(std::min(saved.since, s_.now.wall.micros))};
      case Phase::stopping:
        return lifecycle::Stopping{id, 0,  lifecycle::Stopping::Step::killed, false,
                                   {}, {}, rest_of(saved, saved.next)};
      case Phase::waiting:
      case Phase::backoff:
      case Phase::completed:
      case Phase::stopped:
      case Phase::failed:
        break;
    }
    return std::visit([](const auto& rest) { return lifecycle::State{rest}; }, rest_of(saved, saved.phase));
  }

  void adopt() {
    std::map<SlotId, std::vector<KnownChild>> found;
    for (const auto& child : from_.children) found[child.slot].push_back(child);
    for (auto& [id, children] : found) {
      std::ranges::sort(children, {}, &KnownChild::id);
      if (auto* slot = slot_of(id, children.back())) adopt(*slot, children);
    }
    for (auto& [id, app] : s_.apps)
      for (const auto& slot : app.slots)
        if (slot) lose_missing(*slot);
  }

  // The place for what the keeper knows of this slot.
  Slot* slot_of(const SlotId& id, const KnownChild& newest) {
    const bool known = s_.apps.contains(id.app);
    auto& app = find_app(id.app, newest.generation, newest.revision);
    if (id.slot >= max_instances) return nullptr;
    if (app.unreadable && !newest.exited) app.scale = std::max(app.instances(), id.slot + 1);
    if (!known && app.leaving && !newest.exited)
      problems_.push_back(id.str() + " runs (start " + std::to_string(static_cast<std::uint64_t>(newest.id)) +
                          "), but no app of that name is declared: it is stopped");
    if (id.slot < app.slots.size() && app.slots[id.slot]) return app.slots[id.slot].get();
    auto& slot = s_.make_slot(app, id.slot, Cause::returned, nullptr);
    slot.last = {};
    slot.part = plan::Part::none;
    return &slot;
  }

  void adopt(Slot& slot, const std::vector<KnownChild>& children) {
    const auto version_for = [&](const KnownChild& child) {
      return versions_.started_with(*slot.app, child.revision, child.generation);
    };
    for (auto& [one, its] : s_.assign(slot, children, version_for, problems_)) s_.adopt(*one, its);
    slot.last = std::max(slot.last, children.back().id);
  }

  void lose_missing(Slot& slot) {
    slot.each_occupant([&](Occupant& one) {
      if (is_live(one.phase()) && !s_.starts.contains(static_cast<std::uint64_t>(one.start)))
        s_.lose(one, from_.children.empty());
      if (one.goes() && !is_live(one.phase()) && !std::exchange(one.rested, true)) s_.rested.push_back(&one);
    });
    if (slot.replacement && !is_live(slot.replacement->phase())) s_.withdraw(slot);
  }

  // From here on it is an app like any other: what is missing is made, what is too much is stopped.
  void wake(App& app) {
    s_.rebind(app);
    s_.note_dependencies(app);
    const auto& spec = app.version->spec;
    if (spec.limits != Limits{} || spec.app_limits != Limits{} || is_newer(app.id.ecosystem))
      s_.limits_changed.insert(app.id);  // it may not have come to it; and what is refused is found out again
    app.progress = s_.now.mono;
    for (const auto& slot : app.slots) {
      if (!slot) continue;
      if (slot->wanted && !app.is_surplus(*slot)) start_again(*slot->occupant);
      pair_up(*slot);
      const bool was_to_stop = slot->part == plan::Part::replaced && !slot->replacement && is_stale(*slot);
      if (was_to_stop && slot->occupant->is_up()) slot->part = plan::Part::none;  // it is to be asked again
      if (app.halted || app.leaving) slot->part = plan::Part::none;
      app.rolling = app.rolling || (!app.halted && is_stale(*slot)) || slot->part == plan::Part::replaced;
      s_.touch(*slot);
    }
    if (!app.leaving && !app.unreadable)
      for (std::uint32_t i = 0; i < app.instances(); ++i)
        if (i >= app.slots.size() || !app.slots[i]) s_.make_slot(app, i, Cause::returned, nullptr);
    s_.touch(app);
  }

  // Sockets of a file that the former engine did not come to accept. Where something cannot be read, they may
  // be of what is there.
  void forget_unaccepted() {
    if (!problems_.empty() || from_.runtime.empty()) return;
    std::vector<AppId> all;
    for (const auto& [id, app] : s_.apps) all.push_back(id);
    s_.ports.listeners.retain_all(all);
  }

  // A replacement that nothing leads to its end, or that a newer revision does not want, goes. Where the one
  // that it was for is no more, it is all that is left.
  void pair_up(Slot& slot) {
    if (!slot.replacement) return;
    const auto& app = *slot.app;
    const bool goes_on = !app.unreadable && !app.halted && is_stale(slot) &&
                         slot.replacement->version->spec.generation == app.version->spec.generation;
    if (goes_on) return;
    if (app.unreadable && !slot.occupant->is_up() && slot.replacement->is_up())
      s_.take_over(slot);
    else
      s_.withdraw(slot);
  }

  // The daemon had stopped it, or what a newer revision takes back.
  static void start_again(Occupant& one) {
    auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state);
    if (one.phase() == Phase::stopped)
      one.life.state = lifecycle::Waiting{};
    else if (stopping != nullptr && lifecycle::phase(stopping->next) == Phase::stopped)
      stopping->next = lifecycle::Waiting{};
    else
      return;
    one.cause = Cause::returned;
  }

  void report() {
    std::size_t running = 0;
    for (const auto& [start, one] : s_.starts) running += one->phase() == Phase::ready ? 1 : 0;
    if (!saved_.apps.empty() || !from_.children.empty())
      s_.record("daemon", "engine",
                (from_.former ? "the engine before this one ended: " + to_text(*from_.former) + "; " : "") +
                    "took over " + plan::count_instances(static_cast<std::uint32_t>(running)) + " that run");
    for (const auto& problem : problems_) s_.record("daemon", "engine", problem);
    s_.unsaved(true);
  }

  Engine::State& s_;
  Restored from_;
  SavedState saved_;
  std::map<Name, std::uint64_t> saved_current_;
  SavedVersions versions_;
  std::set<Name> unreadable_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> Engine::State::restore(Restored from) {
  return Restorer{*this, std::move(from)}.run();
}

}  // namespace svd
