// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/text.h"
#include "files/io.h"
#include "kernel/former_base.h"
#include "kernel/passed.h"
#include "kernel/proc.h"
#include "kernel/processes_state.h"

namespace svd {
namespace {

// After every other source, reconcile included.
constexpr auto after_idle = static_cast<Priority>(static_cast<std::int64_t>(Priority::idle) + 1);
constexpr Millis first_retry{100}, longest_retry{5'000};

// A birth that was in the middle of execve(2) when the keeper died shows its mark when that is done.
constexpr Millis last_look_delay{2'000};

UniqueFd open_pidfd(std::int64_t pid) {
  return UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0))};
}

ExitStatus status_of(const keeper::Child& child) {
  return {static_cast<ExitStatus::Kind>(child.ended), child.number, child.core_dumped != 0};
}

// Of those that lead a session, the one that was born first; 0: none does.
std::int64_t first_leader(const std::vector<std::int64_t>& pids) {
  std::int64_t leader = 0;
  std::uint64_t first = ~0ULL;
  for (const auto pid : pids) {
    const auto stat = read_stat(pid);
    if (!stat || stat->session != pid || stat->start_ticks >= first) continue;
    first = stat->start_ticks;
    leader = pid;
  }
  return leader;
}

StopPolicy policy_of(const keeper::StopRule& rule) {
  return {rule.signal, Millis{rule.timeout},
          rule.whom == keeper::Whom::group ? KillTarget::group : KillTarget::main};
}

}  // namespace

Result<std::unique_ptr<LinuxProcesses>> LinuxProcesses::connect(const Loop& loop, ProcessesOptions options,
                                                                StartSources sources,
                                                                ProcessesHandlers handlers) {
  auto state = std::make_unique<State>(loop, std::move(options), sources, std::move(handlers));
  SVD_CHECK(state->connect());
  return std::unique_ptr<LinuxProcesses>{new LinuxProcesses{std::move(state)}};
}

std::vector<KnownChild> LinuxProcesses::children() const {
  std::vector<KnownChild> known;
  for (const auto& [id, child] : state_->children) known.push_back(child.known);
  std::ranges::sort(known, {}, &KnownChild::id);
  return known;
}

Result<> LinuxProcesses::State::connect() {
  SVD_CHECK(deferred.arm(loop, Priority::exit, [this] { tell(); }));
  SVD_CHECK(tidying.arm(loop, after_idle, [this] { tidy(); }));
  SVD_CHECK(recheck.arm(loop, Priority::cgroup, [this] { recheck_unwatched(); }));
  SVD_CHECK(retry.arm(loop, Priority::exit, [this] { replace_keeper(); }));
  SVD_CHECK(looking.arm(loop, Priority::cgroup, [this] { look_for_strays(); }));
  SVD_CHECK(last_look.arm(loop, Priority::cgroup, [this] { end_unknown_starts(); }));
  SVD_TRY(auto listing, client.greet(UniqueFd{std::exchange(options.socket, -1)}));
  missing = client.hello().missing;
  configure();
  // Also where there are cgroups now: the last daemon may have had none.
  const auto noted = journal.load();
  if (!cgroups.available() || !noted.empty()) read_key();
  for (const auto& child : listing.children) take_over(child);
  speak_through_keeper();
  take_held(std::move(listing.held));
  limits.resume();
  if (cgroups.available()) take_stock_of_cgroups();
  take_stock_of_journal(noted);
  std::vector<StartId> living;
  for (const auto& [id, child] : children) living.push_back(child.known.id);
  credentials.keep_only(living);
  if (client.hello().engines == 0) end_former_life();
  return {};
}

void LinuxProcesses::State::speak_through_keeper() {
  if (options.manager == nullptr) return;
  options.manager->speak_through([this](const std::string& text, int fd) {
    const std::array<std::uint32_t, 2> head{static_cast<std::uint32_t>(text.size()), 0};
    client.send(keeper::Type::notify, 1,
                std::string(reinterpret_cast<const char*>(head.data()), sizeof head) + text,
                fd < 0 ? std::span<const int>{} : std::span<const int>{&fd, 1});
  });
}

// First what an engine before us had the keeper hold: nothing that was passed takes its place.
void LinuxProcesses::State::take_held(std::vector<std::pair<std::string, UniqueFd>> listed) {
  const auto passed = std::partition(listed.begin(), listed.end(), [](const auto& one) {
    return !one.first.starts_with(keeper::passed_prefix);
  });
  for (auto one = listed.begin(); one != passed; ++one) {
    if (options.manager != nullptr && is_storable(one->first, options.stores_state))
      options.manager->note_stored(one->first, one->second.get());
    held.insert_or_assign(one->first, std::move(one->second));
  }
  for (auto one = passed; one != listed.end(); ++one) take_passed(one->first, std::move(one->second));
}

