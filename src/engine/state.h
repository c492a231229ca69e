// SPDX-License-Identifier: Apache-2.0
// The engine's memory, private to src/engine. One struct, its functions grouped by topic over several files:
//
//   - engine.cpp: construction, dispatch(): what the kernel told, through lifecycle::step
//   - reconcile.cpp: the loop that plans what is dirty, carries it out, saves, and says when to look again
//   - converge.cpp: desired state of one app: making, scaling, replacing, dropping its slots
//   - sockets.cpp: the listeners of apps
//   - apply.cpp, revisions.cpp, requests.cpp: what clients ask for: each changes desired state and begins a
//   Change
//   - changes.cpp: progress and outcome of what was begun
//   - events.cpp, words.cpp, views.cpp: what is told, and in which words
//   - persist.cpp, snapshot.cpp, restore.cpp, adopt.cpp: memory ↔ text, and taking over after a former engine
//
// Cost: whatever happens to one slot costs the same however many slots there are. Only what was touched is on
// a dirty list and is planned again; deadlines are in one ordered set; a rollout looks at the slots of its
// own app.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "lifecycle/instance.h"
#include "plan/diff.h"
#include "plan/rollout.h"
#include "plan/slot.h"

namespace svd {

// An accepted specification of an app. Shared by the slots that were started with it, so that a slot whose
// app has moved on can be restarted as it was.
struct Version {
  AppSpec spec;
  std::uint64_t revision = 0;
};
using VersionPtr = std::shared_ptr<const Version>;

// Why a slot is in its phase, or on its way to the next; words.cpp has the words.
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
};
inline constexpr std::size_t cause_count = static_cast<std::size_t>(Cause::late) + 1;

// What a slot is to the change that its app is part of.
enum class Track : std::uint8_t { none, pending, done, failed };

struct App;

// A position of an app. It outlives its processes. What belongs to one process is in Occupant: a slot holds
// one now, and will hold a second one while it is replaced start-first.
struct Occupant {
  lifecycle::Instance life;
  VersionPtr version;          // what it was started with; nullptr: never started
  StartId start{};             // present or last
  std::uint64_t revision = 0;  // at its start
  WallTime started;
};

struct Slot {
  App* app = nullptr;
  std::uint32_t index = 0;
  Occupant occupant;
  const std::string* by = nullptr;  // who is behind the cause; interned
  std::unique_ptr<StartFailure> failure;
  std::uint64_t restarts = 0;
  StartId handled{};  // exits up to this start are counted
  WallTime since;
  ExitStatus last_exit;
  std::optional<TimePoint> armed;  // its entry in State::timers
  Cause cause = Cause::none;
  Track track = Track::none;
  plan::Part part = plan::Part::none;
  bool wanted = true;    // by the user
  bool restart = false;  // to be replaced although it is of the present generation
  bool serves = false;   // it is counted in App::serving
  bool late = false;     // its last process was killed because it was not ready in time
  bool dirty = false, changed = false;

  [[nodiscard]] Phase phase() const { return lifecycle::phase(occupant.life.state); }
};

struct Part;

struct App {
  AppId id;
  VersionPtr version;                  // as last accepted
  std::optional<std::uint32_t> scale;  // instances, by the user
  bool wanted = true;                  // false: stopped by the user as a whole
  bool leaving = false;                // to be stopped and dropped
  bool unreadable = false;  // its revision cannot be decoded: what runs is kept, nothing is started
  bool rolling = false;     // some slots may be stale
  bool halted = false;      // a replacement failed: stale slots are left as they are
  bool releasing = false;   // sockets of a former version may still be bound
  bool picks = false;       // a socket of it is served by chosen slots only
  bool unserved = false;    // who that is has changed
  bool dirty = false, changed = false;
  std::string unbound;       // why its sockets cannot be had: nothing is started
  TimePoint bind_at{};       // then it is tried again
  std::int32_t serving = 0;  // slots in phase ready
  Part* part = nullptr;      // of the running change that owns it
  std::vector<std::unique_ptr<Slot>>
      slots;  // by index; nullptr: a gap left by a slot that went before a higher one

