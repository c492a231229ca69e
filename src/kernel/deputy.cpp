// SPDX-License-Identifier: Apache-2.0
#include "kernel/deputy.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace svd {
namespace {

constexpr int answer_fd = 3;

void send_report(int socket, const Deputy::Report& report) {
  iovec part{const_cast<int*>(&report.err), sizeof report.err};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  if (const int fd = report.fd.get(); fd >= 0) {
    head.msg_control = control.data();
    head.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  ::sendmsg(socket, &head, MSG_NOSIGNAL);
}

Deputy::Report read_report(int socket) {
  Deputy::Report report{ETIMEDOUT, {}};
  iovec part{&report.err, sizeof report.err};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control.data();
  head.msg_controllen = control.size();
  if (::recvmsg(socket, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof report.err) return report;
  const cmsghdr* const rights = CMSG_FIRSTHDR(&head);
  if (rights == nullptr || rights->cmsg_type != SCM_RIGHTS) return report;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  report.fd.reset(fd);
  return report;
}

// Nothing of the engine's is left open in it, and nothing that it begot outlives it.
[[noreturn]] void serve(int answer, const Given& given, const Deputy::Task& task) noexcept {
  if (answer != answer_fd && ::dup2(answer, answer_fd) < 0) ::_exit(1);
  ::syscall(SYS_close_range, answer_fd + 1, ~0U, 0);
  Deputy::Report report{become(given), {}};
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // a change of user resets it
  if (report.err == 0) report = task();
  send_report(answer_fd, report);
  ::_exit(0);
}

}  // namespace

Result<> Deputy::start(const Loop& loop, const Given& given, const Task& task, Done done) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) < 0)
    return fail_errno(errno, "cannot ask a child");
  answer_.reset(pair[0]);
  const UniqueFd theirs{pair[1]};
  done_ = std::move(done);
  SVD_CHECK(timer_.arm(loop, Priority::exit, [this] { ::kill(pid_, SIGKILL); }));
  const int pid = ::fork();
  if (pid == 0) serve(theirs.get(), given, task);
  if (pid < 0) return fail_errno(errno, "cannot make a child");
  pid_ = pid;
  child_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  auto watched = child_ ? timer_.set(Loop::now().mono + deadline) : fail_errno(errno, "cannot watch a child");
  if (watched)
    watched = watch_.arm(loop, child_.get(), EPOLLIN, Priority::cgroup, [this](std::uint32_t) { ended(); });
  if (watched) return {};
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  return watched;
}

void Deputy::ended() {
  watch_.disarm();
  (void)timer_.set(std::nullopt);
  ::waitpid(pid_, nullptr, 0);
  auto report = read_report(answer_.get());
  const auto done = std::move(done_);
  done(std::move(report));
}

}  // namespace svd
