// SPDX-License-Identifier: Apache-2.0
#include "cli/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/unique_fd.h"
#include "cli/daemon_seen.h"
#include "cli/peer.h"
#include "cli/temporary_home.h"
#include "files/trusted_path.h"

namespace svd::cli {
namespace {

constexpr std::string_view ready_word = "ready\n";

Result<> make_directories(const std::string& path) {
  std::error_code error;
  const auto old_mask = ::umask(077);
  std::filesystem::create_directories(path, error);
  ::umask(old_mask);
  if (error)
    return fail(static_cast<std::errc>(error.value()),
                "cannot make the directory '" + path + "': " + error.message());
  return {};
}

Result<std::string> daemon_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error)
    return fail(static_cast<std::errc>(error.value()),
                "cannot find svd: reading /proc/self/exe: " + error.message());
  auto program = (self.parent_path() / "svd").string();
  if (::access(program.c_str(), X_OK) != 0)
    return fail_errno(errno, "cannot start the daemon '" + program + "'");
  return program;
}

bool somebody_listens(const Directories& directories) {
  const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = directories.socket();
  if (!fd || path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  return Pipe{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

struct Launch {
  std::string program{};
  const char* mode = "";  // --daemonize or --foreground
  int ready = -1;         // what --ready-fd names in the child
  int errors = -1;        // its standard error; -1: ours
  bool dies_with_us = false;
  const TemporaryHome* temporary = nullptr;  // its SVD_HOME, which is told whose it is; null: as ours
};

// Between fork and exec of a process without threads: anything goes, but little is needed.
[[noreturn]] void become_daemon(const Launch& launch, pid_t parent) {
  ::setsid();
  if (launch.dies_with_us) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);  // svctl died before the line above
  }
  // These are about us, should a service manager have started svctl.
  for (const char* name :
       {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
    ::unsetenv(name);
  if (launch.temporary != nullptr) ::setenv("SVD_HOME", launch.temporary->path().c_str(), 1);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  if (launch.errors >= 0) ::dup2(launch.errors, STDERR_FILENO);
  ::fcntl(launch.ready, F_SETFD, 0);
  const auto ready = std::to_string(launch.ready);
  ::execl(launch.program.c_str(), "svd", launch.mode, "--ready-fd", ready.c_str(),
          static_cast<char*>(nullptr));
  const auto text = "cannot execute '" + launch.program + "': " + errno_text(errno) + "\n";
  [[maybe_unused]] const auto written = ::write(launch.ready, text.data(), text.size());
  ::_exit(127);
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.ends_with(ready_word)) return text;
  }
}

// Forks, and waits for the daemon's word. Its pid, or its own sentence about why it does not serve.
Result<pid_t> launch_daemon(Launch launch, const std::string& log_file) {
  SVD_TRY(auto ready, make_pipe());
  launch.ready = ready.write.get();
  const auto parent = ::getpid();
  const auto child = ::fork();
  if (child < 0) return fail_errno(errno, "cannot start the daemon");
  if (child == 0) become_daemon(launch, parent);
  if (launch.temporary != nullptr) launch.temporary->belongs_to(child);
  ready.write.reset();
  auto said = read_all(ready.read.get());
  if (said.ends_with(ready_word)) return child;
  ::waitpid(child, nullptr, WNOHANG);
  while (said.ends_with('\n')) said.pop_back();
  if (said.empty()) said = "the daemon ended before it was ready; see " + log_file;
  return fail(std::errc::io_error, "cannot start the daemon: " + said);
}

class ChildDaemon final : public OwnDaemon {
 public:
  ChildDaemon(Directories directories, TemporaryHome temporary)
      : directories_{std::move(directories)}, temporary_{std::move(temporary)} {}
  ~ChildDaemon() override {
    if (pid_ > 0) ::kill(pid_, SIGTERM);  // ends everything in order
    wait();
  }
  ChildDaemon(const ChildDaemon&) = delete;
  ChildDaemon& operator=(const ChildDaemon&) = delete;

  Result<> start(const std::string& program) {
    SVD_CHECK(make_directories(directories_.log));
    const auto log_file = directories_.log + "/svd.log";
    const auto opened = open_trusted_log(log_file);
    const int log = opened ? opened->get() : -1;
    SVD_TRY(pid_, launch_daemon({.program = program,
                                 .mode = "--foreground",
                                 .errors = log,
                                 .dies_with_us = true,
                                 .temporary = &temporary_},
                                log_file));
    ended_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!ended_) return fail_errno(errno, "cannot watch the daemon");
    return {};
  }

  [[nodiscard]] const Directories& directories() const override { return directories_; }
  [[nodiscard]] int ended() const override { return ended_.get(); }
  void wait() override {
    while (pid_ > 0 && ::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
  }

 private:
  Directories directories_;
  TemporaryHome temporary_;
  pid_t pid_ = 0;
  UniqueFd ended_;
};

// A daemon runs what its state directory says, as us: nobody else may have a say there.
Result<> check_places(const Directories& directories) {
  for (const auto& path : {directories.runtime, directories.state, directories.log})
    if (const auto good = check_place(path, ::geteuid()); !good)
      return fail(good.error().code, "cannot start a daemon in '" + path + "': " + good.error().text);
  return {};
}

std::optional<std::string> environment(const std::string& name) {
  const char* value = ::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

}  // namespace

std::optional<std::int64_t> await_daemon(const Directories& directories) {
  constexpr int looks = 60;
  constexpr int pause_ms = 50;
  std::optional<DaemonSeen> seen;
  for (int i = 0; i < looks; ++i) {
    seen = daemon_by_lock(directories.runtime + "/lock");
    if (!seen) seen = daemon_by_lock(directories.state + "/lock");
    if (!seen) return std::nullopt;
    if (somebody_listens(directories)) return 0;
    ::poll(nullptr, 0, pause_ms);  // pace: there is no event to wait for, the directory itself may be missing
  }
  return seen->keeper;
}

Result<> start_daemon(const Directories& directories) {
  SVD_CHECK(check_places(directories));
  SVD_CHECK(make_directories(directories.runtime));
  const auto path = directories.runtime + "/start.lock";
  const UniqueFd lock{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!lock) return fail_errno(errno, "cannot open '" + path + "'");
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_errno(errno, "cannot lock '" + path + "'");
  if (somebody_listens(directories)) return {};  // another svctl was faster
  SVD_TRY(auto program, daemon_program());
  SVD_TRY(
      [[maybe_unused]] const auto pid,
      launch_daemon({.program = std::move(program), .mode = "--daemonize"}, directories.log + "/svd.log"));
  return {};
}

Result<std::unique_ptr<OwnDaemon>> run_daemon() {
  SVD_TRY(const auto program, daemon_program());
  SVD_TRY(auto temporary, TemporaryHome::make(environment("TMPDIR").value_or("/tmp")));
  const auto home = temporary.path();
  const auto with_home = [&](const std::string& name) {
    return name == "SVD_HOME" ? std::optional{home} : environment(name);
  };
  SVD_TRY(const auto directories,
          find_directories(with_home, ::getuid(), [](const std::string&) { return false; }));
  auto daemon = std::make_unique<ChildDaemon>(directories, std::move(temporary));
  SVD_CHECK(daemon->start(program));
  return std::unique_ptr<OwnDaemon>{std::move(daemon)};
}

}  // namespace svd::cli
