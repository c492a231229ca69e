// SPDX-License-Identifier: Apache-2.0
// The runtime directory: who holds its lock is the daemon, and only who holds it touches the socket.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "model/directories.h"

namespace svd {

// What the lock file says about the daemon that holds it. Survives its engines.
struct LockOwner {
  std::int64_t keeper_pid = 0;
  WallTime started;           // of the first keeper
  std::uint64_t engines = 0;  // started so far
  bool operator==(const LockOwner&) const = default;
};
[[nodiscard]] std::string to_text(const LockOwner& owner);
[[nodiscard]] std::optional<LockOwner> parse_lock_owner(std::string_view text);

// Makes the runtime directory (0755 for root, else 0700) and checks that nobody else can write to it.
[[nodiscard]] Result<> make_runtime_directory(const Directories& directories, std::uint32_t uid);

// Opens the lock file and tries to lock it. taken: by somebody else, whom `owner` names as far as the file
// says so.
struct LockAttempt {
  UniqueFd fd;
  bool taken = false;
  LockOwner owner;
};
[[nodiscard]] Result<LockAttempt> try_lock(const Directories& directories);
// The same for the state directory: daemons with runtime directories of their own (one of them was removed
// when its user logged out, say) may share it. taken: by one of those. No error and no descriptor: there can
// be no lock here, on a read-only file system or one without locks.
[[nodiscard]] LockAttempt try_state_lock(const Directories& directories);
// For a daemon that may live in several places: the first of them that can be written to. `follows`: another
// engine served under this keeper, and it is that one's place that is looked for. Error: what is wrong with
// the first; device_or_resource_busy: another daemon lives there.
struct PlaceSeeker {
  std::uint32_t uid = 0;
  std::int64_t keeper = 0;
  bool follows = false;
};
struct Place {
  Directories directories;
  LockAttempt lock;
};
[[nodiscard]] Result<Place> find_place(std::span<const Directories> candidates, const PlaceSeeker& who);
// Writes `owner` into the lock file. Only for who holds the lock.
Result<> write_lock_owner(int lock, const LockOwner& owner);
[[nodiscard]] LockOwner read_lock_owner(int lock);

inline constexpr const char* bus_name =
    "bus";  // that the keeper holds the socket by, and svd.socket calls it
// Whether `fd` is a listening socket at the bus path, and root or we listen there: who started us may have
// passed another one by that name, and who has a mount namespace of their own can bind any path.
[[nodiscard]] bool is_bus_socket(int fd, const Directories& directories);
// A listening socket at the bus path: 0660 and of group svd when we are root and there is one, else 0600.
// Replaces what is there, so only for who holds the lock.
[[nodiscard]] Result<UniqueFd> listen_on_bus(const Directories& directories,
                                             std::optional<std::uint32_t> group);

}  // namespace svd
