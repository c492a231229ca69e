// SPDX-License-Identifier: Apache-2.0
#include "kernel/processes.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "kernel/passed.h"
#include "kernel/proc.h"
#include "kernel/processes_state.h"

namespace svd {
namespace {

constexpr std::uint32_t first_batch = 2, largest_batch = 32;
constexpr std::size_t batch_room = keeper::max_message - sizeof(keeper::Header);

// Effective, in this process and so in the keeper.
bool has_capability(unsigned number) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  return ::syscall(SYS_capget, &header, data) == 0 &&
         (data[number / 32].effective >> (number % 32) & 1U) != 0;
}

}  // namespace

std::string name_records(std::span<const std::string> names) {
  std::string records;
  for (const auto& name : names) {
    const keeper::NamedFd head{static_cast<std::uint32_t>(name.size()), 0};
    records.append(reinterpret_cast<const char*>(&head), sizeof head);
    records += name;
    records.resize((records.size() + 7) / 8 * 8);
  }
  return records;
}

LinuxProcesses::State::State(const Loop& loop_in, ProcessesOptions options_in, StartSources sources_in,
                             ProcessesHandlers handlers_in)
    : loop{loop_in},
      options{std::move(options_in)},
      sources{sources_in},
      handlers{std::move(handlers_in)},
      cgroups{options.use_cgroups ? Cgroups::find(options.state_directory, options.own_cgroup_is_given)
                                  : Cgroups::none("switched off with SVD_CGROUPS=off")},
      journal{options.state_directory + "/children"},
      credentials{options.runtime_directory.empty() ? std::string{}
                                                    : options.runtime_directory + "/credentials"},
      may_mount{has_capability(CAP_SYS_ADMIN)},
      inherited_oom_score{std::atoi(read_file("/proc/self/oom_score_adj").c_str())},
      client{loop_in,
             {.reports = [this](std::span<const keeper::Report> reports) { on_reports(reports); },
              .notice = [this](std::uint32_t bits) { missing |= bits; },
              .shutdown =
                  [this](bool force) {
                    if (handlers.shutdown) handlers.shutdown(force);
                  },
              .hangup =
                  [this] {
                    if (handlers.hangup) handlers.hangup();
                  },
              .notified =
                  [this](std::uint32_t count) {
                    if (options.manager != nullptr) options.manager->sent(count);
                  },
              .settled = [this] { tell(); },
              .lost = [this] { keeper_lost(); }}},
      batch_limit{first_batch} {}

// The keeper has room for so many: the others wait here, where they can be taken back.
void LinuxProcesses::State::queue_record(StartId id, std::string record, Attachments attached) {
  if (!held_back.empty() || unanswered >= keeper::max_starts) {
    held_back.push_back({id, std::move(record), std::move(attached)});
    return;
  }
  add_record(id, std::move(record), std::move(attached));
}

void LinuxProcesses::State::send_held_back() {
  if (held_back.empty()) return;
  while (!held_back.empty() && unanswered < keeper::max_starts) {
    auto next = std::move(held_back.front());
    held_back.pop_front();
    add_record(next.id, std::move(next.record), std::move(next.attached));
  }
  send_batch();
}

bool LinuxProcesses::State::drop_held_back(StartId id) {
  if (std::erase_if(held_back, [id](const HeldBack& one) { return one.id == id; }) == 0) return false;
  fail_start(id, {StartStage::keeper, ECANCELED, {}});
  return true;
}

void LinuxProcesses::State::add_record(StartId id, std::string record, Attachments attached) {
  ++unanswered;
  if (record.size() > batch_room) return send_in_file(id, record, attached);
  if (batch.records.size() + record.size() > batch_room ||
      batch.fds.size() + attached.size() > keeper::max_attached)
    send_batch();
  shift_attached(record, static_cast<std::uint32_t>(batch.fds.size()));
  batch.records += record;
  ++batch.count;
  for (auto& fd : attached) batch.fds.push_back(std::move(fd));
  if (batch.count < batch_limit) return;
  batch_limit = std::min(batch_limit * 2, largest_batch);
  send_batch();
}

// The record's indices count from 0: the file itself is not among them.
void LinuxProcesses::State::send_in_file(StartId id, const std::string& record, const Attachments& attached) {
  const UniqueFd file{::memfd_create("svd-start", MFD_CLOEXEC)};
  std::string_view left{record};
  while (file && !left.empty()) {
    const auto written = ::write(file.get(), left.data(), left.size());
    if (written <= 0) break;
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!left.empty()) {
    --unanswered;
    return fail_start(id, {StartStage::keeper, errno, {}});
  }
  std::vector<int> fds{file.get()};
  for (const auto& fd : attached) fds.push_back(fd.get());
  send_batch();
  client.send(keeper::Type::spawn_file, 1, {}, fds);
}

