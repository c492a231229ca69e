// SPDX-License-Identifier: Apache-2.0
// What the engine remembers of apps, their slots, and of changes: data, private to src/engine.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "lifecycle/instance.h"
#include "model/app_spec.h"
#include "model/names.h"
#include "model/views.h"
#include "plan/rollout.h"

namespace svd {

// An accepted specification of an app. Shared by the slots that were started with it, so that a slot whose
// app has moved on can be restarted as it was.
struct Version {
  AppSpec spec;
  std::uint64_t revision = 0;
  bool lost = false;  // its revision is: `spec` is a place-holder
};
using VersionPtr = std::shared_ptr<const Version>;

// Why an instance is in its phase, or on its way to the next; words.cpp has the words. Saved by number.
enum class Cause : std::uint8_t {
  none,
  declared,   // an apply or rollback wants it
  updated,    // an apply or rollback replaces it
  scaled,     // the number of instances changed
  started,    // by a person
  stopped,    // by a person
  restarted,  // by a person
  removed,    // its app is no more
  shutdown,   // the daemon goes down
  returned,   // the daemon came back
  retried,    // the restart policy
  ended,      // its process ended by itself: see last_exit
  refused,    // it could not be started: see failure
  late,       // it was not ready in time
  reloaded,   // by a person
  withdrawn,  // a replacement that does not take over
};
inline constexpr std::size_t cause_count = static_cast<std::size_t>(Cause::withdrawn) + 1;

// What a slot is to the change that its app is part of.
enum class Track : std::uint8_t { none, pending, done, kept, failed };

// Who fills a slot.
enum class Role : std::uint8_t {
  main,         // the one that the slot is known by
  replacement,  // is to take over from it
  withdrawn,    // was to, and is on its way out
  leaving,      // was the main one, and is on its way out
};

// To be replaced although it is of the present generation: a person wants it.
enum class Renewal : std::uint8_t { none, restart, reload };

struct Slot;
struct App;

// One process after another, of one version. A slot has one that it is known by, and others for as long as it
// takes to replace that one start-first.
struct Occupant {
  Slot* slot = nullptr;
  lifecycle::Instance life;
  VersionPtr version;          // what it was started with; nullptr: never started
  std::uint32_t nth = 0;       // of those that its slot ever had
  StartId start{};             // present or last
  StartId handled{};           // exits up to this start are counted
  std::uint64_t revision = 0;  // at its start
  WallTime started, since;
  ExitStatus last_exit;
  std::unique_ptr<StartFailure> failure;
  const std::string* by = nullptr;  // who is behind the cause; interned
  std::optional<TimePoint> armed;   // its entry in State::timers
  Cause cause = Cause::none;
  Role role = Role::main;
  bool serves = false;  // it is counted in App::serving
  bool late = false;    // its last process was killed because it was not ready in time
  bool dirty = false;
  bool rested = false;  // on its way out, and there: it is to be forgotten

  [[nodiscard]] Phase phase() const { return lifecycle::phase(life.state); }
  [[nodiscard]] bool is_up() const { return phase() == Phase::starting || phase() == Phase::ready; }
  [[nodiscard]] bool goes() const { return role == Role::withdrawn || role == Role::leaving; }
};

// A position of an app. It outlives its processes.
struct Slot {
  App* app = nullptr;
  std::uint32_t index = 0;
  Track track = Track::none;
  plan::Part part = plan::Part::none;
  Renewal renewal = Renewal::none;
  bool wanted = true;  // by the user
  bool changed = false;
  std::uint32_t made = 0;  // occupants so far
  std::uint64_t restarts = 0;
  StartId last{};                      // the newest start in this slot
  std::unique_ptr<Occupant> occupant;  // never nullptr
  std::unique_ptr<Occupant> replacement;
  std::vector<std::unique_ptr<Occupant>> leaving;

