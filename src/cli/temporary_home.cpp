// SPDX-License-Identifier: Apache-2.0
#include "cli/temporary_home.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace svd::cli {
namespace {

constexpr pid_t all_done = -1;  // said in the place of a pid: the directory is removed already

void remove(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

// It has nothing of ours: whoever reads what we write waits for its last writer.
void let_go_of_everything(int but) {
  ::setsid();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::signal(number, SIG_IGN);
  const int null = ::open("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
  ::dup2(but, STDERR_FILENO + 1);
  ::syscall(SYS_close_range, STDERR_FILENO + 2, ~0U, 0U);
}

[[noreturn]] void keep_watch(const std::string& path, int line) {
  let_go_of_everything(line);
  int daemon = -1;
  pid_t said = 0;
  while (::read(STDERR_FILENO + 1, &said, sizeof said) == static_cast<ssize_t>(sizeof said)) {
    if (said == all_done) ::_exit(0);
    daemon = static_cast<int>(::syscall(SYS_pidfd_open, said, 0));
  }
  pollfd ended{daemon, POLLIN, 0};
  while (daemon >= 0 && ::poll(&ended, 1, -1) < 0 && errno == EINTR) continue;
  remove(path);
  ::_exit(0);
}

}  // namespace

TemporaryHome::TemporaryHome(std::string path, pid_t warden, UniqueFd line)
    : path_{std::move(path)}, warden_{warden}, line_{std::move(line)} {}

TemporaryHome::TemporaryHome(TemporaryHome&& other) noexcept
    : path_{std::exchange(other.path_, {})}, warden_{other.warden_}, line_{std::move(other.line_)} {}

TemporaryHome::~TemporaryHome() {
  if (path_.empty()) return;
  remove(path_);
  belongs_to(all_done);
  line_.reset();
  while (::waitpid(warden_, nullptr, 0) < 0 && errno == EINTR) continue;
}

Result<TemporaryHome> TemporaryHome::make(const std::string& parent) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  const UniqueFd theirs{ends[0]};
  UniqueFd ours{ends[1]};
  auto path = parent + "/svd-run-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return fail_errno(errno, "cannot make a temporary directory");
  const auto warden = ::fork();
  if (warden == 0) keep_watch(path, theirs.get());
  if (warden < 0) {
    const int err = errno;
    ::rmdir(path.c_str());
    return fail_errno(err, "cannot start a process that removes " + path + " at the end");
  }
  return TemporaryHome{std::move(path), warden, std::move(ours)};
}

void TemporaryHome::belongs_to(pid_t daemon) const {
  [[maybe_unused]] const auto told = ::write(line_.get(), &daemon, sizeof daemon);  // into an empty pipe
}

}  // namespace svd::cli
