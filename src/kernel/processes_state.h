// SPDX-License-Identifier: Apache-2.0
// The inside of LinuxProcesses, shared by its four source files:
//   processes.cpp           the port: starts, signals, kills, descriptors
//   processes_events.cpp    what the keeper and the cgroups report, and the order it is told in
//   processes_takeover.cpp  what a former engine or a dead keeper left
//   processes_strays.cpp    what a start left, where there are no cgroups
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/cgroups.h"
#include "kernel/child_journal.h"
#include "kernel/credentials.h"
#include "kernel/given.h"
#include "kernel/keeper_client.h"
#include "kernel/launch_record.h"
#include "kernel/limits.h"
#include "kernel/processes.h"
#include "kernel/strays.h"
#include "kernel/users.h"

namespace svd {

constexpr Millis recheck_delay{100};

// The records of a `hold` or `release`.
[[nodiscard]] std::string name_records(std::span<const std::string> names);

struct LinuxProcesses::State {
  // What a step of a start may fail at, for the words of it. Not the whole plan: of a thousand starts at once
  // that would be what the engine's memory is measured by.
  struct Pending {
    std::string program, directory, log, user, group;
    std::string path;  // that the program is looked for in, if it is
    std::vector<Name> sockets;
    std::vector<std::string> steps;  // of its hardening
    [[nodiscard]] std::string object_of(StartStage stage, int detail) const;
    [[nodiscard]] StartFailure failure_of(StartStage stage, int err, int detail) const;
  };
  // One start, from spawn() to Gone.
  struct Child {
    enum class Life : std::uint8_t { spawning, running, exited };
    KnownChild known;
    StopPolicy stop;
    Life life = Life::spawning;
    std::string directory;  // where it was started, links resolved
    bool has_cgroup = false;
    bool adopted = false;  // not the present keeper's child
    bool kill_wanted = false;
    std::uint64_t start_ticks = 0;     // without cgroups: what tells the process from a later one of its pid
    std::unique_ptr<Pending> pending;  // until the keeper answered
    [[nodiscard]] std::string leaf() const {
      return has_cgroup ? Cgroups::leaf(known.slot, known.id) : std::string{};
    }
  };
  // What goes along with a record, in this order.
  using Attachments = std::vector<UniqueFd>;
  // Starts that were collected but not sent.
  struct Batch {
    std::string records;
    std::uint32_t count = 0;
    std::vector<UniqueFd> fds;
  };
  struct HeldBack {
    StartId id;
    std::string record;
    Attachments attached;
  };
  // A cgroup that is watched until it is empty.
  struct Emptying {
    UniqueFd events;
    IoWatch watch;
  };
  // A stray that is watched until it ends.
  struct Remains {
    UniqueFd process;
    IoWatch watch;
  };
  using Children = std::unordered_map<std::uint64_t, Child>;

  State(const Loop& loop_in, ProcessesOptions options_in, StartSources sources_in,
        ProcessesHandlers handlers_in);

  // processes_launch.cpp
  void start(LaunchPlan plan);
  static Pending objects_of(LaunchPlan& plan);  // taken out of it
  tl::expected<LaunchDetails, StartFailure> prepare(LaunchPlan& plan, Child& child, Attachments& attached);
  tl::expected<LaunchDetails, StartFailure> gather(LaunchPlan& plan, const Given& given,
                                                   Attachments& attached);
  tl::expected<void, StartFailure> harden(LaunchPlan& plan, const Identity& identity, LaunchDetails& details);
  Result<> complete_environment(LaunchPlan& plan, const Identity& identity);
  void mark_environment(LaunchPlan& plan) const;

  // processes.cpp
  void queue_record(StartId id, std::string record, Attachments attached);
  void add_record(StartId id, std::string record, Attachments attached);
  void send_held_back();
  bool drop_held_back(StartId id);
  void send_in_file(StartId id, const std::string& record, const Attachments& attached);
  void send_batch();
  void kill_now(Child& child);
  void send_held(std::span<const std::string> names);