  [[nodiscard]] std::uint32_t instances() const { return scale.value_or(version->spec.instances); }
  [[nodiscard]] bool is_surplus(const Slot& slot) const { return leaving || slot.index >= instances(); }
  [[nodiscard]] std::uint32_t width() const;  // slots that there are or will be
};

// The stake of one app in a change.
struct Change;
struct Part {
  Change* change = nullptr;
  bool open = true;
  bool superseded = false;
  std::uint32_t pending = 0;
  std::uint32_t kept = 0;  // slots that a broken rollout left with their former version
  std::vector<std::pair<SlotId, std::string>> failures;
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

struct Eco {
  Name name;
  std::uint64_t current = 0;  // revision
  std::uint64_t next = 1;
  std::vector<RevisionView> history;  // ascending; at most max_history former ones and the current
  std::set<Name> deleted;             // apps of the current revision that the user deleted
};

// "web/0": for people who know which ecosystem it is about.
[[nodiscard]] inline std::string slot_name(const Slot& slot) {
  return slot.app->id.app.str() + "/" + std::to_string(slot.index);
}

struct Engine::State {
  static constexpr std::size_t max_history = 20;
  static constexpr std::size_t max_finished = 256;
  static constexpr std::size_t max_events = 1000;
  static constexpr std::size_t max_unsaved_exits = 4096;
  static constexpr Millis save_delay{100};
  static constexpr Millis save_retry{5000};

  State(Ports p, std::uint64_t s) : ports{std::move(p)}, seed{s} {}

  Ports ports;
  Now now;
  std::uint64_t seed;

  std::map<Name, Eco> ecosystems;
  std::map<AppId, App> apps;
  std::unordered_map<std::uint64_t, Slot*> starts;  // by StartId: every start that is not Gone
  std::set<std::pair<TimePoint, Slot*>> timers;
  std::map<ChangeId, Change> changes;
  std::deque<ChangeId> finished;
  std::deque<EventRecord> events;
  std::set<std::string> actors;
  std::set<AppId> limits_changed;  // what runs of these is to be told its limits
  std::set<std::uint64_t> strays;  // starts that restore() found and gave up: killed, not Gone yet

  std::uint64_t next_start = 1, next_change = 1, next_event = 1;
  bool shutting = false, forced = false;

  std::vector<Slot*> dirty_slots, changed_slots;
  std::vector<App*> dirty_apps;
  std::vector<AppId> changed_apps;
  std::vector<Change*> dirty_changes;
  std::vector<AppId> unserved;
  std::set<App*> unbound;
  std::vector<lifecycle::Command> outbox;
  std::vector<std::pair<StartId, StartFailure>> refused;  // starts that failed before they reached the port
  std::optional<TimePoint> save_at;                       // set: something is not saved
  std::size_t saved_bytes = 0;                            // size of the last saved state
  bool save_failing = false;
  std::map<std::pair<Name, std::uint64_t>, Revision> unsaved_revisions;
  std::vector<StartId> gone;  // their exits are handled, and will be on record with the next save

  // engine.cpp
  double draw();
  void dispatch(const Event& event);
  void advance(
      Slot& slot,
      const lifecycle::Event& event);  // lifecycle::step, and everything that follows from a new phase
  void begin(Slot& slot);
  void count_serving(Slot& slot);
  void on_end(Slot& slot, const std::string& why);  // an end that nobody asked for, or a failed start
  void run_out(Slot& slot);                         // a deadline of its phase has passed

