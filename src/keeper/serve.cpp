// SPDX-License-Identifier: Apache-2.0
// Carries out what the engine asks for. A request that makes no sense is noted and dropped: the keeper goes
// on.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "keeper/attached.h"
#include "keeper/keeper.h"
#include "keeper/log.h"
#include "keeper/wire.h"

namespace svd::keeper {
namespace {

alignas(8) char inbox[max_message + 8];

enum class Received : std::uint8_t { message, nothing, hung_up };

void collect(msghdr& head, Attached& attached) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&head); part != nullptr; part = CMSG_NXTHDR(&head, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      if (attached.count < max_attached)
        attached.fds[attached.count++] = fd;
      else
        ::close(fd);
    }
  }
}

Received receive(int socket, std::size_t& size, Attached& attached) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_attached)];
  iovec part{inbox, max_message};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control;
  head.msg_controllen = sizeof control;
  auto got = ::recvmsg(socket, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  // An engine that ended with something of ours unread: that is reported once, before what it had still sent
  // (a `quit`, say).
  if (got < 0 && errno == ECONNRESET) got = ::recvmsg(socket, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == ECONNRESET ? Received::hung_up : Received::nothing;
  collect(head, attached);
  size = (head.msg_flags & MSG_TRUNC) != 0 ? 0 : static_cast<std::size_t>(got);
  if (got > 0) return Received::message;
  pollfd state{socket, POLLRDHUP, 0};  // an empty message reads like the end
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP)) != 0 ? Received::hung_up
                                                                                  : Received::message;
}

void signal_all(Keeper& keeper, Message message) {
  for (;;) {
    Signal signal;
    const Next next = next_signal(message, signal);
    if (next == Next::end || next == Next::broken) return;
    if (next != Next::record || keep_signal(keeper, signal)) continue;
    const Entry* const entry = keeper.children.by_id(signal.id);
    if (entry != nullptr && entry->ended == Ended::no) send_signal(*entry, signal.number, signal.whom);
  }
}

void forget_all(Keeper& keeper, Message message) {
  std::uint64_t id = 0;
  while (next_id(message, id) == Next::record)
    if (Entry* const entry = keeper.children.by_id(id)) keeper.children.forget(*entry);
}

void cancel_all(Keeper& keeper, Message message) {
  std::uint64_t id = 0;
  while (next_id(message, id) == Next::record) cancel_start(keeper, id, ECANCELED);
}

void hold_all(Keeper& keeper, Message message, Attached& attached) {
  for (;;) {
    Name name;
    const Next next = next_name(message, name);
    if (next == Next::end || next == Next::broken) return;
    const int fd = attached.take();
    if (fd < 0) return note("cannot hold a descriptor: it did not arrive");
    if (next == Next::bad)
      ::close(fd);
    else if (!keeper.held.put(keeper.children.blobs(), name.text, name.size, fd))
      note("cannot hold one more descriptor");
  }
}

void release_all(Keeper& keeper, Message message) {
  Name name;
  for (Next next = next_name(message, name); next == Next::record || next == Next::bad;
       next = next_name(message, name))
    if (next == Next::record) keeper.held.release(keeper.children.blobs(), name.text, name.size);
}

// `process`: a pidfd, taken; -1: our table of descriptors is full. Whom we cannot watch is told as ended:
// then the engine ends what is left of it, and nobody runs on without supervision.
void adopt_one(Keeper& keeper, const Adopt& adopt, int process) {
  const Child& child = adopt.child;
  Entry* entry = nullptr;
  if (keeper.children.fits(std::uint32_t{child.cgroup_size} + child.cookie_size)) {
    retire(keeper, child.pid);
    entry = keeper.children.add(child.id, child.pid, child.stop);
  }
  if (entry == nullptr && process >= 0) ::close(process);
  if (entry == nullptr || process < 0) note_number("cannot take over process", child.pid);
  if (entry == nullptr) return;
  keeper.children.keep(*entry, adopt.cgroup, child.cgroup_size, adopt.cookie, child.cookie_size);
  entry->adopted = true;
  entry->pidfd = process;
  if (process < 0) return adopted_ended(keeper, *entry);
  watch(keeper, process, EPOLLIN, tag_child + static_cast<std::uint64_t>(entry - keeper.children.begin()));
}

void adopt_all(Keeper& keeper, Message message, Attached& attached) {
  for (;;) {
    Adopt adopt;
    const Next next = next_adopt(message, adopt);
    if (next == Next::end || next == Next::broken) return;
    const int process = attached.take();
    if (next == Next::record)
      adopt_one(keeper, adopt, process);
    else if (process >= 0)
      ::close(process);
  }
}

