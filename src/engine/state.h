// SPDX-License-Identifier: Apache-2.0
// The engine's memory, private to src/engine. One struct, its functions grouped by topic over several files:
//
//   - engine.cpp: construction, dispatch(): what the kernel told, through lifecycle::step
//   - reconcile.cpp: the loop that plans what is dirty, carries it out, saves, and says when to look again
//   - converge.cpp: desired state of one app: making, scaling, dropping its slots
//   - dependencies.cpp: who waits for whom, on the way up and down
//   - essential.cpp: the end of a daemon that belongs to its apps
//   - rollout.cpp, revert.cpp: replacing what fills them, and going back when that fails
//   - sockets.cpp: the listeners of apps
//   - apply.cpp, revisions.cpp, requests.cpp: what clients ask for: each changes desired state and begins a
//   Change
//   - changes.cpp: progress and outcome of what was begun
//   - events.cpp, words.cpp, views.cpp: what is told, and in which words
//   - persist.cpp, snapshot.cpp: memory ↔ text
//   - restore.cpp, saved_versions.cpp, adopt.cpp, restore_changes.cpp: taking over after a former engine
//
// Cost: whatever happens to one slot costs the same however many slots there are. Only what was touched is on
// a dirty list and is planned again; deadlines are in one ordered set; a rollout looks at the slots of its
// own app.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/app.h"
#include "engine/engine.h"
#include "engine/outbox/outbox.h"
#include "lifecycle/instance.h"
#include "plan/diff.h"
#include "plan/rollout.h"
#include "plan/slot.h"

namespace svd {

struct SavedChange;

// Whose children the keeper has; each list ascending, none empty.
using Adopted = std::map<Occupant*, std::vector<KnownChild>, InOrder>;
// What one of them was started with.
using VersionFor = std::function<VersionPtr(const KnownChild&)>;

// What an app waits for before its first start; nothing: "".
struct Awaited {
  std::string text;   // "waiting for redis to be ready"
  bool down = false;  // it has failed, so that this may last
};

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
  std::map<std::uint64_t, Occupant*> starts;  // by StartId: every start that is not Gone
  std::set<std::pair<TimePoint, Occupant*>, InOrder> timers;
  std::set<std::pair<TimePoint, App*>, InOrder> app_timers;
  std::map<ChangeId, Change> changes;
  std::deque<ChangeId> finished;
  std::deque<EventRecord> events;
  std::set<std::string> actors;
  std::set<AppId> limits_changed;  // what runs of these is to be told its limits
  std::set<std::uint64_t> strays;  // starts that restore() found and gave up: killed, not Gone yet

  std::uint64_t next_start = 1, next_change = 1, next_event = 1;
  bool shutting = false, forced = false;
  bool belongs_to_apps = false;  // end_with_apps() was called
  bool may_have_ended = false;   // some app, since it was looked at
  int exit_code = 0;

  std::vector<Occupant*> dirty_occupants;
  std::vector<Occupant*> rested;  // are on their way out, and there
  std::vector<Slot*> changed_slots;
  std::vector<App*> dirty_apps;
  std::vector<AppId> changed_apps;
  std::vector<Change*> dirty_changes;
  std::vector<AppId> unserved;
  std::set<App*, InOrder> unbound;
  std::map<AppId, std::set<AppId>> dependents;  // who waits for this app
  std::set<AppId> held;                         // is to end, after others
  Outbox outbox;
  std::vector<std::pair<StartId, StartFailure>> refused;  // starts that failed before they reached the port
  std::optional<TimePoint> save_at;                       // set: something is not saved
  std::size_t saved_bytes = 0;                            // size of the last saved state
  bool save_failing = false;
  std::map<std::pair<Name, std::uint64_t>, Revision> unsaved_revisions;
  std::vector<StartId> gone;  // their exits are handled, and will be on record with the next save

  // engine.cpp
  double draw();
  void dispatch(const Event& event);
  // lifecycle::step, and everything that follows from a new phase.
  void advance(Occupant& one, const lifecycle::Event& event);
  [[nodiscard]] static lifecycle::Rules rules_for(const Occupant& one);
  void take_back(Occupant& one);
  void begin(Occupant& one);
  void choose_version(Occupant& one);
  void count_serving(Occupant& one);
  void on_end(Occupant& one, const std::string& why);  // an end that nobody asked for, or a failed start
  void run_out(Occupant& one);                         // a deadline of its phase has passed
  bool goes_on_accepting(Occupant& one);               // then its deadline has moved

  // reconcile.cpp
  std::optional<TimePoint> reconcile();
  void touch(Occupant& one);  // plan it again
  void touch(Slot& slot);
  void touch(App& app);
  void mark_changed(Slot& slot);
  void mark_changed(App& app);
  void mark_dirty(Change& change);
  void unsaved(bool at_once = false);
  [[nodiscard]] bool is_finished() const;
  void wake_up();
  void plan_occupants();
  void plan(Occupant& one);
  void plan_apps();
  void sweep();
  [[nodiscard]] std::optional<TimePoint> next_wake() const;
  void carry_out();
  void perform(const lifecycle::Command& command);
  void spawn(StartId id);
  void adjust_limits();
  void save_if_due();
  void forget_saved();