// The one door: what is neither sealed by us nor expected by the daemon is let go.
void LinuxProcesses::State::take_passed(const std::string& passed, UniqueFd fd) {
  const auto said = passed.substr(sizeof keeper::passed_prefix - 1);
  std::optional<std::string> name;
  if (options.expects && options.expects(said, fd.get()))
    name = said;
  else if (options.manager != nullptr)
    name = options.manager->accept(said, fd.get());
  if (name && is_storable(*name, options.stores_state) && held.try_emplace(*name, std::move(fd)).second)
    send_held({&*name, 1});
  else if (!name)
    note("the service manager passed '" + printable(said) + "', which svd has not stored: closed");
  client.send(keeper::Type::release, 1, name_records({&passed, 1}));
}

// What is left of a daemon whose keeper and engine both died, and could not be taken over.
void LinuxProcesses::State::end_former_life() {
  if (const auto former = former_base(options.state_directory); !former.empty() && former != cgroups.base())
    note("instances of a former daemon ran in " + former + ", which is out of reach from here: " +
         (end_base(former) ? "killed" : "some of them cannot be killed"));
  end_unknown_starts();
  if (!cgroups.available()) return;
  if (const auto noted = remember_base(options.state_directory, cgroups.base()); !noted)
    note(noted.error().text);
}

void LinuxProcesses::State::configure() {
  const std::array<std::uint32_t, 2> head{static_cast<std::uint32_t>(cgroups.base().size()), 0};
  client.send(keeper::Type::configure, 0,
              std::string(reinterpret_cast<const char*>(head.data()), sizeof head) + cgroups.base());
}

void LinuxProcesses::State::take_over(const KeeperClient::Child& from) {
  const auto& facts = from.facts;
  auto known = decode_cookie(from.cookie);
  if (!known) {
    note("the keeper has a process that nobody knows (pid " + std::to_string(facts.pid) + "): killed");
    const keeper::Signal signal{facts.id, SIGKILL, keeper::Whom::group, {}};
    client.send(keeper::Type::signal, 1, {reinterpret_cast<const char*>(&signal), sizeof signal});
    client.send(keeper::Type::forget, 1, {reinterpret_cast<const char*>(&facts.id), sizeof facts.id});
    return;
  }
  Child child;
  child.known = std::move(*known);
  child.known.id = StartId{facts.id};
  child.known.pid = facts.pid;
  child.known.exited = facts.ended != keeper::Ended::no;
  child.known.status = status_of(facts);
  child.stop = policy_of(facts.stop);
  child.life = child.known.exited ? Child::Life::exited : Child::Life::running;
  if (!child.known.exited) child.directory = working_directory(child.known.pid);
  child.has_cgroup = !from.cgroup.empty() && cgroups.available();
  child.adopted = facts.adopted != 0;
  if (child.has_cgroup && child.known.exited) limits.explain(child.leaf(), child.known.status);
  if (child.has_cgroup && !child.known.exited) remember(child);  // the former engine may not have come to it
  children.insert_or_assign(facts.id, std::move(child));
}

// Cgroups that the keeper's children do not account for: left by a keeper and an engine that both died.
void LinuxProcesses::State::take_stock_of_cgroups() {
  for (const auto& path : cgroups.leaves()) {
    const auto leaf = Cgroups::parse_leaf(path);
    if (find(leaf->id) != nullptr) continue;
    if (!cgroups.populated(path)) {
      leftover_leaves.push_back(path);
    } else if (!adopt_from_cgroup(*leaf, path)) {
      note("processes of " + leaf->slot.str() + " were left over and are not its main process: killed");
      cgroups.kill(path);
      watch_until_empty(path, leaf->id);
    }
  }
  tidying.request();
}

bool LinuxProcesses::State::adopt_from_cgroup(const Cgroups::Leaf& leaf, const std::string& path) {
  auto known = decode_cookie(cgroups.label(path));
  if (!known || known->id != leaf.id || known->slot != leaf.slot) return false;
  Child child;
  child.known = std::move(*known);
  child.has_cgroup = true;
  return adopt_child(std::move(child));
}

// A state directory that cannot be made is the state's complaint.
void LinuxProcesses::State::read_key() {
  (void)make_directories(options.state_directory, 0700);
  const auto loaded = load_start_key(options.state_directory);
  key = loaded.key;
  if (!loaded.kept)
    note(loaded.kept.error().text + ": another daemon after this one may not find all strays");
}

// What a keeper and an engine that both died had running without cgroups.
void LinuxProcesses::State::take_stock_of_journal(const std::vector<ChildJournal::Entry>& noted) {
  for (const auto& entry : noted) {
    if (Child* const known = find(entry.child.id)) {
      known->start_ticks = entry.start_ticks;
      continue;
    }
    Child child;
    child.known = entry.child;
    child.stop = policy_of(entry.stop);
    child.start_ticks = entry.start_ticks;
    if (!adopt_child(std::move(child))) journal.erase(entry.child.id);
  }
  for (auto& [id, child] : children)
    if (!child.has_cgroup && child.life == Child::Life::running && !journal.contains(child.known.id))
      remember(child);
}

