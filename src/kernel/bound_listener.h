// SPDX-License-Identifier: Apache-2.0
// One listener of an app and its sockets, as the keeper holds them.
//
// It has one socket, index 0, or, with balance even and sticky, one for each slot, by slot. Those form an
// SO_REUSEPORT group, and a program in the kernel picks one of the slots that are ready (kernel/steering.h);
// when none is, it picks among all, and connections wait. The kernel numbers a group's sockets in the order
// in which they joined, and puts the last one into the place of one that leaves. Here they join by ascending
// slot, and none but the last ever leaves; so a socket's number in its group is its slot, whatever has
// happened and whichever engine asks. What a scaling down leaves over therefore stays, steered away from.
//
// Everything but what bind(2) takes changes in place. The balance, too: the one socket is the first of a
// group, and the other way round; instances that started before the change go on taking from what they have.
//
// An address that moves from one app to another does so by sharing: the new app's names stand for the same
// sockets, all of the group in their order, and each app lets go of its own names when it may. So a socket is
// closed by the last app that has it, and no moment is lost if the engine dies in between. Meanwhile it has
// the options of the app that is to keep it, and the kernel picks among the ready slots of both.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernel/bind_socket.h"
#include "kernel/listener_name.h"
#include "kernel/passing.h"
#include "kernel/steering.h"

namespace svd {

using ReadyStarts = std::vector<std::pair<std::uint32_t, StartId>>;  // slots, and who fills them

struct BoundListener {
  // What the kernel does with new connections of the group.
  struct Steered {
    Steering how = Steering::random;
    std::vector<std::uint32_t> indices;
    std::uint32_t total = 0;
    bool operator==(const Steered&) const = default;
  };

  Name name;
  std::uint64_t identity = 0;
  bool known = false;               // bind() has named it; else it is as a former engine left it
  BindRequest terms{};              // once it is known
  std::vector<std::string> held{};  // the sockets' names at the keeper, by index
  StartId since{};                  // the balance was another one up to this start
  std::optional<Steered> steered{};
  bool shared = false;     // other listeners may have the same sockets: see sharers()
  bool foreign = false;    // and they have the options of one of those
  bool unsettled = false;  // settle() waits until nobody shares them
};

// An app's listeners, and what was last said of it.
struct ListeningApp {
  std::vector<BoundListener> bound;
  std::uint32_t slots = 0;
  ReadyStarts ready;

  [[nodiscard]] BoundListener* find(const Listener& listener);
  [[nodiscard]] const BoundListener* find(const Listener& listener) const;
};
using ListenerTable = std::map<AppId, ListeningApp>;

// Who else has the sockets of `bound`, of the same ecosystem. Nobody: it is no more `shared`.
struct Sharer {
  ListeningApp* app = nullptr;
  BoundListener* bound = nullptr;
};
[[nodiscard]] std::vector<Sharer> sharers(const Holder& holder, ListenerTable& table, const Name& ecosystem,
                                          BoundListener& bound);

// Even or sticky: one socket for each slot.
[[nodiscard]] bool is_grouped(const Listener& listener);
// How many sockets it is to have.
[[nodiscard]] std::size_t sockets_wanted(const Listener& listener, std::uint32_t slots);
// The socket that a start in this slot has.
[[nodiscard]] std::uint32_t index_of(const BoundListener& bound, std::uint32_t slot, StartId id);
// One would stand in the other's way.
[[nodiscard]] bool overlap(const Listener& a, const Listener& b);

// Of a unix socket that was bound to a file; else empty.
[[nodiscard]] std::string socket_path(int fd);
// The file at `path` is that of this socket.
[[nodiscard]] bool has_own_file(const std::string& held_name, const std::string& path);
void remove_own_file(const std::string& held_name, const std::string& path);

// Lets the kernel pick among those that are ready, also of `others`. Nothing where there is nothing to pick.
Result<> steer(const Holder& holder, const ListeningApp& app, BoundListener& bound,
               std::span<const Sharer> others);
// A program can stop what it was lent from listening, for all (shutdown(2)). Then it listens again; and a
// group joins anew as a whole, since the order is lost.
void mend(const Holder& holder, const BoundListener& bound, std::uint32_t index);
// Connections that wait to be accepted. Of a listening socket tcp_info(7) tells their number as tcpi_unacked
// (tcp_get_info()); 0 for any other.
[[nodiscard]] std::uint32_t queue_length(int fd);
// Closes all but the first `keep` sockets, the last one first, and removes the file of a unix socket, unless
// it is shared.
void drop(Holder& holder, BoundListener& bound, std::size_t keep);

// After another name of its sockets went: a service manager stores none under two names (FDSTORE), and has
// given up the one that it knew.
void hold_again(Holder& holder, const BoundListener& bound);

// No instance is left that started before the last change of it: what only those used goes.
void settle(Holder& holder, BoundListener& bound);

}  // namespace svd