  [[nodiscard]] Phase phase() const { return occupant->phase(); }
  [[nodiscard]] bool has_others() const { return replacement || !leaving.empty(); }
  template <class Visit>
  void each_occupant(Visit&& visit) const {
    visit(*occupant);
    if (replacement) visit(*replacement);
    for (const auto& one : leaving) visit(*one);
  }
};

struct Part;

struct App {
  AppId id;
  VersionPtr version;                  // as last accepted, or gone back to
  VersionPtr stable;                   // the last one that ran in all its slots; nullptr: none yet
  std::optional<std::uint32_t> scale;  // instances, by the user
  bool wanted = true;                  // false: stopped by the user as a whole
  bool leaving = false;                // to be stopped and dropped
  bool unreadable = false;  // its revision cannot be decoded: what runs is kept, nothing is started
  bool rolling = false;     // some slots may be stale
  bool paused = false;      // the rollout is, by a person
  bool halted = false;      // a replacement failed: stale slots are left as they are
  bool reverting = false;   // a replacement failed: the rollout leads back to `stable`
  bool releasing = false;   // sockets of a former version may still be bound
  bool picks = false;       // a socket of it is served by chosen slots only
  bool unserved = false;    // who that is has changed
  bool dirty = false, changed = false;
  std::string unbound;             // why its sockets cannot be had: nothing is started
  TimePoint bind_at{};             // then it is tried again
  TimePoint progress{};            // when the rollout last got on
  std::optional<TimePoint> armed;  // its entry in State::app_timers
  std::int32_t serving = 0;        // slots in phase ready
  Part* part = nullptr;            // of the running change that owns it
  std::vector<std::unique_ptr<Slot>>
      slots;  // by index; nullptr: a gap left by a slot that went before a higher one

  [[nodiscard]] std::uint32_t instances() const { return scale.value_or(version->spec.instances); }
  [[nodiscard]] bool is_surplus(const Slot& slot) const { return leaving || slot.index >= instances(); }
  [[nodiscard]] std::uint32_t width() const;  // slots that there are or will be
};

// What fills the slot is not what its app wants there.
[[nodiscard]] inline bool is_stale(const Slot& slot) {
  const auto& have = slot.occupant->version;
  return slot.renewal != Renewal::none ||
         (have && have->spec.generation != slot.app->version->spec.generation);
}

// "web/0": for people who know which ecosystem it is about.
[[nodiscard]] inline std::string slot_name(const Slot& slot) {
  return slot.app->id.app.str() + "/" + std::to_string(slot.index);
}

// What an occupant was, or would be, started with.
[[nodiscard]] inline const AppSpec& spec_of(const Occupant& one) {
  return (one.version ? one.version : one.slot->app->version)->spec;
}

// What is due at the same time comes in the order of names, wherever it lies in memory.
struct InOrder {
  bool operator()(const App* a, const App* b) const { return a->id < b->id; }
  bool operator()(const Occupant* a, const Occupant* b) const {
    const auto key = [](const Occupant& one) {
      return std::tie(one.slot->app->id, one.slot->index, one.nth);
    };
    return key(*a) < key(*b);
  }
  template <class Entry>
  bool operator()(const std::pair<TimePoint, Entry>& a, const std::pair<TimePoint, Entry>& b) const {
    return a.first != b.first ? a.first < b.first : (*this)(a.second, b.second);
  }
};

// The stake of one app in a change.
struct Change;
struct Part {
  Change* change = nullptr;
  bool open = true;
  bool superseded = false;
  bool reverting = false;  // it failed, and its app is going back
  std::uint32_t pending = 0;
  std::uint32_t kept = 0;  // slots that a broken rollout left with their former version
  std::vector<std::pair<SlotId, std::string>> failures;
  std::string note;  // what became of it: "rolled back to revision 3"
};

struct Change {
  ChangeView view;
  std::string who;
  Name ecosystem;  // apply, rollback: whose revision it made
  std::map<AppId, Part> parts;
  bool dirty = false;
  bool running = true;
  bool overtaken = false;  // its revision is not the present one any more
};

// The outcome of a change, and so of a revision, that came to its end with nothing failed.
inline constexpr std::string_view succeeded = "succeeded";

struct Eco {
  Name name;
  std::uint64_t current = 0;  // revision
  std::uint64_t next = 1;
  std::vector<RevisionView> history;  // ascending; see prune()
  std::set<Name> deleted;             // apps of the current revision that the user deleted
};

}  // namespace svd