void LinuxProcesses::State::send_batch() {
  if (batch.count == 0) return;
  std::vector<int> fds;
  for (const auto& fd : batch.fds) fds.push_back(fd.get());
  client.send(keeper::Type::spawn, batch.count, batch.records, fds);
  batch = {};
}

void LinuxProcesses::State::kill_now(Child& child) {
  if (child.life == Child::Life::running) {
    // Also when there is a cgroup: the process may have been moved out of it.
    const keeper::Signal signal{static_cast<std::uint64_t>(child.known.id),
                                SIGKILL,
                                child.has_cgroup ? keeper::Whom::main : keeper::Whom::group,
                                {}};
    client.send(keeper::Type::signal, 1, {reinterpret_cast<const char*>(&signal), sizeof signal});
  }
  if (child.has_cgroup) cgroups.kill(child.leaf());
}

void LinuxProcesses::State::send_held(std::span<const std::string> names) {
  while (!names.empty()) {
    const auto part = names.first(std::min<std::size_t>(names.size(), keeper::max_attached));
    std::vector<int> fds;
    for (const auto& name : part) fds.push_back(held.at(name).get());
    client.send(keeper::Type::hold, static_cast<std::uint32_t>(part.size()), name_records(part), fds);
    names = names.subspan(part.size());
  }
}

LinuxProcesses::LinuxProcesses(std::unique_ptr<State> state) : state_{std::move(state)} {}
LinuxProcesses::~LinuxProcesses() = default;

void LinuxProcesses::spawn(LaunchPlan plan) { state_->start(std::move(plan)); }

void LinuxProcesses::flush() {
  state_->send_batch();
  state_->batch_limit = first_batch;
  if (state_->unanswered == 0) state_->tidying.request();
}

void LinuxProcesses::signal(StartId id, int number, KillTarget whom) {
  const auto* const child = state_->find(id);
  if (child == nullptr || child->life == State::Child::Life::exited) return;
  state_->send_batch();  // it may be about a start that is still in there
  const keeper::Signal signal{static_cast<std::uint64_t>(id),
                              number,
                              whom == KillTarget::group ? keeper::Whom::group : keeper::Whom::main,
                              {}};
  state_->client.send(keeper::Type::signal, 1, {reinterpret_cast<const char*>(&signal), sizeof signal});
}

void LinuxProcesses::kill(StartId id) {
  auto* const child = state_->find(id);
  if (child == nullptr) return;
  child->kill_wanted = true;
  if (child->life == State::Child::Life::exited) return state_->end_if_empty(*child);
  if (child->life == State::Child::Life::running) return state_->kill_now(*child);
  cancel(id);  // and it is killed as soon as it is born
}

// What the keeper was not told of yet fails here.
void LinuxProcesses::cancel(StartId id) {
  const auto* const child = state_->find(id);
  if (child == nullptr || child->life != State::Child::Life::spawning) return;
  if (state_->drop_held_back(id)) return;
  state_->send_batch();  // it may be in there
  state_->client.send(keeper::Type::cancel, 1, {reinterpret_cast<const char*>(&id), sizeof id});
}

// Without a cgroup the keeper has killed the process group with its leader's end: who is waited for has left
// it.
void LinuxProcesses::await(StartId id) {
  auto* const child = state_->find(id);
  if (child == nullptr || child->life != State::Child::Life::exited) return;
  if (!child->has_cgroup) return state_->leave(id);
  if (state_->cgroups.vacate(child->leaf()) || !state_->cgroups.populated(child->leaf()))
    return state_->gone(*child);
  state_->watch_until_empty(child->leaf(), id);
}

void LinuxProcesses::forget(std::span<const StartId> ids) {
  static_assert(sizeof(StartId) == sizeof(std::uint64_t));
  constexpr std::size_t most = batch_room / sizeof(StartId);
  while (!ids.empty()) {
    const auto part = ids.first(std::min(ids.size(), most));
    state_->client.send(keeper::Type::forget, static_cast<std::uint32_t>(part.size()),
                        {reinterpret_cast<const char*>(part.data()), part.size_bytes()});
    ids = ids.subspan(part.size());
  }
}

std::string LinuxProcesses::cgroup(StartId id, const SlotId& slot) const {
  if (!state_->cgroups.available()) return {};
  const auto* const child = state_->find(id);
  if (child != nullptr && !child->has_cgroup) return {};
  return state_->cgroups.base() + "/" + Cgroups::leaf(slot, id);
}

