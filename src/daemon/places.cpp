// SPDX-License-Identifier: Apache-2.0
#include "daemon/places.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "files/io.h"
#include "files/own_directory.h"
#include "files/trusted_path.h"

namespace svd {
namespace {

constexpr int backlog = 1024;  // clients that come while the engine is being replaced wait here

template <class Number>
std::optional<Number> take_number(std::string_view& text) {
  Number number{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  if (!text.empty()) text.remove_prefix(1);  // the blank or the line's end
  return number;
}

Result<> bind_to(int socket, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail_errno(ENAMETOOLONG, "cannot listen on '" + path + "'");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const mode_t before = ::umask(0177);  // nobody else can connect before owner and mode are right
  const int bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int err = errno;
  ::umask(before);
  if (bound < 0) return fail_errno(err, "cannot listen on '" + path + "'");
  return {};
}

}  // namespace

std::string to_text(const LockOwner& owner) {
  return std::to_string(owner.keeper_pid) + " " + std::to_string(owner.started.micros) + " " +
         std::to_string(owner.engines) + "\n";
}

std::optional<LockOwner> parse_lock_owner(std::string_view text) {
  const auto pid = take_number<std::int64_t>(text);
  const auto started = take_number<std::int64_t>(text);
  const auto engines = take_number<std::uint64_t>(text);
  if (!pid || !started || !engines || *pid <= 0) return std::nullopt;
  return LockOwner{*pid, {*started}, *engines};
}

Result<> make_runtime_directory(const Directories& directories, std::uint32_t uid) {
  SVD_CHECK(make_directories(directories.runtime, uid == 0 ? 0755 : 0700));
  SVD_TRY([[maybe_unused]] const auto way, open_unshared_directory(directories.runtime));
  return directories.shared ? check_own_directory_among_others(directories.runtime, uid)
                            : check_own_directory(directories.runtime, uid);
}

namespace {

Result<LockAttempt> try_lock_file(const std::string& path) {
  LockAttempt attempt;
  attempt.fd = UniqueFd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!attempt.fd) return fail_errno(errno, "cannot open the lock file '" + path + "'");
  if (::flock(attempt.fd.get(), LOCK_EX | LOCK_NB) == 0) return attempt;
  if (errno != EWOULDBLOCK) return fail_errno(errno, "cannot lock '" + path + "'");
  attempt.taken = true;
  attempt.owner = read_lock_owner(attempt.fd.get());
  return attempt;
}

}  // namespace

Result<LockAttempt> try_lock(const Directories& directories) {
  return try_lock_file(directories.runtime + "/lock");
}

LockAttempt try_state_lock(const Directories& directories) {
  if (!make_directories(directories.state, 0700)) return {};
  auto attempt = try_lock_file(directories.state + "/lock");
  return attempt ? std::move(*attempt) : LockAttempt{};
}

Result<> write_lock_owner(int lock, const LockOwner& owner) {
  const auto text = to_text(owner);
  // Over the old text first, then to length: a reader in between sees a pid, not an empty file.
  if (::pwrite(lock, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ::ftruncate(lock, static_cast<off_t>(text.size())) < 0)
    return fail_errno(errno, "cannot write the lock file");
  return {};
}

LockOwner read_lock_owner(int lock) {
  std::array<char, 64> buffer{};
  const auto got = ::pread(lock, buffer.data(), buffer.size(), 0);
  if (got <= 0) return {};
  return parse_lock_owner({buffer.data(), static_cast<std::size_t>(got)}).value_or(LockOwner{});
}

namespace {

// That of our keeper, or of one before it that has died and was replaced.
bool is_ours(const LockAttempt& lock, const PlaceSeeker& who) {
  const auto owner = static_cast<pid_t>(lock.owner.keeper_pid);
  return lock.taken &&
         (owner == who.keeper || (who.follows && owner > 0 && ::kill(owner, 0) < 0 && errno == ESRCH));
}

Result<Place> try_place(const Directories& directories, const PlaceSeeker& who) {
  // Who follows another engine takes the place that this one had, even if a better one can be written to by
  // now.
  if (who.follows && ::access((directories.runtime + "/lock").c_str(), F_OK) < 0)
    return fail_errno(errno, "cannot find the lock file in '" + directories.runtime + "'");
  SVD_CHECK(make_runtime_directory(directories, who.uid));
  SVD_TRY(auto lock, try_lock(directories));
  if (is_ours(lock, who) || (!lock.taken && !who.follows)) return Place{directories, std::move(lock)};
  if (lock.taken)
    return fail(std::errc::device_or_resource_busy,
                "already running (pid " + std::to_string(lock.owner.keeper_pid) + ")");
  return fail(std::errc::no_such_file_or_directory, "nobody has locked '" + directories.runtime + "'");
}

}  // namespace

Result<Place> find_place(std::span<const Directories> candidates, const PlaceSeeker& who) {
  auto place = try_place(candidates.front(), who);
  if (!who.follows && !place && place.error().code == std::errc::device_or_resource_busy) return place;
  for (const auto& directories : candidates.subspan(1)) {
    if (place) break;
    if (auto next = try_place(directories, who)) place = std::move(next);
  }
  return place;
}

namespace {

int option_of(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// As the kernel noted it at listen(2).
bool is_trusted_listener(int fd) {
  ucred who{};
  socklen_t size = sizeof who;
  return option_of(fd, SO_TYPE) == SOCK_STREAM && option_of(fd, SO_ACCEPTCONN) == 1 &&
         ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
         (who.uid == 0 || who.uid == ::geteuid());
}

}  // namespace

bool is_bus_socket(int fd, const Directories& directories) {
  sockaddr_un address{};
  socklen_t size = sizeof address - 1;  // so that the path is terminated
  struct stat status {};
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         address.sun_family == AF_UNIX && directories.socket() == address.sun_path &&
         is_trusted_listener(fd) &&
         ::stat(address.sun_path, &status) == 0;  // without its name it is of no use to anybody
}

Result<UniqueFd> listen_on_bus(const Directories& directories, std::optional<std::uint32_t> group) {
  const auto path = directories.socket();
  UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) return fail_errno(errno, "cannot make the bus socket");
  if (::unlink(path.c_str()) < 0 && errno != ENOENT)
    return fail_errno(errno, "cannot replace '" + path + "'");
  SVD_CHECK(bind_to(socket.get(), path));
  if (group && (::chown(path.c_str(), static_cast<uid_t>(-1), *group) < 0 || ::chmod(path.c_str(), 0660) < 0))
    return fail_errno(errno, "cannot give '" + path + "' to the group svd");
  if (::listen(socket.get(), backlog) < 0) return fail_errno(errno, "cannot listen on '" + path + "'");
  return socket;
}

}  // namespace svd
