// SPDX-License-Identifier: Apache-2.0
#include "kernel/log_drivers.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "files/io.h"
#include "files/log_layout.h"
#include "files/trusted_path.h"

namespace svd {
namespace {

Result<UniqueFd> connect_stream(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path)
    return fail(std::errc::filename_too_long, "cannot connect to journald at '" + socket + "'");
  std::memcpy(address.sun_path, socket.data(), socket.size());
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) return fail_errno(errno, "cannot connect to journald");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(errno, "cannot connect to journald at '" + socket + "'");
  return fd;
}

}  // namespace

Result<UniqueFd> open_journal_stream(const std::string& socket, std::string_view identifier) {
  SVD_TRY(auto fd, connect_stream(socket));
  // Identifier, unit (left to journald: see logs.h), priority 6, "<N>" prefixes are understood, no
  // forwarding.
  const auto header = std::string{identifier} + "\n\n6\n1\n0\n0\n0\n";
  SVD_CHECK(write_all(fd.get(), header));  // fits into the buffer of a socket that is empty
  ::shutdown(fd.get(), SHUT_RD);
  const int buffer =
      8 << 20;  // what sd_journal_stream_fd(3) takes; an app may write a burst that journald is yet to read
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) != 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  // The app expects a blocking descriptor: with a full buffer it should wait, not lose lines.
  if (::fcntl(fd.get(), F_SETFL, 0) != 0) return fail_errno(errno, "cannot set up a stream to journald");
  return fd;
}

bool journal_runs(const std::string& socket) { return connect_stream(socket).has_value(); }

bool can_cut_files(const std::string& directory) {
  const UniqueFd place{open_trusted_directory(directory)};
  if (!place) return true;
  UniqueFd fd{::openat(place.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!fd) {
    const auto name = ".svd-probe-" + std::to_string(::getpid());
    fd.reset(::openat(place.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (fd) ::unlinkat(place.get(), name.c_str(), 0);
  }
  // What cannot be tried here is left to fail, with its reason, where it is needed.
  if (!fd) return true;
  constexpr std::size_t block = 64U << 10;  // a multiple of any file system's block
  if (!write_all(fd.get(), std::string(2 * block, '.'))) return true;
  return ::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, block) == 0 &&
         first_data(fd.get()) == block;
}

namespace {

class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  void put(int fd, int as) {
    if (fd < 0)
      ::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", O_RDWR, 0);
    else
      ::posix_spawn_file_actions_adddup2(&actions_, fd, as);
  }
  [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

Result<int> spawn_helper(const Helper& helper) {
  SpawnSettings settings;
  settings.put(helper.input, STDIN_FILENO);
  settings.put(-1, STDOUT_FILENO);
  settings.put(helper.errors, STDERR_FILENO);
  std::vector<char*> argv;
  for (const auto& word : helper.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::array<char*, 1> environment{nullptr};
  pid_t pid = 0;
  const int err = ::posix_spawn(&pid, argv.front(), settings.actions(), settings.attributes(), argv.data(),
                                environment.data());
  if (err != 0) return fail_errno(err, "cannot start '" + helper.argv.front() + "'");
  return pid;
}

}  // namespace svd