  // reconcile.cpp
  std::optional<TimePoint> reconcile();
  void touch(Slot& slot);  // plan it again
  void touch(App& app);
  void mark_changed(Slot& slot);
  void mark_changed(App& app);
  void mark_dirty(Change& change);
  void unsaved(bool at_once = false);
  [[nodiscard]] bool is_finished() const;
  void plan_slots();
  void plan_apps();
  void carry_out();
  void perform(const lifecycle::Command& command);
  void spawn(StartId id);
  void adjust_limits();
  void save_if_due();
  void forget_saved();

  // converge.cpp
  [[nodiscard]] plan::Want want(const Slot& slot) const;
  [[nodiscard]] static bool is_stale(const Slot& slot);
  [[nodiscard]] static const StopPolicy& stop_policy(const Slot& slot);
  Slot& make_slot(App& app, std::uint32_t index, Cause cause, const std::string* by);
  void fit_slots(App& app, Cause cause,
                 const std::string* by);  // makes what is missing, touches what is too much
  void resume(Slot& slot, Cause cause, const std::string* by);  // wanted, and again
  void replace(Slot& slot);
  void roll(App& app);
  void set_version(App& app, VersionPtr version);
  void drop_rested(App& app);
  void leave(App& app, const std::string* by);
  void forget_slot(Slot& slot);

  // sockets.cpp
  Result<> bind_all(const Ecosystem& want);
  void unbind(const Ecosystem& want, const Name& last);
  void release(App& app);
  void let_go(App& app);
  void rebind(App& app);
  void await_sockets(App& app, const std::string& why);
  void admit(App& app);
  void retry_binding();
  void changed_readiness(App& app);
  void tell_who_serves();

  // changes.cpp
  Change& begin_change(std::string kind, std::string target, const Actor& who);
  void begin_part(Change& change, App& app);
  void track(Slot& slot);
  void evaluate(Slot& slot);
  void settle(Slot& slot, Track how);
  void fail_tracked(Slot& slot, const std::string& why);
  void abandon_stale(App& app);
  void supersede(App& app);
  void close_if_settled(Part& part);
  void finish_changes();
  void finish(Change& change);

  // apply.cpp, revisions.cpp
  Result<Begun> apply(Source source, const Actor& who, const std::string& kind, const std::string& note);
  [[nodiscard]] std::vector<PlanStep> diff_against(const Ecosystem& want) const;
  [[nodiscard]] Result<> check_limits(const Ecosystem& want, const std::string& kind) const;
  void accept(Ecosystem want, Change& change, const std::string* by);
  void accept_app(App& app, VersionPtr version, bool touched, Change& change, const std::string* by);
  std::uint64_t record_revision(const Name& ecosystem, Source source, const Actor& who,
                                const std::string& summary);
  void prune(Eco& eco);
  void set_outcome(const Name& ecosystem, std::uint64_t number, const std::string& outcome);
  Result<Begun> rollback(const std::string& ecosystem, std::uint64_t number, const Actor& who);
  [[nodiscard]] Result<Revision> stored_revision(const Name& ecosystem, std::uint64_t number) const;
  [[nodiscard]] Result<std::uint64_t> former_revision(const Eco& eco) const;

  // events.cpp
  void record(std::string kind, std::string subject, std::string text);
  const std::string* intern(const std::string& name);

  // words.cpp
  [[nodiscard]] std::string cause_text(const Slot& slot) const;
  [[nodiscard]] static std::string end_text(const Slot& slot);  // "signal SIGKILL", "cannot start: …"
  [[nodiscard]] std::string reason(const Slot& slot) const;

  // views.cpp
  [[nodiscard]] AppView view(const App& app) const;
  [[nodiscard]] InstanceView view(const Slot& slot) const;

  // snapshot.cpp, restore.cpp, adopt.cpp
  [[nodiscard]] std::string snapshot() const;
  std::vector<std::string> restore(Restored from);
  void take_over(Slot& slot, const std::vector<KnownChild>& children, std::vector<std::string>& problems);
  void keep(Slot& slot, const KnownChild& child);
  void lose(Slot& slot, bool all_lost);
};

}  // namespace svd
