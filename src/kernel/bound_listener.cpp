// SPDX-License-Identifier: Apache-2.0
#include "kernel/bound_listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <ranges>

namespace svd {
namespace {

using Balance = Listener::Balance;

bool is_inet(const Listener& listener) { return !is_unix(listener); }
bool is_any(const Listener& l) { return l.address.empty() || l.address == "0.0.0.0" || l.address == "::"; }
bool is_v6(const Listener& l) { return l.address.find(':') != std::string::npos; }
bool takes_both(const Listener& l) { return l.address.empty() || (l.address == "::" && !l.v6only); }

bool is_listening(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) < 0 || value != 0;
}

// Ascending, each once.
std::vector<std::uint32_t> ready_indices(const ListeningApp& app, const BoundListener& bound,
                                         std::span<const Sharer> others) {
  std::vector<std::uint32_t> indices;
  for (const auto& [slot, id] : app.ready) indices.push_back(index_of(bound, slot, id));
  for (const auto& other : others)
    for (const auto& [slot, id] : other.app->ready) indices.push_back(index_of(*other.bound, slot, id));
  std::ranges::sort(indices);
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  std::erase_if(indices, [&](std::uint32_t index) { return index >= bound.held.size(); });
  return indices;
}

// Of the file system of sockets; 0: there is none.
ino_t inode(int fd) {
  struct stat found {};
  return ::fstat(fd, &found) == 0 ? found.st_ino : 0;
}

template <class App>
auto find_in(App& app, const Listener& listener) -> decltype(app.bound.data()) {
  const auto identity = listener_identity(listener);
  for (auto& bound : app.bound)
    if (bound.identity == identity && bound.name == listener.name) return &bound;
  return nullptr;
}

}  // namespace

BoundListener* ListeningApp::find(const Listener& listener) { return find_in(*this, listener); }
const BoundListener* ListeningApp::find(const Listener& listener) const { return find_in(*this, listener); }

std::vector<Sharer> sharers(const Holder& holder, ListenerTable& table, const Name& ecosystem,
                            BoundListener& bound) {
  std::vector<Sharer> found;
  if (!bound.shared || bound.held.empty()) return found;
  const auto own = inode(holder.borrow(bound.held.front()));
  for (auto entry = table.lower_bound({ecosystem, {}});
       entry != table.end() && entry->first.ecosystem == ecosystem; ++entry)
    for (auto& other : entry->second.bound)
      if (&other != &bound && other.identity == bound.identity && !other.held.empty() &&
          inode(holder.borrow(other.held.front())) == own)
        found.push_back({&entry->second, &other});
  bound.shared = !found.empty();
  return found;
}

bool is_grouped(const Listener& listener) {
  return is_inet(listener) && (listener.balance == Balance::even || listener.balance == Balance::sticky);
}

// An address is never given up, also not by an app that has no instances at present.
std::size_t sockets_wanted(const Listener& listener, std::uint32_t slots) {
  return is_grouped(listener) ? std::max(slots, 1U) : 1;
}

std::uint32_t index_of(const BoundListener& bound, std::uint32_t slot, StartId id) {
  const bool by_slot = is_grouped(bound.terms.listener) == (id > bound.since);
  return by_slot ? slot : 0;
}

bool overlap(const Listener& a, const Listener& b) {
  if (is_unix(a) || is_unix(b)) return is_unix(a) && is_unix(b) && a.address == b.address;
  if (a.kind != b.kind || a.port != b.port) return false;
  if (takes_both(a) || takes_both(b)) return true;
  return is_v6(a) == is_v6(b) && (is_any(a) || is_any(b) || a.address == b.address);
}

std::string socket_path(int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0 || address.sun_family != AF_UNIX)
    return "";
  return address.sun_path;
}

bool has_own_file(const std::string& held_name, const std::string& path) {
  const auto socket = parse_held_name(held_name);
  return socket && socket->mark != 0 && socket->mark == file_mark(path);
}

void remove_own_file(const std::string& held_name, const std::string& path) {
  const auto socket = parse_held_name(held_name);
  if (socket && socket->mark != 0) remove_socket_file(path, socket->mark);
}

Result<> steer(const Holder& holder, const ListeningApp& app, BoundListener& bound,
               std::span<const Sharer> others) {
  if (!bound.known || bound.held.size() < 2) return {};
  const auto& listener = bound.terms.listener;
  auto wanted = static_cast<std::uint32_t>(sockets_wanted(listener, app.slots));
  for (const auto& other : others)
    wanted = std::max(
        wanted, static_cast<std::uint32_t>(sockets_wanted(other.bound->terms.listener, other.app->slots)));
  BoundListener::Steered want{listener.balance == Balance::sticky ? Steering::by_peer : Steering::random,
                              ready_indices(app, bound, others), wanted};
  if (want.indices.empty()) {
    want.indices.resize(std::min<std::size_t>(wanted, bound.held.size()));
    std::iota(want.indices.begin(), want.indices.end(), 0U);
  }
  want.total = std::max(want.total, want.indices.back() + 1);
  if (bound.steered == want) return {};
  auto program = steering_program(want.how, want.indices, want.total);
  SVD_CHECK(attach_steering(holder.borrow(bound.held.front()), program));
  bound.steered = std::move(want);
  return {};
}

void mend(const Holder& holder, const BoundListener& bound, std::uint32_t index) {
  if (!bound.known || !is_stream(bound.terms.listener) || is_reserved(bound.terms.listener)) return;
  if (is_listening(holder.borrow(bound.held[index]))) return;
  const auto backlog = static_cast<int>(bound.terms.listener.backlog);
  if (bound.held.size() > 1)
    for (const auto& name : bound.held) ::shutdown(holder.borrow(name), SHUT_RDWR);
  for (const auto& name : bound.held) ::listen(holder.borrow(name), backlog);
}

std::uint32_t queue_length(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  const bool known = ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
  return known && info.tcpi_state == TCP_LISTEN ? info.tcpi_unacked : 0;
}

void drop(Holder& holder, BoundListener& bound, std::size_t keep) {
  while (bound.held.size() > keep) {
    const auto& name = bound.held.back();
    auto path = socket_path(holder.borrow(name));
    // As it was asked for: bound in a directory of others it may have another name (bind_socket.cpp, Ground).
    if (!path.empty() && bound.known) path = bound.terms.listener.address;
    if (!path.empty() && !bound.shared) remove_own_file(name, path);
    holder.release(name);
    bound.held.pop_back();
  }
}

void hold_again(Holder& holder, const BoundListener& bound) {
  for (const auto& name : bound.held) (void)holder.hold(name, holder.borrow(name));
}

void settle(Holder& holder, BoundListener& bound) {
  if (!bound.known) return;
  bound.unsettled = bound.shared;
  if (bound.shared) return;
  const auto& listener = bound.terms.listener;
  if (!is_grouped(listener)) {
    drop(holder, bound, 1);
    bound.terms.in_group = false;
  }
  if (bound.held.size() > 1) return;
  const int fd = holder.borrow(bound.held.front());
  if (listener.kind == Listener::Kind::tcp && is_reserved(listener) && is_listening(fd))
    ::shutdown(fd, SHUT_RDWR);
  (void)apply_options(fd, bound.terms);  // alone again: its address is not to be shared
}

}  // namespace svd
