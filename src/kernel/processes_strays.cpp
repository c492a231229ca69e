// SPDX-License-Identifier: Apache-2.0
// Ends where there are no cgroups: what a start left is looked for, killed or waited for, and looked for
// again, until a look finds nothing. All starts that end in one turn of the loop share one look.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "kernel/processes_state.h"
#include "kernel/strays.h"

namespace svd {
namespace {

constexpr Millis longest_wait{2'000};  // for the kernel to end what was sent SIGKILL

bool send_kill(const UniqueFd& process) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0 || errno != EPERM;
}

std::string environment_of(std::int64_t pid) {
  return read_file("/proc/" + std::to_string(pid) + "/environ");
}

void wait_for_ends(const std::vector<UniqueFd>& processes, TimePoint deadline) {
  for (const auto& process : processes) {
    const auto left = std::chrono::ceil<Millis>(deadline - Loop::now().mono).count();
    pollfd state{process.get(), POLLIN, 0};
    ::poll(&state, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
  }
}

}  // namespace

// While there are cgroups they tell, and they alone: anybody can put anything into an environment. The
// session is the main process's own (setsid(2) at birth).
StartId LinuxProcesses::State::owner_of(std::int64_t pid) const {
  const auto led_by = [&](std::int64_t leader) {
    const auto found =
        std::ranges::find_if(children, [&](const auto& entry) { return entry.second.known.pid == leader; });
    return found == children.end() ? StartId{} : found->second.known.id;
  };
  if (const auto id = led_by(pid); id != StartId{}) return id;
  if (const auto leaf = cgroups.leaf_of(pid)) return leaf->id;
  if (!key) return StartId{};
  if (const auto id = start_of(environment_of(pid), key)) return *id;
  const auto stat = read_stat(pid);
  return stat ? led_by(stat->session) : StartId{};
}

void LinuxProcesses::State::leave(StartId id) {
  leaving.push_back(id);
  looking.request();
}

std::optional<std::vector<Process>> LinuxProcesses::State::relatives(bool everywhere) const {
  std::set<std::int64_t> others{client.hello().pid, ::getpid()};
  for (const auto& [id, child] : children)
    if (child.life == Child::Life::running) others.insert(child.known.pid);
  const auto skip = [&](std::int64_t pid) { return others.contains(pid); };
  return everywhere ? all_processes(skip) : descendants(client.hello().pid, skip);
}

void LinuxProcesses::State::look_for_strays() {
  std::map<StartId, const Child*> wanted;
  // Orphans of the keeper's own children come to the keeper; those of adopted ones went elsewhere.
  bool everywhere = (missing & keeper::missing_subreaper) != 0;
  for (const auto id : std::exchange(leaving, {})) {
    const Child* const child = find(id);
    if (child == nullptr) continue;
    wanted.emplace(id, child);
    everywhere = everywhere || child->adopted;
  }
  if (wanted.empty()) return;
  const auto processes = relatives(everywhere);
  const auto leads = [&](std::int64_t session) -> std::optional<StartId> {
    const auto led =
        std::ranges::find(wanted, session, [](const auto& one) { return one.second->known.pid; });
    if (led == wanted.end()) return std::nullopt;
    // While one of its session lives, the pid of its dead leader is nobody else's.
    const auto leader = read_stat(session);
    if (leader && leader->state != 'Z' && leader->start_ticks != led->second->start_ticks)
      return std::nullopt;
    return led->first;
  };
  std::map<StartId, std::vector<Stray>> found;
  if (processes)
    for (const auto& stray :
         find_strays(*processes, {.key = key,
                                 .is_wanted = [&](StartId id) { return wanted.contains(id); },
                                 .leads = leads,
                                 .environment = environment_of}))
      found[stray.id].push_back(stray);
  for (const auto& [id, child] : wanted) {
    if (!processes)
      look_later(id);
    else if (!attend_to(*find(id), found[id]))
      gone(*find(id));
  }
}

// False: there is nobody to wait for.
bool LinuxProcesses::State::attend_to(Child& child, const std::vector<Stray>& strays) {
  const auto id = child.known.id;
  auto& remains = remaining[static_cast<std::uint64_t>(id)];
  remains.clear();
  bool later = false;
  for (const auto& stray : strays) {
    auto one = std::make_unique<Remains>();
    one->process = open_stray(stray);
    if (!one->process && errno == ESRCH) continue;
    if (!one->process) {
      later = true;
      continue;
    }
    if (child.kill_wanted && !send_kill(one->process)) {
      note("a stray process of " + child.known.slot.str() + " has another user and cannot be killed (pid " +
           std::to_string(stray.pid) + ")");
      continue;
    }
    const auto armed =
        one->watch.arm(loop, one->process.get(), EPOLLIN, Priority::cgroup,
                       [this, id, self = one.get()](std::uint32_t) { stray_ended(id, *self); });
    if (!armed) later = true;
    remains.push_back(std::move(one));
  }
  if (later) look_later(id);
  if (later || !remains.empty()) return true;
  remaining.erase(static_cast<std::uint64_t>(id));
  return false;
}

void LinuxProcesses::State::stray_ended(StartId id, Remains& one) {
  one.watch.disarm();
  const auto waiting = remaining.find(static_cast<std::uint64_t>(id));
  if (waiting == remaining.end()) return;
  if (std::ranges::none_of(waiting->second, [](const auto& other) { return other->watch.armed(); }))
    leave(id);
}

// No descriptors left: the only case in which time has to tell.
void LinuxProcesses::State::look_later(StartId id) {
  unwatched.push_back(id);
  (void)recheck.set(Loop::now().mono + recheck_delay);
}

// Processes of starts that nobody knows of, here or in the journal: a start that was not noted yet when both
// keeper and engine died, or what an instance left that ended meanwhile.
void LinuxProcesses::State::end_unknown_starts() {
  if (!key) return;
  const StraySearch search{.key = key,
                           .is_wanted = [this](StartId id) { return find(id) == nullptr; },
                           .leads = [](std::int64_t) { return std::optional<StartId>{}; },
                           .environment = environment_of};
  const auto deadline = Loop::now().mono + longest_wait;
  while (Loop::now().mono < deadline) {  // who forks is met again
    std::vector<UniqueFd> killed;
    for (const auto& stray : find_strays(relatives(true).value_or(std::vector<Process>{}), search)) {
      auto process = open_stray(stray);
      if (!process || !send_kill(process)) continue;
      note("processes of start " + std::to_string(static_cast<std::uint64_t>(stray.id)) +
           " were left over and are not its main process: killed");
      killed.push_back(std::move(process));
    }
    if (killed.empty()) return;
    wait_for_ends(killed, deadline);
  }
}

// The main processes of these starts, whose births nobody has told.
std::map<StartId, Stray> LinuxProcesses::State::find_born(const std::set<StartId>& ids) const {
  std::map<StartId, Stray> found;
  const StraySearch search{.key = key,
                           .is_wanted = [&](StartId id) { return ids.contains(id); },
                           .leads = [](std::int64_t) { return std::optional<StartId>{}; },
                           .environment = environment_of};
  if (ids.empty()) return found;
  for (const auto& stray : find_strays(relatives(true).value_or(std::vector<Process>{}), search)) {
    if (!stray.leads_session) continue;
    const auto [first, is_new] = found.emplace(stray.id, stray);
    if (!is_new && stray.start_ticks < first->second.start_ticks) first->second = stray;
  }
  return found;
}

StartId LinuxProcesses::owner_of(std::int64_t pid) const { return state_->owner_of(pid); }

}  // namespace svd
