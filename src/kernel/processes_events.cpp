// SPDX-License-Identifier: Apache-2.0
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "files/apart.h"
#include "kernel/missing_program.h"
#include "kernel/proc.h"
#include "kernel/processes_state.h"

namespace svd {
namespace {

constexpr std::size_t tidy_at_once = 64;   // then others have their turn
constexpr std::size_t tidy_anyway = 1024;  // even while starts are on their way

struct LimitName {
  int resource;
  const char* name;
};
// As the ecosystem file calls them.
constexpr std::array<LimitName, 16> limit_names{{{RLIMIT_AS, "as"},
                                                 {RLIMIT_CORE, "core"},
                                                 {RLIMIT_CPU, "cpu_time"},
                                                 {RLIMIT_DATA, "data"},
                                                 {RLIMIT_FSIZE, "fsize"},
                                                 {RLIMIT_LOCKS, "locks"},
                                                 {RLIMIT_MEMLOCK, "memlock"},
                                                 {RLIMIT_MSGQUEUE, "msgqueue"},
                                                 {RLIMIT_NICE, "nice"},
                                                 {RLIMIT_NOFILE, "nofile"},
                                                 {RLIMIT_NPROC, "nproc"},
                                                 {RLIMIT_RSS, "rss"},
                                                 {RLIMIT_RTPRIO, "rtprio"},
                                                 {RLIMIT_RTTIME, "rttime"},
                                                 {RLIMIT_SIGPENDING, "sigpending"},
                                                 {RLIMIT_STACK, "stack"}}};

std::string limit_name(int resource) {
  const auto found = std::ranges::find(limit_names, resource, &LimitName::resource);
  return found == limit_names.end() ? std::to_string(resource) : found->name;
}

// The keeper's numbers are ours.
constexpr bool same(keeper::Stage wire, StartStage ours) {
  return static_cast<int>(wire) == static_cast<int>(ours);
}
static_assert(
    same(keeper::Stage::user, StartStage::user) && same(keeper::Stage::cgroup, StartStage::cgroup) &&
    same(keeper::Stage::process, StartStage::process) && same(keeper::Stage::session, StartStage::session) &&
    same(keeper::Stage::rlimit, StartStage::rlimit) &&
    same(keeper::Stage::scheduling, StartStage::scheduling) && same(keeper::Stage::log, StartStage::log) &&
    same(keeper::Stage::stdio, StartStage::stdio) && same(keeper::Stage::groups, StartStage::groups) &&
    same(keeper::Stage::group, StartStage::group) && same(keeper::Stage::identity, StartStage::identity) &&
    same(keeper::Stage::directory, StartStage::directory) && same(keeper::Stage::exec, StartStage::exec) &&
    same(keeper::Stage::keeper, StartStage::keeper) && same(keeper::Stage::limits, StartStage::limits) &&
    same(keeper::Stage::sockets, StartStage::sockets) &&
    same(keeper::Stage::hardening, StartStage::hardening));
constexpr bool same(keeper::Ended wire, ExitStatus::Kind ours) {
  return static_cast<int>(wire) == static_cast<int>(ours);
}
static_assert(same(keeper::Ended::no, ExitStatus::Kind::none) &&
              same(keeper::Ended::code, ExitStatus::Kind::code) &&
              same(keeper::Ended::signal, ExitStatus::Kind::signal) &&
              same(keeper::Ended::unknown, ExitStatus::Kind::unknown));

}  // namespace

// The object of the step that failed.
std::string LinuxProcesses::State::Pending::object_of(StartStage stage, int detail) const {
  switch (stage) {
    case StartStage::exec:
      return program;
    case StartStage::directory:
      return directory;
    case StartStage::log:
      return log;
    case StartStage::group:
      return group.empty() ? user : group;
    case StartStage::identity:
    case StartStage::groups:
      return user;
    case StartStage::rlimit:
      return limit_name(detail);
    case StartStage::scheduling:
      return detail == 0 ? "nice" : "oom_score_adj";
    case StartStage::sockets: {
      const auto index = static_cast<std::size_t>(detail);
      return index < sockets.size() ? sockets[index].str() : std::string{};
    }
    case StartStage::hardening: {
      const auto index = static_cast<std::size_t>(detail);
      return index < steps.size() ? steps[index] : std::string{};
    }
    case StartStage::none:
    case StartStage::user:
    case StartStage::cgroup:
    case StartStage::process:
    case StartStage::session:
    case StartStage::stdio:
    case StartStage::keeper:
    case StartStage::limits:
      return {};
  }
  return {};
}

StartFailure LinuxProcesses::State::Pending::failure_of(StartStage stage, int err, int detail) const {
  if (stage == StartStage::exec && err == ENOENT)
    if (auto why = apart(program,
                         [&] {
                           return why_missing({program, path, directory});
                         });
        why && !why->empty())
      return {stage, 0, std::move(*why)};
  return {stage, err, object_of(stage, detail)};
}

void LinuxProcesses::State::emit(Event event) {
  events.push_back(std::move(event));
  if (!telling_soon) deferred.request();
}

void LinuxProcesses::State::note(std::string sentence) {
  if (std::ranges::find(notes, sentence) == notes.end()) notes.push_back(std::move(sentence));
}

void LinuxProcesses::State::tell() {
  telling_soon = false;
  while (!events.empty()) {
    const Event event = std::move(events.front());
    events.pop_front();
    if (handlers.event) handlers.event(event);
  }
  send_held_back();
  if (unanswered == 0 && !leftover_leaves.empty()) tidying.request();
}

void LinuxProcesses::State::on_reports(std::span<const keeper::Report> reports) {
  telling_soon = true;
  for (const auto& report : reports) {
    Child* const child = find(StartId{report.id});
    switch (report.what) {
      case keeper::What::spawned:
        if (child != nullptr) on_spawned(*child, report);
        break;
      case keeper::What::failed:
        if (child != nullptr) on_failed(*child, report);
        break;
      case keeper::What::exited:
        if (child != nullptr)
          on_exited(*child,
                    {static_cast<ExitStatus::Kind>(report.ended), report.number, report.core_dumped != 0});
        else
          client.send(keeper::Type::forget, 1, {reinterpret_cast<const char*>(&report.id), sizeof report.id});
        break;
    }
  }
}

void LinuxProcesses::State::on_spawned(Child& child, const keeper::Report& report) {
  if (child.life != Child::Life::spawning) return;
  --unanswered;
  child.life = Child::Life::running;
  child.known.pid = report.pid;
  child.pending.reset();
  // The kernel knows, and asks no file system: one that is not there any more would not answer us either.
  child.directory = working_directory(report.pid);
  remember(child);
  emit(Spawned{child.known.id, report.pid});
  if (child.kill_wanted) kill_now(child);
}

void LinuxProcesses::State::remember(Child& child) {
  if (child.has_cgroup) return cgroups.set_label(child.leaf(), encode_cookie(child.known));
  const auto stat = read_stat(child.known.pid);
  // It may have ended and been reaped meanwhile: then the pid is nobody's, or a stranger's.
  if (!stat || (!child.adopted && stat->parent != client.hello().pid)) return;
  child.start_ticks = stat->start_ticks;
  if (client.hello().pid == 1) return;  // nobody comes after the init of a pid namespace
  if (const auto noted = journal.put({child.known, child.start_ticks, stop_rule(child.stop)}); !noted)
    note(noted.error().text + ": what runs is known to keeper and engine only, and ended if both die");
}

void LinuxProcesses::State::on_failed(Child& child, const keeper::Report& report) {
  if (child.life != Child::Life::spawning) return;
  --unanswered;
  const auto stage = static_cast<StartStage>(report.stage);
  // Who hung on the way was killed, and may take its time to end: its cgroup is removed then.
  const auto id = child.known.id;
  const auto leaf = child.leaf();
  const bool is_late = report.number == ETIME || report.number == ECANCELED;
  const bool left = child.has_cgroup && is_late && cgroups.populated(leaf);
  if (left) child.has_cgroup = false;
  fail_start(id, child.pending ? child.pending->failure_of(stage, report.number, report.detail)
                               : StartFailure{stage, report.number, {}});
  if (left) watch_until_empty(leaf, id);
}

void LinuxProcesses::State::on_exited(Child& child, ExitStatus status) {
  if (child.life == Child::Life::exited) return;
  child.life = Child::Life::exited;
  child.known.exited = true;
  if (child.has_cgroup) limits.explain(child.leaf(), status);  // while the leaf is there
  child.known.status = status;
  emit(Exited{child.known.id, status});
  if (child.kill_wanted) end_if_empty(child);
}

void LinuxProcesses::State::fail_start(StartId id, StartFailure why) {
  Child* const child = find(id);
  if (child == nullptr) return;
  if (child->has_cgroup) leftover_leaves.push_back(child->leaf());
  children.erase(static_cast<std::uint64_t>(id));
  emit(SpawnFailed{id, std::move(why)});
}

void LinuxProcesses::State::end_if_empty(Child& child) {
  if (!child.has_cgroup) return leave(child.known.id);
  if (cgroups.vacate(child.leaf()) || !cgroups.populated(child.leaf())) return gone(child);
  kill_now(child);
  watch_until_empty(child.leaf(), child.known.id);
}

void LinuxProcesses::State::watch_until_empty(const std::string& leaf, StartId id) {
  if (emptying.contains(leaf)) return;
  auto events_fd = cgroups.events(leaf);
  auto watch = std::make_unique<Emptying>();
  const auto armed = [&]() -> Result<> {
    if (!events_fd) return tl::make_unexpected(events_fd.error());
    watch->events = std::move(*events_fd);
    return watch->watch.arm(loop, watch->events.get(), EPOLLPRI, Priority::cgroup,
                            [this, leaf, id](std::uint32_t) { on_cgroup_event(leaf, id); });
  }();
  if (!armed && cgroups.populated(leaf)) {  // no descriptors left: the only case in which time has to tell
    unwatched.push_back(id);
    (void)recheck.set(Loop::now().mono + recheck_delay);
    return;
  }
  if (armed) emptying.emplace(leaf, std::move(watch));
  if (!cgroups.populated(leaf)) on_cgroup_event(leaf, id);  // since before the first look at the descriptor
}

void LinuxProcesses::State::recheck_unwatched() {
  for (const auto ids = std::exchange(unwatched, {}); const auto id : ids)
    if (Child* const child = find(id)) end_if_empty(*child);
}

void LinuxProcesses::State::on_cgroup_event(const std::string& leaf, StartId id) {
  const auto waiting = emptying.find(leaf);
  if (waiting != emptying.end()) {
    // Signalled until it is read: unread, the source would go on firing before everything of a lower
    // priority, tidy() (which drops it) included.
    std::array<char, 64> text{};
    [[maybe_unused]] const auto got = ::pread(waiting->second->events.get(), text.data(), text.size(), 0);
  }
  if (cgroups.populated(leaf)) return;
  if (waiting != emptying.end()) {
    // At most one notification in 10 ms leaves the kernel (cgroup_file_notify()): the one for what has just
    // been read may still be to come, and nobody would read it away.
    waiting->second->watch.disarm();
    emptied.push_back(std::move(waiting->second));
    emptying.erase(waiting);
  }
  if (Child* const child = find(id))
    gone(*child);
  else
    leftover_leaves.push_back(leaf);
  tidying.request();
}

void LinuxProcesses::State::gone(Child& child) {
  const auto id = child.known.id;
  if (child.has_cgroup) {
    leftover_leaves.push_back(child.leaf());
  } else {
    journal.erase(id);
    remaining.erase(static_cast<std::uint64_t>(id));
  }
  if (!may_mount) credentials.remove(id);
  children.erase(static_cast<std::uint64_t>(id));
  emit(Gone{id});
}

void LinuxProcesses::State::tidy() {
  emptied.clear();
  if (unanswered > 0 && leftover_leaves.size() < tidy_anyway) return;  // told again when they are answered
  std::size_t done = 0;
  for (; !leftover_leaves.empty() && done < tidy_at_once; ++done) {
    const auto leaf = std::move(leftover_leaves.back());
    leftover_leaves.pop_back();
    cgroups.remove(leaf);
  }
  if (!leftover_leaves.empty()) tidying.request();
}

}  // namespace svd
