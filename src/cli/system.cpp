// SPDX-License-Identifier: Apache-2.0
#include "cli/system.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

#include "base/unique_fd.h"
#include "cli/dbus_client.h"
#include "cli/launcher.h"
#include "cli/machine.h"
#include "files/own_directory.h"
#include "files/trusted_path.h"
#include "model/directories.h"

namespace svd::cli {
namespace {

std::optional<std::string> environment(const std::string& name) {
  const char* value = ::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

// All of it, whatever write(2) takes at once. A reader that has gone ends us by SIGPIPE, as it should.
void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EAGAIN) {
      pollfd polled{fd, POLLOUT, 0};
      ::poll(&polled, 1, -1);
    } else if (written < 0 && errno != EINTR) {
      return;
    }
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

WallTime wall_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return {std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000};
}

// Standard input, or what a shell makes of "<(…)".
Result<std::string> read_stream(int fd, const std::string& path, std::size_t limit) {
  std::string text;
  std::array<char, 65536> buffer{};
  while (text.size() <= limit) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "cannot read '" + path + "'");
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return fail(std::errc::file_too_large,
              "cannot read '" + path + "': more than " + std::to_string(limit) + " bytes");
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  if (path == "-") return read_stream(STDIN_FILENO, path, limit);
  auto named = read_chosen_file(path, limit);
  if (named || named.error().code != std::errc::invalid_argument) return named;
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
  struct stat about {};
  if (!file || ::fstat(file.get(), &about) < 0) return fail_errno(errno, "cannot read '" + path + "'");
  if (S_ISREG(about.st_mode)) return read_chosen_file(path, limit);  // it became one meanwhile
  return read_stream(file.get(), path, limit);
}

std::uint32_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&set)));
}

// The handler only counts: what to do about it is the verb's affair.
int interrupt_event = -1;
int interrupts_seen = 0;
constexpr int most_interrupts = 3;

void on_interrupt(int number) {
  const int saved = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(interrupt_event, &one, sizeof one);
  if (++interrupts_seen >= most_interrupts) ::_exit(128 + number);
  errno = saved;
}

int interrupts() {
  if (interrupt_event >= 0) {
    std::uint64_t forgotten = 0;
    [[maybe_unused]] const auto got = ::read(interrupt_event, &forgotten, sizeof forgotten);
    return interrupt_event;
  }
  interrupt_event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action {};
  action.sa_handler = &on_interrupt;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
  return interrupt_event;
}

// An epoll(7) of standard output that asks for no event at all: hangup and error come unasked. A write would
// tell, too, but who follows something quiet writes nothing.
int reader_gone() {
  static const UniqueFd watch = [] {
    UniqueFd made{::epoll_create1(EPOLL_CLOEXEC)};
    epoll_event none{};
    const bool can_go = made && ::epoll_ctl(made.get(), EPOLL_CTL_ADD, STDOUT_FILENO, &none) == 0;
    return can_go ? std::move(made) : UniqueFd{};
  }();
  return watch.get();
}

bool wait_for_exit(std::uint64_t pid, SteadyTime until) {
  const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0))};
  if (!process) return errno == ESRCH;
  pollfd polled{process.get(), POLLIN, 0};
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    const int ready = ::poll(&polled, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// A forked copy of svctl. It leaves Ctrl-C to its parent, and ends when told through an eventfd (not by the
// end of a pipe: a later helper would inherit the pipe's other end) or with its parent.
class ForkedHelper final : public Helper {
 public:
  ForkedHelper(pid_t pid, UniqueFd stop)
      : pid_{pid}, stop_{std::move(stop)}, ended_{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))} {}
  ~ForkedHelper() override {
    const std::uint64_t one = 1;
    if (::write(stop_.get(), &one, sizeof one) < 0) ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  ForkedHelper(const ForkedHelper&) = delete;
  ForkedHelper& operator=(const ForkedHelper&) = delete;
  [[nodiscard]] int ended() const override { return ended_.get(); }

 private:
  pid_t pid_;
  UniqueFd stop_;
  UniqueFd ended_;
};

Result<std::unique_ptr<Helper>> in_background(const std::function<void(int stop)>& body) {
  UniqueFd stop{::eventfd(0, EFD_CLOEXEC)};
  if (!stop) return fail_errno(errno, "cannot start a helper");
  const auto parent = ::getpid();
  const auto pid = ::fork();
  if (pid < 0) return fail_errno(errno, "cannot start a helper");
  if (pid == 0) {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_IGN);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    body(stop.get());
    ::_exit(0);
  }
  return std::unique_ptr<Helper>{std::make_unique<ForkedHelper>(pid, std::move(stop))};
}

Result<int> run_program(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));  // execve(2) does not write
  words.push_back(nullptr);
  pid_t pid = 0;
  if (const int err = ::posix_spawnp(&pid, words[0], nullptr, nullptr, words.data(), environ); err != 0)
    return fail_errno(err, "cannot run '" + argv.front() + "'");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string user_name() {
  const auto* const user = ::getpwuid(::getuid());
  return user == nullptr ? "" : user->pw_name;
}

std::string own_prefix() {
  std::array<char, 4096> path{};
  const auto size = ::readlink("/proc/self/exe", path.data(), path.size());
  std::string program{path.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  for (int up = 0; up < 2; ++up) program.resize(std::min(program.rfind('/'), program.size()));
  return program;
}

std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

System real_system() {
  System system;
  system.environment = &environment;
  system.uid = ::getuid();
  system.user_name = &user_name;
  system.cpus = usable_cpus();
  std::array<char, 4096> directory{};
  system.directory = ::getcwd(directory.data(), directory.size()) == nullptr ? "/" : directory.data();
  system.out = [](std::string_view text) { write_all(STDOUT_FILENO, text); };
  system.err = [](std::string_view text) { write_all(STDERR_FILENO, text); };
  system.now = &wall_now;
  system.steady = [] { return std::chrono::steady_clock::now(); };
  system.read_file = &read_file;
  system.read_named_file = &read_chosen_file;
  system.exists = [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; };
  system.is_regular = [](const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  };
  for (auto& fallback : fallback_directories(system.uid, mount_namespace()))
    if (check_own_directory_among_others(fallback.runtime, system.uid))
      system.fallbacks.push_back(std::move(fallback));
  system.connect = &connect_dbus;
  system.start_daemon = &start_daemon;
  system.await_daemon = &await_daemon;
  system.run_daemon = &run_daemon;
  system.wait_for_exit = &wait_for_exit;
  system.interrupts = &interrupts;
  system.reader_gone = &reader_gone;
  system.doubts = &doubts_about;
  system.daemons_here = &daemons_here;
  system.read_logs = &read_logs;
  system.journal_trust = &find_journal_trust;
  system.in_background = &in_background;
  system.prefix = own_prefix();
  system.run = &run_program;
  return system;
}

}  // namespace

Context real_context() {
  Context context{real_system()};
  context.is_terminal = ::isatty(STDOUT_FILENO) == 1;
  const auto terminal = environment("TERM");
  const auto no_colour = environment("NO_COLOR");  // https://no-color.org: any value but the empty one
  context.style.colour = context.is_terminal && terminal != "dumb" && (!no_colour || no_colour->empty());
  context.style.columns = context.is_terminal ? terminal_columns() : 0;
  return context;
}

}  // namespace svd::cli
