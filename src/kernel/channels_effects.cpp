// SPDX-License-Identifier: Apache-2.0
// What an app's primary wants done, done.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "keeper/protocol.h"
#include "kernel/channels_state.h"

namespace svd {

namespace {

const Listener* listener_of(const auto& app, StartId id, const std::optional<Name>& name) {
  const auto* const member = app.primary.find(id);
  if (member == nullptr || !name) return nullptr;
  const auto found = std::ranges::find(member->listen, *name, &Listener::name);
  return found == member->listen.end() ? nullptr : &*found;
}

}  // namespace

// A key may be as long as a path; then a hash stands for it.
std::string socket_name(const AppId& app, const std::string& key) {
  auto name = "socket " + app.str() + " " + key;
  if (name.size() <= keeper::max_name && name.find('\0') == name.npos) return name;
  return "socket " + app.str() + " #" + std::to_string(std::hash<std::string>{}(key));
}

void Channels::State::carry_out(App& app) {
  struct Visitor {
    State& state;
    App& app;
    void operator()(const ipc::Write& write) const { state.lend(app, write); }
    void operator()(const ipc::Open& open) const { state.open_socket(app, open); }
    void operator()(const ipc::Shut& shut) const { state.shut_socket(app, shut.key); }
    void operator()(const ipc::Relisten& again) const {
      if (const auto* const listener = listener_of(app, again.id, again.socket.listener))
        state.sockets.relisten(app.id, *listener, again.socket.slot, again.id);
    }
    void operator()(const ipc::Ready& ready) const {
      auto* const entry = state.find(ready.id);
      if (entry != nullptr && entry->gate.kind == ReadyGate::Kind::channel) state.tell_ready(*entry);
    }
    void operator()(const ipc::Idle& idle) const {
      if (auto* const entry = state.find(idle.id)) state.tell_drained(*entry);
    }
    void operator()(const ipc::Serves& serves) const { state.serve(app, serves); }
    void operator()(const ipc::Leaves& leaves) const { state.stop_serving(app, leaves); }
    void operator()(const ipc::Answered& answer) const {
      state.answered(app, answer.id, static_cast<std::uint64_t>(answer.seq), answer.accepted);
    }
  };
  for (auto effects = app.primary.take(); !effects.empty(); effects = app.primary.take())
    for (const auto& effect : effects) std::visit(Visitor{*this, app}, effect);
  for (const auto id : app.primary.changed()) {
    if (id == StartId{})
      save(app);
    else if (auto* const entry = find(id))
      save(*entry);
  }
  (void)settling.set([this] {
    std::optional<TimePoint> first;
    for (const auto& [id, one] : apps)
      if (const auto wake = one->primary.wake(); wake && (!first || *wake < *first)) first = wake;
    return first;
  }());
  flush_all();
}

void Channels::State::lend(App& app, const ipc::Write& write) {
  auto* const entry = find(write.to);
  if (entry == nullptr) return;
  if (!write.socket) return this->write(*entry, write.line);
  const int fd = find_socket(app, write.to, *write.socket);
  if (fd < 0) log(entry->slot.str() + ": the socket that it asks for is not there");  // then it is refused
  write_handle(*entry, {write.line, *write.socket}, fd);
}

int Channels::State::find_socket(const App& app, StartId id, const ipc::Shared& socket) const {
  if (!socket.listener) return holder.borrow(socket_name(app.id, socket.key));
  const auto* const listener = listener_of(app, id, socket.listener);
  return listener == nullptr ? -1 : sockets.socket(app.id, *listener, socket.slot, id);
}

// What instances of another version of the file have, while they are still there.
int Channels::State::find_declared(const App& app, const ipc::Query& query) const {
  for (const auto id : app.primary.members()) {
    const auto* const member = app.primary.find(id);
    const auto* const listener = ipc::find_listener(member->listen, query);
    if (listener == nullptr) continue;
    if (const int fd = sockets.socket(app.id, *listener, member->slot, id); fd >= 0) return fd;
  }
  return -1;
}

void Channels::State::serve(App& app, const ipc::Serves& serves) {
  const auto* const listener = listener_of(app, serves.id, serves.listener);
  if (listener == nullptr) return;
  auto& passer = app.passers[listener->name];
  if (!passer) {
    sockets.relisten(app.id, *listener, 0, serves.id);
    const auto pass_on = [this, &app](const ipc::Rotation::Turn& turn, int connection) {
      return pass(app, turn, connection);
    };
    passer = std::make_unique<ConnectionPasser>(loop, find_socket(app, serves.id, {serves.listener, 0, {}}),
                                                pass_on);
    if (const auto started = passer->start(); !started) log(app.id.str() + ": " + started.error().text);
  }
  passer->enter(serves.id, serves.key);
}

void Channels::State::stop_serving(App& app, const ipc::Leaves& leaves) {
  for (const auto& [name, passer] : app.passers) passer->leave(leaves.id, leaves.key);
  std::erase_if(app.passers, [](const auto& entry) { return entry.second->empty(); });
}

void Channels::State::answered(App& app, StartId id, std::uint64_t number, bool accepted) {
  for (const auto& [name, passer] : app.passers) passer->answered(id, number, accepted);
}

void Channels::State::gone(App& app, StartId id) {
  for (const auto& [name, passer] : app.passers) passer->gone(id);
  std::erase_if(app.passers, [](const auto& entry) { return entry.second->empty(); });
}

std::uint64_t Channels::State::pass(App& app, const ipc::Rotation::Turn& turn, int connection) {
  auto* const entry = find(turn.id);
  if (entry == nullptr || !entry->link || room_of(turn.id) != ipc::Room::free) return 0;
  const auto number = app.primary.next_seq();
  write_handle(*entry, {.line = ipc::write_connection(turn.key, number), .connection = number}, connection);
  flush(*entry);
  return number;
}

SocketOpener& Channels::State::opener_of(const AppId& id) {
  std::erase_if(openers, [](const auto& entry) { return entry.second->idle(); });
  auto& opener = openers[id];
  if (!opener) opener = std::make_unique<SocketOpener>(loop);
  return *opener;
}

// Of a start that is not known, or was saved by an engine that did not note what it was given: nothing.
void Channels::State::open_socket(App& app, const ipc::Open& open) {
  const auto* const entry = find(open.asker);
  if (entry == nullptr || !entry->given) return app.primary.opened(open.key, EPERM);
  opener_of(app.id).open(
      open.query, *entry->given,
      [this, id = app.id, open, given = *entry->given](Result<SocketOpener::Opened> opened) {
        socket_opened(id, open, given, std::move(opened));
      });
}

// Whoever asked may be gone meanwhile, and the app, too.
void Channels::State::socket_opened(const AppId& id, const ipc::Open& open, const Given& given,
                                    Result<SocketOpener::Opened> opened) {
  const auto found = apps.find(id);
  if (found == apps.end()) {
    if (opened && !opened->path.empty()) opener_of(id).remove({opened->path, given});
    return;
  }
  auto& app = *found->second;
  if (!opened && opened.error().code == std::errc::address_in_use)
    if (const int fd = find_declared(app, open.query); fd >= 0)
      opened = SocketOpener::Opened{UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)}, {}};
  if (opened)
    if (const auto held = holder.hold(socket_name(app.id, open.key), opened->fd.get()); !held)
      opened = tl::make_unexpected(held.error());
  if (opened && !opened->path.empty()) app.opened.insert_or_assign(open.key, OpenedPath{opened->path, given});
  app.primary.opened(open.key, opened ? 0 : static_cast<int>(opened.error().code));
  carry_out(app);
}

void Channels::State::shut_socket(App& app, const std::string& key) {
  const auto name = socket_name(app.id, key);
  // At once, whoever still has a copy on its way to be closed: the address may be wanted again.
  ::shutdown(holder.borrow(name), SHUT_RDWR);
  holder.release(name);
  const auto opened = app.opened.find(key);
  if (opened == app.opened.end()) return;
  opener_of(app.id).remove(std::move(opened->second));
  app.opened.erase(opened);
}

}  // namespace svd
