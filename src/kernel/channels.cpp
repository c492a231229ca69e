// SPDX-License-Identifier: Apache-2.0
#include "kernel/channels.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "ipc/node_options.h"
#include "kernel/channels_state.h"

namespace svd {
namespace {

// Somebody else's user may read it, by its own name and by every directory on the way.
bool is_readable_by_all(const std::string& path) {
  for (auto end = path.find('/', 1); end != path.npos; end = path.find('/', end + 1)) {
    struct stat status {};
    if (::stat(path.substr(0, end).c_str(), &status) < 0 || (status.st_mode & S_IXOTH) == 0) return false;
  }
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

// Nobody listens there, as far as can be told without being the program.
bool is_free(std::uint16_t port) {
  const UniqueFd probe{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = ::htons(port);
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return !probe || ::bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// The slot's own port. While an update replaces it, its predecessor still has that one: then the next free
// one, in steps of 100.
std::uint16_t inspector_port(std::uint16_t base, std::uint32_t slot) {
  constexpr unsigned step = 100, tries = 10, largest = 65'535;
  for (unsigned i = 0; i < tries; ++i) {
    const auto port = base + slot + i * step;
    if (port > largest) break;
    if (is_free(static_cast<std::uint16_t>(port))) return static_cast<std::uint16_t>(port);
  }
  return 0;  // any
}

}  // namespace

std::string notify_name(StartId id) { return "notify " + std::to_string(static_cast<std::uint64_t>(id)); }
std::string channel_name(StartId id) { return "channel " + std::to_string(static_cast<std::uint64_t>(id)); }

Channels::Channels() = default;
Channels::~Channels() = default;

Channels::State::State(const Loop& loop_in, Holder& holder_in, SharedSockets& sockets_in,
                       ChannelOptions options_in, ChannelHandlers handlers_in)
    : loop{loop_in},
      holder{holder_in},
      sockets{sockets_in},
      options{std::move(options_in)},
      handlers{std::move(handlers_in)} {}

Result<> Channels::State::arm() {
  SVD_CHECK(telling.arm(loop, Priority::message, [this] { tell(); }));
  SVD_CHECK(running.arm(loop, [this] { run(); }));
  SVD_CHECK(patience.arm(loop, Priority::message, [this] { out_of_patience(); }));
  SVD_CHECK(retry.arm(loop, Priority::message, [this] {
    for (const auto& [id, entry] : entries) flush(*entry);
  }));
  SVD_CHECK(settling.arm(loop, Priority::message, [this] {
    for (const auto& [id, app] : apps) {
      app->primary.tick(Loop::now().mono);
      carry_out(*app);
    }
  }));
  return {};
}

Result<> Channels::begin(const Loop& loop, Holder& holder, SharedSockets& sockets, ChannelOptions options,
                         ChannelHandlers handlers, std::span<const KnownChild> children) {
  state_ = std::make_unique<State>(loop, holder, sockets, std::move(options), std::move(handlers));
  SVD_TRY(state_->memory, ChannelMemory::open(holder));
  SVD_CHECK(state_->arm());
  state_->take_over(children);
  return {};
}

Channels::State::App& Channels::State::app_of(const AppId& id) {
  auto& app = apps[id];
  // Microseconds since boot: no number is used again, whichever engine sent the last one.
  const auto first_seq =
      std::chrono::duration_cast<std::chrono::microseconds>(Loop::now().mono.time_since_epoch());
  if (!app) app = std::make_unique<App>(id, static_cast<std::uint64_t>(first_seq.count()));
  return *app;
}

void Channels::State::prepare_node(LaunchPlan& plan) const {
  const auto slot = plan.slot.slot;
  ipc::move_inspector(plan.argv, plan.envp,
                      [slot](std::uint16_t port) { return inspector_port(port, slot); });
  if (!plan.preload || options.preload.empty()) return;
  if (!plan.user.empty() && !is_readable_by_all(options.preload))
    return log(plan.slot.str() + ": Node cannot read " + options.preload +
               " as another user: clients are not asked to leave");
  ipc::add_preload(plan.envp, options.preload);
}

Result<UniqueFd> Channels::State::open(LaunchPlan& plan, const Given& given) {
  if (plan.channel == ChannelKind::node) prepare_node(plan);
  if (plan.channel == ChannelKind::none && plan.ready.kind == ReadyGate::Kind::exec) return UniqueFd{};
  auto entry = std::make_unique<Entry>();
  entry->id = plan.id;
  entry->slot = plan.slot;
  entry->channel = plan.channel;
  entry->gate = plan.ready;
  entry->given = given;
  if (entry->gate.increment) entry->gate.port = static_cast<std::uint16_t>(entry->gate.port + plan.slot.slot);
  SVD_TRY(entry->place, memory->claim(ChannelMemory::Use::start));
  if (const auto listens = listen_for(*entry); !listens) {
    entry->place->erase();
    return tl::make_unexpected(listens.error());
  }
  if (entry->notify) plan.envp.push_back("NOTIFY_SOCKET=" + entry->notify->path());
  UniqueFd theirs;
  if (plan.channel != ChannelKind::none) {
    auto connected = connect(*entry);
    if (!connected) {
      entry->place->erase();
      if (entry->notify) entry->notify->remove();
      return connected;
    }
    theirs = std::move(*connected);
    directory.enter(plan.slot, plan.id);
    auto& app = app_of(plan.slot.app);
    app.primary.enter({.id = plan.id,
                       .slot = plan.slot.slot,
                       .generation = plan.generation,
                       .channel = plan.channel,
                       .listen = plan.listen});
    carry_out(app);
  }
  auto& kept = *(entries[plan.id] = std::move(entry));
  save(kept);
  return theirs;
}

Result<UniqueFd> Channels::State::connect(Entry& entry) {
  auto pair = ChannelLink::make_pair();
  if (!pair) return fail_errno(errno, "cannot make a channel");
  // libuv sets the flag itself; a plain program reads and expects to wait.
  if (entry.channel == ChannelKind::json) ::fcntl(pair->second.get(), F_SETFL, 0);
  SVD_CHECK(holder.hold(channel_name(entry.id), pair->first.get()));
  entry.link = std::make_unique<ChannelLink>(std::move(pair->first), entry.place->in(), entry.place->out());
  entry.reader.emplace(entry.place->skipping());
  return std::move(pair->second);
}

// A socket of its own: what others send to it holds up nobody else's news.
Result<> Channels::State::listen_for(Entry& entry) {
  if (entry.gate.kind != ReadyGate::Kind::notify || !entry.given) return {};
  entry.notify = std::make_unique<NotifySocket>(loop, holder, notify_name(entry.id), *entry.given);
  const auto id = entry.id;
  const auto path = options.notify_directory.empty()
                        ? std::string{}
                        : options.notify_directory + "/" + std::to_string(static_cast<std::uint64_t>(id));
  return entry.notify->open(
      path, {.is_sender = [this, id](std::int64_t pid) { return options.owner_of(pid) == id; },
             .said =
                 [this, id](const Notification& said) {
                   if (auto* const found = find(id)) on_notification(*found, said);
                 }});
}

void Channels::State::on_notification(Entry& entry, const Notification& said) {
  if (said.names_main_pid && !std::exchange(entry.told_main_pid, true))
    log(entry.slot.str() + ": MAINPID= is not followed: the main process is the one that was started");
  if (said.status && *said.status != entry.status) {
    entry.status = *said.status;
    save(entry);
  }
  if (said.ready) tell_ready(entry);
}

// Only now it is heard: the engine must know of the process before it hears what that says, and what a
// process may open is asked of the process.
void Channels::State::spawned(Entry& entry, std::int64_t pid) {
  entry.pid = pid;
  update_watch(entry);
  if (entry.told_ready) events.emplace_back(ToldReady{entry.id});
  if (!events.empty()) telling.request();
  if (entry.gate.kind == ReadyGate::Kind::exec) directory.set_ready(entry.slot, entry.id, true);
  if (entry.gate.kind != ReadyGate::Kind::tcp || entry.told_ready) return;
  entry.probe = std::make_unique<ConnectProbe>();
  const auto id = entry.id;
  const auto started = entry.probe->start(loop, entry.gate.address, entry.gate.port, [this, id] {
    if (auto* const found = find(id)) tell_ready(*found);
  });
  if (!started) log(entry.slot.str() + ": " + started.error().text);
}

void Channels::State::tell_ready(Entry& entry) {
  if (entry.told_ready || entry.ended) return;
  entry.told_ready = true;
  directory.set_ready(entry.slot, entry.id, true);
  save(entry);
  if (entry.pid == 0) return;  // spawned() tells it
  events.emplace_back(ToldReady{entry.id});
  telling.request();
}

void Channels::State::tell_drained(Entry& entry) {
  if (entry.told_drained || entry.ended) return;
  entry.told_drained = true;
  save(entry);
  events.emplace_back(Drained{entry.id});
  telling.request();
}

// An engine that did not live to write down what it had asked for asks once more: the program, which was
// asked, has answered.
void Channels::State::tell_drained_again(const Entry& entry) {
  if (!entry.told_drained || entry.ended) return;
  events.emplace_back(Drained{entry.id});
  telling.request();
}

void Channels::State::tell() {
  for (const auto what = std::exchange(events, {}); const auto& event : what) handlers.event(event);
}

void Channels::State::log(const std::string& text) const {
  if (handlers.log) handlers.log(text);
}

void Channels::State::drop(StartId id) {
  auto* const entry = find(id);
  if (entry == nullptr) return;
  entry->gone = true;
  if (entry->waits_for == id) {  // to read, which it will not
    entry->waits_for = {};
    stop_waiting(*entry, id);
  }
  read_rest(*entry);
  if (entry->waits_for != StartId{}) return;  // its last letters are on their way
  close(*entry);
  entry->place->erase();
  if (entry->notify) entry->notify->remove();
  runnable.erase(id);
  unflushed.erase(id);
  entries.erase(id);
}

void Channels::observe(const Event& event) {
  struct Hearing {
    State& state;
    void operator()(const Spawned& spawned) const {
      if (auto* const entry = state.find(spawned.id)) state.spawned(*entry, spawned.pid);
    }
    void operator()(const SpawnFailed& failed) const { state.drop(failed.id); }
    void operator()(const Exited& exited) const {
      auto* const entry = state.find(exited.id);
      if (entry == nullptr) return;
      if (entry->notify) entry->notify->drain();
      state.read_rest(*entry);
      state.tell();
      entry->ended = true;
      entry->probe.reset();
      state.directory.set_ready(entry->slot, entry->id, false);
    }
    void operator()(const Gone& gone) const { state.drop(gone.id); }
    void operator()(const ToldReady&) const {}
    void operator()(const Drained&) const {}
  };
  if (state_) std::visit(Hearing{*state_}, event);
}

void Channels::forget(const AppId& id) {
  if (!state_) return;
  const auto found = state_->apps.find(id);
  if (found == state_->apps.end()) return;
  auto& app = *found->second;
  for (const auto& key : app.primary.opened_keys()) state_->shut_socket(app, key);
  if (app.place) app.place->erase();
  state_->apps.erase(found);
}

void Channels::drain(StartId id) {
  auto* const entry = state_ ? state_->find(id) : nullptr;
  if (entry == nullptr) return;
  if (!entry->link) return state_->tell_drained_again(*entry);
  auto& app = state_->app_of(entry->slot.app);
  if (app.primary.is_leaving(id)) return state_->tell_drained_again(*entry);
  entry->told_drained = false;  // what it said before it was asked is no answer
  state_->directory.set_ready(entry->slot, id, false);
  app.primary.drain(id);
  state_->carry_out(app);
}

void Channels::disconnect(StartId id, const std::string& message) {
  auto* const entry = state_ ? state_->find(id) : nullptr;
  if (entry == nullptr) return;
  if (!entry->link) return state_->tell_drained_again(*entry);
  auto& app = state_->app_of(entry->slot.app);
  if (app.primary.is_asked_to_end(id)) return state_->tell_drained_again(*entry);
  entry->told_drained = false;  // that no client is left; what counts now is the channel's end
  state_->directory.set_ready(entry->slot, id, false);
  if (const auto value = ipc::JsonView::parse(message)) state_->write(*entry, ipc::write_value(*value));
  app.primary.disconnect(id);
  state_->carry_out(app);
}

Result<> Channels::send(StartId id, const std::string& json) {
  auto* const entry = state_ ? state_->find(id) : nullptr;
  if (entry == nullptr || !entry->link)
    return fail(std::errc::not_connected,
                "cannot send: it has no channel; 'channel: node' or 'channel: json' gives it one");
  const auto value = ipc::JsonView::parse(json);
  if (!value) return fail(std::errc::invalid_argument, "cannot send: this is not one JSON value");
  if (ipc::is_internal(*value))
    return fail(std::errc::invalid_argument,
                "cannot send: a `cmd` that begins with NODE_ is for Node itself");
  if (value->text().size() > ipc::max_frame)
    return fail(std::errc::message_size, "cannot send: it is longer than 8 MiB");
  if (state_->room_of(id) != ipc::Room::free)
    return fail(std::errc::no_buffer_space,
                "cannot send to " + entry->slot.str() + ": it has not read what was sent before");
  state_->write(*entry, ipc::write_value(*value));
  state_->flush_all();
  return {};
}

Result<UniqueFd> Channels::open(LaunchPlan& plan, const Given& given) {
  if (!state_) return UniqueFd{};
  return state_->open(plan, given);
}

std::string Channels::status(StartId id) const {
  const auto* const entry = state_ ? state_->find(id) : nullptr;
  return entry == nullptr ? std::string{} : entry->status;
}

}  // namespace svd
