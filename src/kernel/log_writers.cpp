// SPDX-License-Identifier: Apache-2.0
#include "kernel/log_writers.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "kernel/log_drivers.h"

namespace svd {
namespace {

constexpr int pipe_bytes =
    1 << 20;  // what an unprivileged process may have (pipe(7)); a smaller one is as correct
constexpr Millis restart_after{1000};
constexpr Millis farewell{500};  // for writers to finish at our end

}  // namespace

LogWriters::LogWriters(const Loop& loop, std::string tool, std::function<void()> changed)
    : loop_{loop}, tool_{std::move(tool)}, changed_{std::move(changed)} {}

Result<> LogWriters::arm() {
  return timer_.arm(loop_, Priority::client, [this] { retry(); });
}

// With all apps gone the writers see the end of their input now. A container ends with us: give them a
// moment.
LogWriters::~LogWriters() {
  std::vector<int> left;
  for (auto& [path, writer] : writers_) {
    if (writer.pid > 0) left.push_back(writer.pid);
    writer.watch.reset();
    writer.read_end.reset();
    writer.write_end.reset();
  }
  const timespec pause{0, 5'000'000};
  for (auto waited = Millis{0}; !left.empty() && waited < farewell; waited += Millis{5}) {
    std::erase_if(left, [](int pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
    if (!left.empty()) ::nanosleep(&pause, nullptr);
  }
}

Result<UniqueFd> LogWriters::open(const std::string& log, const std::vector<std::string>& arguments) {
  auto& writer = writers_[log];
  if (writer.write_end && writer.arguments != arguments) {
    close(log);
    return open(log, arguments);
  }
  if (!writer.write_end) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      return fail_errno(errno, "cannot make a pipe for the log '" + log + "'");
    writer.log = log;
    writer.arguments = arguments;
    writer.read_end.reset(ends[0]);
    writer.write_end.reset(ends[1]);
    static_cast<void>(::fcntl(ends[1], F_SETPIPE_SZ, pipe_bytes));
  }
  if (writer.pid == 0) SVD_CHECK(start(writer));
  UniqueFd mine{::fcntl(writer.write_end.get(), F_DUPFD_CLOEXEC, 3)};
  if (!mine) return fail_errno(errno, "cannot duplicate the pipe of the log '" + log + "'");
  return mine;
}

void LogWriters::close(const std::string& log) {
  const auto found = writers_.find(log);
  if (found == writers_.end()) return;
  if (found->second.watch) leaving_[found->second.pid] = std::move(found->second.watch);
  writers_.erase(found);
}

Result<> LogWriters::start(Writer& writer) {
  std::vector<std::string> argv{tool_};
  argv.insert(argv.end(), writer.arguments.begin(), writer.arguments.end());
  SVD_TRY(writer.pid, spawn_helper({argv, writer.read_end.get(), STDERR_FILENO}));
  writer.started = Loop::now().mono;
  writer.watch = std::make_unique<ChildWatch>();
  return writer.watch->arm(
      loop_, writer.pid, [this, log = writer.log, pid = writer.pid](int status) { ended(log, pid, status); });
}

void LogWriters::ended(const std::string& log, int pid, int status) {
  if (const auto left = leaving_.find(pid); left != leaving_.end()) {
    last_watch_ = std::move(left->second);
    leaving_.erase(left);
    return;
  }
  const auto found = writers_.find(log);
  if (found == writers_.end() || found->second.pid != pid) return;
  auto& writer = found->second;
  last_watch_ = std::move(writer.watch);
  writer.pid = 0;
  writer.problem =
      "the writer of the log '" + log + "' ended (" +
      (status < 0 ? "signal " + std::to_string(-status) : "exit code " + std::to_string(status)) +
      ") and is started again";
  changed_();
  if (Loop::now().mono - writer.started >= restart_after && start(writer)) return;
  static_cast<void>(timer_.set(Loop::now().mono + restart_after));
}

void LogWriters::retry() {
  bool again = false;
  for (auto& [path, writer] : writers_)
    if (writer.pid == 0 && !start(writer)) again = true;
  if (again) static_cast<void>(timer_.set(Loop::now().mono + restart_after));
}

std::vector<std::string> LogWriters::degraded() const {
  std::vector<std::string> all;
  for (const auto& [path, writer] : writers_)
    if (writer.pid == 0) all.push_back(writer.problem);
  return all;
}

}  // namespace svd