std::string LinuxProcesses::cgroup_name(StartId id, const SlotId& slot) const {
  const auto path = cgroup(id, slot);
  return path.empty() ? path : path.substr(state_->cgroups.top().size());
}

LimitPort& LinuxProcesses::limits() { return state_->limits; }

std::string LinuxProcesses::directory(StartId id) const {
  const auto* const child = state_->find(id);
  return child == nullptr ? std::string{} : child->directory;
}

Result<> LinuxProcesses::hold(const std::string& name, int fd) {
  SVD_CHECK(hold_in_keeper(name, fd));
  auto* const manager = state_->options.manager;
  if (manager != nullptr && is_storable(name, state_->options.stores_state)) manager->store(name, fd);
  return {};
}

Result<> LinuxProcesses::hold_in_keeper(const std::string& name, int fd) {
  if (name.empty() || name.size() > keeper::max_name)
    return fail(std::errc::invalid_argument,
                "cannot hold a descriptor as '" + name + "': want 1 to 255 bytes");
  if (state_->held.size() >= keeper::max_held && !state_->held.contains(name))
    return fail(std::errc::no_buffer_space, "cannot hold '" + name + "': the keeper holds as many as it can");
  UniqueFd copy{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
  if (!copy) return fail_errno(errno, "cannot hold '" + name + "'");
  state_->held.insert_or_assign(name, std::move(copy));
  state_->send_held({&name, 1});
  return {};
}

int LinuxProcesses::borrow(const std::string& name) const {
  const auto found = state_->held.find(name);
  return found == state_->held.end() ? -1 : found->second.get();
}

std::optional<UniqueFd> LinuxProcesses::held(const std::string& name) const {
  const int fd = borrow(name);
  if (fd < 0) return std::nullopt;
  UniqueFd copy{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
  if (!copy) return std::nullopt;
  return copy;
}

std::vector<std::string> LinuxProcesses::held_names() const {
  std::vector<std::string> names;
  for (const auto& [name, fd] : state_->held) names.push_back(name);
  return names;
}

void LinuxProcesses::release(const std::string& name) {
  if (state_->held.erase(name) == 0) return;
  if (state_->options.manager != nullptr) state_->options.manager->forget(name);
  state_->client.send(keeper::Type::release, 1, name_records({&name, 1}));
}

void LinuxProcesses::ready() {
  state_->is_ready = true;
  state_->client.send(keeper::Type::ready, 0, {});
}

void LinuxProcesses::redirect(int fd) { state_->client.send(keeper::Type::redirect, 0, {}, {&fd, 1}); }

void LinuxProcesses::quit(int code, std::string_view sentence) {
  sentence = sentence.substr(0, 4096);
  std::array<std::uint32_t, 2> head{static_cast<std::uint32_t>(code),
                                    static_cast<std::uint32_t>(sentence.size())};
  std::string body(reinterpret_cast<const char*>(head.data()), sizeof head);
  body += sentence;
  state_->send_batch();
  state_->client.send(keeper::Type::quit, 0, body);
  state_->client.drain();
  for (const auto& leaf : state_->leftover_leaves) state_->cgroups.remove(leaf);
  state_->leftover_leaves.clear();
  state_->cgroups.remove_base();
  state_->journal.remove_if_empty();
}

std::int64_t LinuxProcesses::keeper_pid() const { return state_->client.hello().pid; }
bool LinuxProcesses::taken_over() const { return state_->client.hello().engines > 0; }

std::optional<ExitStatus> LinuxProcesses::former_end() const {
  const auto& hello = state_->client.hello();
  const bool killed = hello.ended == keeper::Ended::signal;
  if (!killed && (hello.ended != keeper::Ended::code || hello.number == 0)) return std::nullopt;
  ExitStatus status;
  status.kind = killed ? ExitStatus::Kind::signal : ExitStatus::Kind::code;
  status.number = hello.number;
  return status;
}

std::vector<std::string> LinuxProcesses::degraded() const {
  auto sentences = state_->cgroups.degraded();
  if ((state_->missing & keeper::missing_into_cgroup) != 0 && state_->cgroups.available())
    sentences.emplace_back(
        "clone3 into a cgroup is refused here: processes move into their cgroup after birth");
  if ((state_->missing & keeper::missing_subreaper) != 0)
    sentences.emplace_back("no child subreaper: orphans of instances go to another process");
  sentences.insert(sentences.end(), state_->notes.begin(), state_->notes.end());
  return sentences;
}

}  // namespace svd