void configure(Keeper& keeper, const Message& message) {
  std::uint32_t size = 0;
  if (message.left < 8) return;
  std::memcpy(&size, message.at, sizeof size);
  if (size > message.left - 8 || size >= sizeof keeper.base)
    return note("the engine named no usable cgroup directory");
  std::memcpy(keeper.base, message.at + 8, size);
  keeper.base[size] = '\0';
  if (keeper.nursery.base >= 0) ::close(keeper.nursery.base);
  keeper.nursery.base = size == 0 ? -1 : ::open(keeper.base, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (size > 0 && keeper.nursery.base < 0) note("cannot open the cgroup directory", errno);
}

void quit(Keeper& keeper, const Message& message) {
  Quit body{};
  constexpr std::size_t fixed = sizeof body - sizeof(Header);
  if (message.left < fixed) return;
  std::memcpy(&body.code, message.at, fixed);
  keeper.engine.quitting = true;
  keeper.engine.code = body.code;
  if (body.text_size == 0 || body.text_size > message.left - fixed) return;
  message.at[fixed + body.text_size] = '\n';  // the inbox has room for it
  tell_waiter(keeper, message.at + fixed, body.text_size + 1);
}

void redirect(Keeper& keeper, const Attached& attached) {
  if (attached.at(0) < 0) return;
  ::dup2(attached.at(0), STDOUT_FILENO);
  ::dup2(attached.at(0), STDERR_FILENO);
  renew_launchers(keeper);
}

void ready(Keeper& keeper) {
  keeper.engine.services += keeper.engine.served ? 0 : 1;
  keeper.engine.served = true;
  constexpr char text[] = "ready\n";
  tell_waiter(keeper, text, sizeof text - 1);
}

void list(Keeper& keeper) {
  keeper.children.nothing_unsent();  // the listing says it
  keeper.outbox.listing = true;
  keeper.outbox.child = keeper.outbox.name = 0;
  keeper.engine.listed = true;
}

void carry_out(Keeper& keeper, const Message& message, Attached& attached) {
  switch (message.type) {
    case Type::list:
      return list(keeper);
    case Type::configure:
      return configure(keeper, message);
    case Type::spawn:
      return begin_starts(keeper, message, attached);
    case Type::spawn_file:
      return begin_start_from_file(keeper, attached);
    case Type::signal:
      return signal_all(keeper, message);
    case Type::forget:
      return forget_all(keeper, message);
    case Type::cancel:
      return cancel_all(keeper, message);
    case Type::hold:
      return hold_all(keeper, message, attached);
    case Type::release:
      return release_all(keeper, message);
    case Type::adopt:
      return adopt_all(keeper, message, attached);
    case Type::ready:
      return ready(keeper);
    case Type::redirect:
      return redirect(keeper, attached);
    case Type::quit:
      return quit(keeper, message);
    case Type::notify:
      return relay(keeper, message, attached.take());
    case Type::hello:
    case Type::children:
    case Type::held:
    case Type::listed:
    case Type::reports:
    case Type::notice:
    case Type::shutdown:
    case Type::hangup:
    case Type::notified:
      break;
  }
  note_number("the engine sent a message of an unknown type:", static_cast<long>(message.type));
}

// One message. False: there was none.
bool serve_one(Keeper& keeper, Type& type, bool& hung_up) {
  Attached attached;
  std::size_t size = 0;
  const Received received = receive(keeper.engine.socket, size, attached);
  hung_up = received == Received::hung_up;
  if (received != Received::message) return false;
  Message message;
  const bool is_message = open_message(inbox, size, message);
  type = message.type;
  if (is_message)
    carry_out(keeper, message, attached);
  else
    note("the engine sent something that is no message");
  return true;
}

}  // namespace

void retire(Keeper& keeper, std::int32_t pid) {
  if (Entry* const stale = keeper.children.by_pid(pid)) adopted_ended(keeper, *stale);
}

void serve(Keeper& keeper) {
  // Ends of children are looked at in between: after each message of starts, which take time, and after some
  // of the others.
  for (int i = 0; i < 16 && has_room_for_refusals(keeper); ++i) {
    Type type{};
    bool hung_up = false;
    if (!serve_one(keeper, type, hung_up)) {
      if (hung_up) engine_hung_up(keeper);
      return;
    }
    if (type == Type::spawn || type == Type::spawn_file) return;
  }
}

void serve_rest(Keeper& keeper) {
  Type type{};
  bool hung_up = false;
  while (serve_one(keeper, type, hung_up)) keeper.refusals.count = 0;  // nobody is left to be told
}

}  // namespace svd::keeper
