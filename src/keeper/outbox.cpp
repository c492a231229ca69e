// SPDX-License-Identifier: Apache-2.0
// What the engine is told. Nothing is queued but in the tables themselves, so a slow or dead engine costs
// nothing: when the socket is full, sending goes on where it stopped once there is room; a new engine asks
// for everything.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "keeper/keeper.h"
#include "keeper/wire.h"

namespace svd::keeper {
namespace {

alignas(8) char message[max_message];
constexpr std::uint32_t reports_per_message = (max_message - sizeof(Header)) / sizeof(Report);

// False: not now. A socket whose other end is gone takes everything: its end is noticed elsewhere.
bool send(Keeper& keeper, std::size_t size, const int* fds = nullptr, std::uint32_t fd_count = 0) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_attached)];
  iovec part{message, size};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  if (fd_count > 0) {
    head.msg_control = control;
    head.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    cmsghdr* const rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    std::memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
  }
  if (::sendmsg(keeper.engine.socket, &head, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
  if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return true;
  keeper.outbox.blocked = true;  // EAGAIN, ENOBUFS, ENOMEM, ETOOMANYREFS: later
  return false;
}

template <class T>
bool send_fixed(Keeper& keeper, const T& body) {
  std::memcpy(message, &body, sizeof body);
  return send(keeper, sizeof body);
}

constexpr Header header(Type type, std::uint32_t count) { return {type, version, count}; }

void put_header(Type type, std::uint32_t count) {
  const Header head = header(type, count);
  std::memcpy(message, &head, sizeof head);
}

bool send_owed(Keeper& keeper) {
  Outbox& owed = keeper.outbox;
  if (owed.hello) {
    const Engine& engine = keeper.engine;
    const Hello hello{
        header(Type::hello, 0), ::getpid(), keeper.nursery.missing, engine.services, engine.number,
        engine.ended,           {}};
    if (!send_fixed(keeper, hello)) return false;
    owed.hello = false;
  }
  if (owed.notice) {
    if (!send_fixed(keeper, Notice{header(Type::notice, 0), keeper.nursery.missing, 0})) return false;
    owed.notice = false;
  }
  if (owed.shutdown) {
    if (!send_fixed(keeper, Shutdown{header(Type::shutdown, 0), owed.force ? 1U : 0U, 0})) return false;
    owed.shutdown = false;
  }
  if (owed.hangup && keeper.engine.served) {  // until then it has nothing that could be read anew
    if (!send_fixed(keeper, header(Type::hangup, 0))) return false;
    owed.hangup = false;
  }
  if (keeper.relay.freed > 0) {
    if (!send_fixed(keeper, Notified{header(Type::notified, 0), keeper.relay.freed, 0})) return false;
    keeper.relay.freed = 0;
  }
  return true;
}

std::size_t put_child(const Children& children, const Entry& entry, std::size_t at) {
  (void)children;
  const Child child{entry.id,   entry.time,        entry.pid,         entry.number,
                    entry.stop, entry.ended,       entry.core_dumped, entry.adopted,
                    0,          entry.cgroup_size, entry.cookie_size};
  std::memcpy(message + at, &child, sizeof child);
  return at + sizeof child;
}

// As many children as fit into a message, from the cursor on.
bool send_children(Keeper& keeper) {
  Outbox& box = keeper.outbox;
  Children& children = keeper.children;
  const auto total = static_cast<std::uint32_t>(children.end() - children.begin());
  while (box.child < total) {
    std::size_t size = sizeof(Header);
    std::uint32_t count = 0, next = box.child;
    for (; next < total; ++next) {
      const Entry& entry = children.begin()[next];
      if (!entry.used) continue;
      const std::uint32_t tail = std::uint32_t{entry.cgroup_size} + entry.cookie_size;
      if (size + sizeof(Child) + padded(tail) > max_message) break;
      size = put_child(children, entry, size);
      std::memset(message + size, 0, padded(tail));
      children.blobs().get(entry.blob, message + size, tail);
      size += padded(tail);
      ++count;
    }
    put_header(Type::children, count);
    if (count > 0 && !send(keeper, size)) return false;
    box.child = next;
  }
  return true;
}

bool send_held(Keeper& keeper) {
  Outbox& box = keeper.outbox;
  while (box.name < keeper.held.count()) {
    int fds[max_attached];
    std::size_t size = sizeof(Header);
    std::uint32_t count = 0;
    for (; count < max_attached && box.name + count < keeper.held.count(); ++count) {
      const Held::Item& item = keeper.held.at(box.name + count);
      const NamedFd head{item.size, 0};
      std::memcpy(message + size, &head, sizeof head);
      size += sizeof head;
      std::memset(message + size, 0, padded(item.size));
      keeper.children.blobs().get(item.blob, message + size, item.size);
      size += padded(item.size);
      fds[count] = item.fd;
    }
    put_header(Type::held, count);
    if (!send(keeper, size, fds, count)) return false;
    box.name += count;
  }
  return true;
}

// What a former engine has started is settled first (engine_ended() sees to it that this is soon): the next
// one would not know of it.
bool send_listing(Keeper& keeper) {
  if (!keeper.outbox.listing) return true;
  if (under_way(keeper) > 0) return false;
  if (!send_children(keeper) || !send_held(keeper)) return false;
  if (!send_fixed(keeper, header(Type::listed, 0))) return false;
  keeper.outbox.listing = false;
  return true;
}

std::uint32_t put_reports(const Entry& entry, Report* out) {
  std::uint32_t count = 0;
  if ((entry.unsent & unsent_spawned) != 0)
    out[count++] = {entry.id, 0, entry.pid, 0, What::spawned, Stage::none, Ended::no, 0, 0};
  if ((entry.unsent & unsent_exited) != 0)
    out[count++] = {entry.id,    entry.time,        entry.pid, entry.number, What::exited, Stage::none,
                    entry.ended, entry.core_dumped, 0};
  return count;
}

bool send_reports(Keeper& keeper) {
  Children& children = keeper.children;
  auto* const reports = reinterpret_cast<Report*>(message + sizeof(Header));
  while (keeper.refusals.count > 0 || children.first_unsent() != nullptr) {
    std::uint32_t count = 0, entries = 0, refusals = 0;
    for (; refusals < keeper.refusals.count && count < reports_per_message; ++refusals) {
      const Refusal& item = keeper.refusals.items[refusals];
      reports[count++] = {item.id, 0, 0, item.err, What::failed, item.stage, Ended::no, 0, item.detail};
    }
    for (const Entry* entry = children.first_unsent(); entry != nullptr && count + 2 <= reports_per_message;
         entry = children.next_unsent(*entry), ++entries)
      count += put_reports(*entry, reports + count);
    put_header(Type::reports, count);
    if (!send(keeper, sizeof(Header) + count * sizeof(Report))) return false;
    for (; entries > 0; --entries) children.sent_first();
    keeper.refusals.count -= refusals;
    std::memmove(keeper.refusals.items, keeper.refusals.items + refusals,
                 keeper.refusals.count * sizeof(Refusal));
  }
  return true;
}

}  // namespace

