// SPDX-License-Identifier: Apache-2.0
// Tells the service manager what the engine says (sd_notify(3)). A manager that is to believe the main
// process alone (NotifyAccess=main) looks at who sends, and that is us: else whatever an app says would count
// as much as what the engine says. Nothing is said that the engine did not ask for, so the watchdog is still
// fed by the engine alone. What the manager does not take now waits here, in a table of fixed size; the
// engine is told of each one that is gone, and has no more than `max_notes` under way.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "keeper/keeper.h"
#include "keeper/log.h"

namespace svd::keeper {
namespace {

enum class Sent : std::uint8_t { yes, later, never };

void connect(Relay& relay) {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  const std::size_t size = path == nullptr ? 0 : std::strlen(path);
  if (size < 2 || size >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, size);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const auto whole =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (path[0] == '@' ? 0 : 1));
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), whole) == 0)
    relay.socket = fd;
  else if (fd >= 0)
    ::close(fd);
}

Sent send(int socket, Note& note) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{note.text, note.size};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  if (note.fd >= 0) {
    head.msg_control = control;
    head.msg_controllen = sizeof control;
    cmsghdr* const rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &note.fd, sizeof note.fd);
  }
  if (::sendmsg(socket, &head, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return Sent::yes;
  return errno == EAGAIN ? Sent::later : Sent::never;
}

// A manager that was itself started anew may listen on another socket of that name.
Sent deliver(Keeper& keeper, Note& note) {
  Relay& relay = keeper.relay;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (relay.socket < 0) connect(relay);
    if (relay.socket < 0) return Sent::never;
    const Sent sent = send(relay.socket, note);
    if (sent != Sent::never) return sent;
    unwatch(keeper, relay.socket);
    relay.watched = false;
  }
  return Sent::never;
}

void drop_first(Relay& relay) {
  Note& note = relay.notes[relay.first];
  if (note.fd >= 0) ::close(note.fd);
  relay.first = (relay.first + 1) % Relay::capacity;
  --relay.count;
  if (relay.stale > 0)
    --relay.stale;
  else
    ++relay.freed;
}

// Where nothing waits the socket is not watched: it is writable most of the time.
void watch_for_room(Keeper& keeper, bool wanted) {
  Relay& relay = keeper.relay;
  if (relay.socket < 0 || relay.watched == wanted) return;
  relay.watched = wanted;
  if (wanted)
    watch(keeper, relay.socket, EPOLLOUT, tag_manager);
  else
    ::epoll_ctl(keeper.epoll, EPOLL_CTL_DEL, relay.socket, nullptr);
}

}  // namespace

void relay_waiting(Keeper& keeper) {
  Relay& relay = keeper.relay;
  bool later = false;
  while (relay.count > 0 && !later) {
    later = deliver(keeper, relay.notes[relay.first]) == Sent::later;
    if (!later) drop_first(relay);
  }
  watch_for_room(keeper, later);
}

void relay(Keeper& keeper, const Message& message, int fd) {
  Relay& relay = keeper.relay;
  Notify body{};
  constexpr std::size_t fixed = sizeof body - sizeof(Header);
  if (message.left >= fixed) std::memcpy(&body.text_size, message.at, fixed);
  const bool usable =
      body.text_size > 0 && body.text_size <= max_note && body.text_size <= message.left - fixed;
  if (!usable || relay.count == Relay::capacity) {
    if (fd >= 0) ::close(fd);
    ++relay.freed;
    return note("the engine sent a note for the service manager that cannot be used");
  }
  Note& last = relay.notes[(relay.first + relay.count++) % Relay::capacity];
  std::memcpy(last.text, message.at + fixed, body.text_size);
  last.size = body.text_size;
  last.fd = fd;
  relay_waiting(keeper);
}

void relay_for_next_engine(Keeper& keeper) {
  keeper.relay.stale = keeper.relay.count;  // it was decided, and is still sent
  keeper.relay.freed = 0;
}

}  // namespace svd::keeper