bool LinuxProcesses::State::is_still_ours(const Child& child) const {
  if (!child.has_cgroup) {
    const auto stat = read_stat(child.known.pid);
    return stat && stat->start_ticks == child.start_ticks && stat->state != 'Z';
  }
  const auto members = cgroups.members(child.leaf());
  return std::ranges::find(members, child.known.pid) != members.end();
}

bool LinuxProcesses::State::offer(const Child& child) {
  // First the pidfd, then the question whose it is: in this order a recycled pid cannot slip in.
  const auto process = open_pidfd(child.known.pid);
  if (!process || !is_still_ours(child)) return false;
  const auto leaf = child.leaf();
  const auto cookie = encode_cookie(child.known);
  keeper::Child facts{};
  facts.id = static_cast<std::uint64_t>(child.known.id);
  facts.pid = static_cast<std::int32_t>(child.known.pid);
  facts.stop = stop_rule(child.stop);
  facts.cgroup_size = static_cast<std::uint16_t>(leaf.size());
  facts.cookie_size = static_cast<std::uint16_t>(cookie.size());
  std::string record(reinterpret_cast<const char*>(&facts), sizeof facts);
  record += leaf + cookie;
  record.resize((record.size() + 7) / 8 * 8);
  const int fd = process.get();
  client.send(keeper::Type::adopt, 1, record, {&fd, 1});
  return true;
}

bool LinuxProcesses::State::adopt_child(Child child) {
  child.life = Child::Life::running;
  child.adopted = true;
  if (!offer(child)) return false;
  child.directory = working_directory(child.known.pid);
  const auto id = static_cast<std::uint64_t>(child.known.id);
  children.insert_or_assign(id, std::move(child));
  return true;
}

// The keeper may have come to them before it died. Of a cgroup, fresh as it is, and of those that bear a
// start's mark, the first leader of a session is the main process. Who has not come that far dies with the
// keeper.
void LinuxProcesses::State::recover_starts() {
  std::set<StartId> unmarked;
  std::vector<Child*> starts;
  for (auto& [id, child] : children) {
    if (child.life != Child::Life::spawning) continue;
    starts.push_back(&child);
    if (!child.has_cgroup) unmarked.insert(child.known.id);
  }
  const auto born = find_born(unmarked);
  for (Child* const child : starts) {
    if (const auto found = born.find(child->known.id); found != born.end()) {
      child->known.pid = found->second.pid;
      child->start_ticks = found->second.start_ticks;
    } else if (child->has_cgroup) {
      child->known.pid = first_leader(cgroups.members(child->leaf()));
    }
    recover_start(*child);
  }
}

void LinuxProcesses::State::recover_start(Child& child) {
  child.adopted = true;
  if (child.known.pid == 0 || !offer(child)) return give_up_start(child);
  child.life = Child::Life::running;
  child.pending.reset();
  remember(child);
  emit(Spawned{child.known.id, child.known.pid});
  if (child.kill_wanted) kill_now(child);
}

// The end of the start is told first: an empty cgroup is the end of a child that is known.
void LinuxProcesses::State::give_up_start(Child& child) {
  const auto id = child.known.id;
  const auto leaf = child.leaf();
  const bool left = child.has_cgroup && cgroups.populated(leaf);
  if (left) child.has_cgroup = false;
  fail_start(id, {StartStage::keeper, ECONNRESET, {}});
  if (!left) return;
  cgroups.kill(leaf);
  watch_until_empty(leaf, id);  // and removed then
}

void LinuxProcesses::State::keeper_lost() {
  if (options.keeper_program.empty()) {
    note("the keeper has died, and no other can be started");
    ::sd_event_exit(loop.get(), EXIT_FAILURE);
    return;
  }
  retry_delay = first_retry;
  replace_keeper();
}

void LinuxProcesses::State::replace_keeper() {
  if (const auto replaced = client.replace_keeper(options.keeper_program, options.arguments); !replaced) {
    note(replaced.error().text);
    (void)retry.set(Loop::now().mono + retry_delay);
    retry_delay = std::min(retry_delay * 2, longest_retry);
    return;
  }
  missing = client.hello().missing;
  hand_over();
  if (handlers.keeper_replaced) handlers.keeper_replaced();
}

void LinuxProcesses::State::hand_over() {
  configure();
  std::vector<std::string> names;
  for (const auto& [name, fd] : held) names.push_back(name);
  send_held(names);
  batch = {};
  held_back.clear();
  unanswered = 0;
  std::vector<Child*> taken;
  for (auto& [id, child] : children) taken.push_back(&child);
  for (Child* const child : taken) {
    if (child->life == Child::Life::exited) continue;
    if (child->life == Child::Life::spawning) continue;
    child->adopted = true;
    if (!offer(*child)) on_exited(*child, {ExitStatus::Kind::unknown, 0, false});
  }
  recover_starts();
  if (key) {
    end_unknown_starts();
    (void)last_look.set(Loop::now().mono + last_look_delay);
  }
  if (is_ready) client.send(keeper::Type::ready, 0, {});
  tidying.request();
}

}  // namespace svd
