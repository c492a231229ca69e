// SPDX-License-Identifier: Apache-2.0
// What the engine remembers of apps, their slots, and who fills those: data. Who may change what, and what
// follows from it, is the business of world.h and of the owners above it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/agenda/agenda.h"
#include "lifecycle/instance.h"
#include "model/app_spec.h"
#include "model/names.h"
#include "model/views.h"
#include "plan/rollout.h"
#include "plan/rollout_state.h"

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
  superseded,   // was the main one, and is on its way out
};

// To be replaced although it is of the present generation: a person wants it.
enum class Renewal : std::uint8_t { none, restart, reload };

struct Slot;
struct App;

// How the last process ended, or why there was none.
struct End {
  ExitStatus exit;
  std::unique_ptr<StartFailure> failure;
  bool late = false;  // it was killed because it was not ready in time
};

// One process after another, of one version. A slot has one that it is known by, and others for as long as it
// takes to replace that one start-first.
struct Instance {
  Slot* slot = nullptr;
  std::uint32_t nth = 0;  // of those that its slot ever had
  lifecycle::Instance life;
  VersionPtr version;          // what it was started with; nullptr: never started
  StartId start{};             // present or last
  StartId handled{};           // exits up to this start are counted
  std::uint64_t revision = 0;  // at its start
  WallTime started, since;
  End end;
  const std::string* by = nullptr;  // who is behind the cause; interned
  Cause cause = Cause::none;
  Role role = Role::main;
  bool serves = false;  // it is counted in App::serving

  [[nodiscard]] Phase phase() const { return lifecycle::phase(life.state); }
  [[nodiscard]] std::int64_t pid() const { return lifecycle::pid_of(life.state); }
  [[nodiscard]] bool is_up() const { return phase() == Phase::starting || phase() == Phase::ready; }
  [[nodiscard]] bool is_retired() const { return role == Role::withdrawn || role == Role::superseded; }
  [[nodiscard]] InstanceId id() const;
  // What it was, or would be, started with.
  [[nodiscard]] const AppSpec& spec() const;
  [[nodiscard]] bool is_of(std::uint64_t generation) const {
    return version && version->spec.generation == generation;
  }
};

// A position of an app. It outlives its processes.
struct Slot {
  App* app = nullptr;
  std::uint32_t index = 0;
  std::uint32_t made = 0;  // instances so far
  Track track = Track::none;
  plan::Stage stage = plan::Stage::none;  // of the rollout
  Renewal renewal = Renewal::none;
  bool wanted = true;  // by the user
  std::uint64_t restarts = 0;
  StartId last{};                  // the newest start in this slot
  std::unique_ptr<Instance> main;  // never nullptr
  std::unique_ptr<Instance> replacement;
  std::vector<std::unique_ptr<Instance>> retired;

  [[nodiscard]] SlotId id() const;
  // "web/0": for people who know which ecosystem it is about.
  [[nodiscard]] std::string name() const;
  [[nodiscard]] Phase phase() const { return main->phase(); }
  [[nodiscard]] bool has_others() const { return replacement || !retired.empty(); }
  // What fills it is not what its app wants there.
  [[nodiscard]] bool is_stale() const;
  template <class Visit>
  void each(Visit&& visit) const {
    visit(*main);
    if (replacement) visit(*replacement);
    for (const auto& one : retired) visit(*one);
  }
};

// What an app has of the world besides its processes.
struct Sockets {
  bool releasing = false;  // some of a former version may still be bound
  bool picks = false;      // one of them is served by chosen slots only
  std::string unbound;     // why they cannot be had: nothing is started
};

struct App {
  AppId id;
  VersionPtr version;                  // as last accepted, or gone back to
  VersionPtr stable;                   // the last one that ran in all its slots; nullptr: none yet
  std::optional<std::uint32_t> scale;  // instances, by the user
  bool wanted = true;                  // false: stopped by the user as a whole
  bool removed = false;                // to be stopped and dropped
  bool unreadable = false;  // its revision cannot be decoded: what runs is kept, nothing is started
  plan::RolloutState rollout;
  Sockets sockets;
  std::int32_t serving = 0;                  // slots in phase ready
  ChangeId change{};                         // the running one that it is part of
  std::vector<std::unique_ptr<Slot>> slots;  // by index; nullptr: a gap, left by one that went early

  [[nodiscard]] std::uint32_t instances() const { return scale.value_or(version->spec.instances); }
  [[nodiscard]] bool is_surplus(const Slot& slot) const { return removed || slot.index >= instances(); }
  // Slots that there are or will be.
  [[nodiscard]] std::uint32_t width() const;
  [[nodiscard]] std::uint64_t generation() const { return version->spec.generation; }

  [[nodiscard]] const plan::Rolling* rolling() const { return std::get_if<plan::Rolling>(&rollout); }
  [[nodiscard]] bool is_rolling() const { return rolling() != nullptr; }
  [[nodiscard]] bool is_paused() const { return is_rolling() && rolling()->paused; }
  [[nodiscard]] bool is_going_back() const { return is_rolling() && rolling()->back; }
  [[nodiscard]] bool is_halted() const { return std::holds_alternative<plan::Halted>(rollout); }

  template <class Visit>
  void each_slot(Visit&& visit) const {
    for (const auto& slot : slots)
      if (slot) visit(*slot);
  }
  template <class Holds>
  [[nodiscard]] bool any_slot(Holds&& holds) const {
    for (const auto& slot : slots)
      if (slot && holds(*slot)) return true;
    return false;
  }
  template <class Visit>
  void each_instance(Visit&& visit) const {
    each_slot([&](Slot& slot) { slot.each(visit); });
  }
};

}  // namespace svd