void greet(Keeper& keeper) {
  keeper.outbox = {};
  keeper.outbox.hello = true;
  keeper.refusals.count = 0;  // of a former engine; it is the next one's decision what to start
}

void report(Keeper& keeper, Entry& entry, std::uint8_t what) {
  const auto number = static_cast<std::uint32_t>(&entry - keeper.children.begin());
  if (keeper.outbox.listing && number >= keeper.outbox.child) return;  // the listing is about to tell it
  keeper.children.report(entry, what);
}

bool has_room_for_refusals(const Keeper& keeper) {
  return keeper.refusals.count + under_way(keeper) + max_records <= Refusals::capacity;
}

void refuse(Keeper& keeper, std::uint64_t id, const Born& born) {
  if (keeper.refusals.count < Refusals::capacity)  // always: see has_room_for_refusals()
    keeper.refusals.items[keeper.refusals.count++] = {id, born.err, born.detail, born.stage};
}

void flush(Keeper& keeper) {
  if (keeper.engine.socket < 0 || keeper.outbox.blocked) return;
  if (!send_owed(keeper) || !send_listing(keeper)) return;
  if (keeper.engine.listed) send_reports(keeper);
}

void rewatch(Keeper& keeper) {
  if (keeper.engine.socket < 0) return;
  const std::uint32_t events =
      (has_room_for_refusals(keeper) ? EPOLLIN : 0U) | (keeper.outbox.blocked ? EPOLLOUT : 0U);
  if (events == keeper.outbox.events) return;
  keeper.outbox.events = events;
  watch(keeper, keeper.engine.socket, events, tag_engine);
}

}  // namespace svd::keeper