  // essential.cpp
  void end_if_apps_have();

  // requests.cpp
  void shut_down(const Actor& who, bool force);

  // converge.cpp
  [[nodiscard]] plan::Want want(const Occupant& one) const;
  Slot& make_slot(App& app, std::uint32_t index, Cause cause, const std::string* by);
  void take_back_in(Slot& slot);
  void fit_slots(App& app, Cause cause,
                 const std::string* by);  // makes what is missing, touches what is too much
  void resume(Slot& slot, Cause cause, const std::string* by);  // wanted, and again
  void set_version(App& app, VersionPtr version);
  void drop_rested(App& app);
  void leave(App& app, const std::string* by);
  void forget_slot(Slot& slot);

  // dependencies.cpp
  [[nodiscard]] bool waits(const App& app) const;  // for some app, before a first start
  [[nodiscard]] Awaited awaits(const App& app) const;
  [[nodiscard]] Awaited awaits(const App& app, std::set<AppId>& seen) const;
  [[nodiscard]] std::string why_down(const App& app, Dependency how, std::set<AppId>& seen) const;
  [[nodiscard]] bool is_ending(const Slot& slot) const;  // it is to have no process
  [[nodiscard]] bool is_needed(const App& app) const;
  [[nodiscard]] bool is_ending_now(const App& app) const;  // and some slot still has one
  [[nodiscard]] bool reaches(const App& from, const App& to) const;
  void note_dependencies(const App& app);
  void touch_dependents(const App& app);
  void touch_held();

  // rollout.cpp
  void roll(App& app);
  static void await_dependencies(const App& app, plan::Rollout& rollout);
  void add_replacement(Slot& slot);
  void take_over(Slot& slot);
  void replace(Slot& slot);
  void withdraw(Slot& slot);
  void part_with(Slot& slot, std::unique_ptr<Occupant> one, Role role);
  void forget_occupant(Occupant& one);
  void run_late(App& app);
  void end_rollout(App& app);
  void arm(App& app, std::optional<TimePoint> at);

  // revert.cpp
  void fail_rollout(App& app);
  void abandon_rollout(App& app, bool go_back);
  bool revert(App& app);
  void halt(App& app);
  void end_revert(App& app, const std::string& failure);
  void note(App& app, const std::string& text);

  // sockets.cpp
  Result<> bind_all(const Ecosystem& want);
  [[nodiscard]] std::vector<Giver> givers(const Ecosystem& want) const;
  void unbind(const Ecosystem& want, const Name& last);
  void unbind_unknown(const Name& ecosystem);
  void release(App& app);
  void let_go(App& app);
  Result<> bind(App& app, const Version& version);
  Result<> bind_accepted(const App& app, const AppSpec& spec, bool keeps);
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
  void evaluate_held(Slot& slot);
  void settle(Slot& slot, Track how);
  void fail_tracked(Slot& slot, const std::string& why);
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
  [[nodiscard]] std::set<std::uint64_t> used_revisions(const Name& ecosystem) const;
  void set_outcome(const Name& ecosystem, std::uint64_t number, const std::string& outcome);
  Result<Begun> rollback(const std::string& ecosystem, std::uint64_t number, const Actor& who);
  [[nodiscard]] Result<Revision> stored_revision(const Name& ecosystem, std::uint64_t number) const;
  [[nodiscard]] Result<std::uint64_t> former_revision(const Eco& eco) const;

  // events.cpp
  void record(std::string kind, std::string subject, std::string text, const Occupant* one = nullptr);
  const std::string* intern(const std::string& name);

  // words.cpp
  [[nodiscard]] std::string cause_text(const Occupant& one) const;
  [[nodiscard]] static std::string end_text(const Occupant& one);  // "signal SIGKILL", "cannot start: …"
  [[nodiscard]] std::string reason(const Occupant& one) const;

  // views.cpp
  [[nodiscard]] AppView view(const App& app) const;
  [[nodiscard]] InstanceView view(const Occupant& one) const;

  // snapshot.cpp, restore.cpp, restore_changes.cpp, adopt.cpp
  [[nodiscard]] std::string snapshot() const;
  std::vector<std::string> restore(Restored from);
  void restore_changes(const std::vector<SavedChange>& all);
  Adopted assign(Slot& slot, const std::vector<KnownChild>& children, const VersionFor& version_for,
                 std::vector<std::string>& problems);
  void adopt(Occupant& one, const std::vector<KnownChild>& children);
  void leave_behind(StartId id);
  void keep(Occupant& one, const KnownChild& child);
  void lose(Occupant& one, bool all_lost);
};

}  // namespace svd
