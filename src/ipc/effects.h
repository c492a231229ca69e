// SPDX-License-Identifier: Apache-2.0
// What the state machines of this folder want done. They only say it; the adapter does it, in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "ipc/cluster.h"
#include "model/names.h"

namespace svd::ipc {

// A socket that an app's instances share: one that its file declares, or one that was opened for a key.
struct Shared {
  std::optional<Name> listener;
  std::uint32_t slot = 0;  // whose, of a listener that has a socket for each slot
  std::string key;         // without a listener
  bool operator==(const Shared&) const = default;
};

// One line to a program, its line feed included, and the descriptor that goes with it.
struct Write {
  StartId to{};
  std::string line;
  std::optional<Shared> socket;
};
// Open a socket as this process itself could, and answer with Primary::opened().
struct Open {
  std::string key;
  Query query;
  StartId asker{};
};
// Nobody will ask for it any more.
struct Shut {
  std::string key;
};
// A worker has called listen(2) with a backlog of its own on a socket that the file declares.
struct Relisten {
  StartId id{};
  Shared socket;
};
// It serves all that it should, or says so; no client of it is left.
struct Ready {
  StartId id{};
};
struct Idle {
  StartId id{};
};
// A worker serves this key: connections may be passed to it; and no more.
struct Serves {
  StartId id{};
  std::string key;
  std::optional<Name> listener;
};
struct Leaves {
  StartId id{};
  std::string key;
};
// It answered the connection that was passed to it with our message `seq`.
struct Answered {
  StartId id{};
  std::int64_t seq = 0;
  bool accepted = false;
};
using Effect = std::variant<Write, Open, Shut, Relisten, Ready, Idle, Serves, Leaves, Answered>;

}  // namespace svd::ipc