  // processes_events.cpp
  void emit(Event event);  // queued; told by tell()
  void tell();
  void on_reports(std::span<const keeper::Report> reports);
  void on_spawned(Child& child, const keeper::Report& report);
  void on_failed(Child& child, const keeper::Report& report);
  void on_exited(Child& child, ExitStatus status);
  void fail_start(StartId id, StartFailure why);
  void end_if_empty(Child& child);  // Gone, or a watch until it may be
  void watch_until_empty(const std::string& leaf, StartId id);
  void on_cgroup_event(const std::string& leaf, StartId id);
  void recheck_unwatched();
  void gone(Child& child);
  void remember(Child& child);      // for a daemon after both: on its cgroup; without one, in the journal
  void note(std::string sentence);  // for degraded(); once
  void tidy();                      // what nobody waits for: empty cgroups

  // processes_strays.cpp
  [[nodiscard]] StartId owner_of(std::int64_t pid) const;
  void leave(StartId id);  // its main process has ended; Gone when a look finds nothing of it
  void look_for_strays();
  bool attend_to(Child& child, const std::vector<Stray>& strays);
  void stray_ended(StartId id, Remains& one);
  void look_later(StartId id);
  void end_unknown_starts();
  [[nodiscard]] std::map<StartId, Stray> find_born(const std::set<StartId>& ids) const;
  [[nodiscard]] std::optional<std::vector<Process>> relatives(bool everywhere) const;

  // processes_takeover.cpp
  Result<> connect();
  void take_held(std::vector<std::pair<std::string, UniqueFd>> listed);
  void take_passed(const std::string& passed, UniqueFd fd);
  void speak_through_keeper();
  void end_former_life();
  void configure();
  void read_key();
  void take_over(const KeeperClient::Child& child);
  void take_stock_of_cgroups();
  bool adopt_from_cgroup(const Cgroups::Leaf& leaf, const std::string& path);
  void take_stock_of_journal(const std::vector<ChildJournal::Entry>& noted);
  bool adopt_child(Child child);   // offers it, and knows it from then on
  bool offer(const Child& child);  // a process that is still ours goes to the keeper, with a pidfd
  void recover_starts();           // they were asked for, and the answers died with the keeper
  void recover_start(Child& child);
  void give_up_start(Child& child);
  void keeper_lost();
  void replace_keeper();
  void hand_over();
  [[nodiscard]] bool is_still_ours(const Child& child) const;

  [[nodiscard]] Child* find(StartId id) {
    const auto found = children.find(static_cast<std::uint64_t>(id));
    return found == children.end() ? nullptr : &found->second;
  }

  const Loop& loop;
  ProcessesOptions options;
  StartSources sources;
  ProcessesHandlers handlers;
  Cgroups cgroups;
  LinuxLimits limits{cgroups};
  ChildJournal journal;
  Users users;
  CredentialStore credentials;
  bool may_mount = false;                // instances can have mounts of their own
  int inherited_oom_score = 0;           // the daemon's own protection is not for apps
  std::optional<Identity> own_identity;  // looked up when first needed
  KeeperClient client;
  Children children;
  std::map<std::string, UniqueFd> held;
  Batch batch;
  std::deque<HeldBack> held_back;  // until others are answered
  std::uint32_t batch_limit = 0;   // grows within one flush: the keeper gets to work at once
  std::size_t unanswered = 0;      // starts that were sent

  std::deque<Event> events;
  bool telling_soon = false;  // the keeper's messages are being read; tell() follows
  Idle deferred;              // tells what arose in port calls
  Idle tidying;
  std::map<std::string, std::unique_ptr<Emptying>> emptying;
  std::vector<std::unique_ptr<Emptying>> emptied;  // their handlers may still be running
  std::vector<std::string> leftover_leaves;        // to remove
  Timer recheck;                                   // of what could not be watched
  std::vector<StartId> unwatched;

  StartKey key;                  // of the marks of our starts, in their environment
  std::vector<StartId> leaving;  // to be looked for
  Idle looking;
  std::unordered_map<std::uint64_t, std::vector<std::unique_ptr<Remains>>> remaining;  // of start ids
  Timer last_look;  // for a birth that went on while its keeper died

  Timer retry;  // of starting a keeper
  Millis retry_delay{0};
  bool is_ready = false;
  std::uint32_t missing = 0;  // keeper::Missing
  std::vector<std::string> notes;
};

}  // namespace svd
