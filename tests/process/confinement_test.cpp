// SPDX-License-Identifier: Apache-2.0
// What the engine gives up: tried in a child, since it is for good.
#include "kernel/confinement.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "base/unique_fd.h"
#include "kernel/syscall_filter.h"
#include "support/catch.h"

using namespace svd;

namespace {

// The exit code of a confined child that runs `body`; 100: it could not be confined.
int confined(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(confine() ? body() : 100);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string field(const std::string& name) {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  return {};
}

int errno_of(long result) { return result < 0 ? errno : 0; }

}  // namespace

TEST_CASE("a confined engine can gain no privilege, and has those capabilities that it needs", "[kernel]") {
  CHECK(confined([] { return field("NoNewPrivs") == "1" && field("Seccomp") == "2" ? 0 : 1; }) == 0);
  if (::geteuid() != 0) return;  // there is nothing to lose
  CHECK(confined([] {
          const auto effective = std::stoull(field("CapEff"), nullptr, 16);
          for (const int gone : {CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_BOOT, CAP_SYS_TIME, CAP_MKNOD,
                                 CAP_SETFCAP, CAP_MAC_ADMIN, CAP_SYSLOG, CAP_NET_RAW, CAP_SYS_CHROOT})
            if ((effective >> static_cast<unsigned>(gone) & 1U) != 0) return 1;
          return std::stoull(field("CapInh"), nullptr, 16) == 0 &&
                         std::stoull(field("CapAmb"), nullptr, 16) == 0
                     ? 0
                     : 2;
        }) == 0);
}

TEST_CASE("what the engine never does fails as on a kernel without it, and ends nobody", "[kernel]") {
  const auto call = GENERATE(table<std::string, std::function<long()>>(
      {{"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
       {"mount", [] { return ::mount("none", "/nowhere", "tmpfs", 0, nullptr); }},
       {"umount2", [] { return ::umount2("/nowhere", 0); }},
       {"unshare", [] { return ::unshare(CLONE_NEWNS); }},
       {"setns", [] { return ::setns(0, 0); }},
       {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
       {"init_module", [] { return ::syscall(SYS_init_module, nullptr, 0, nullptr); }},
       {"kexec_load", [] { return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); }},
       {"perf_event_open", [] { return ::syscall(SYS_perf_event_open, nullptr, 0, 0, 0, 0); }},
       {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
       {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 0); }},
       {"keyctl", [] { return ::syscall(SYS_keyctl, 0, 0, 0, 0, 0); }},
       {"process_vm_writev", [] { return ::syscall(SYS_process_vm_writev, 1, nullptr, 0, nullptr, 0, 0); }},
       {"pidfd_getfd", [] { return ::syscall(SYS_pidfd_getfd, 0, 0, 0); }},
       {"reboot", [] { return ::syscall(SYS_reboot, 0, 0, 0, nullptr); }},
       {"pivot_root", [] { return ::syscall(SYS_pivot_root, nullptr, nullptr); }}}));
  CAPTURE(std::get<0>(call));
  CHECK(confined([&] { return errno_of(std::get<1>(call)()); }) == ENOSYS);
}

TEST_CASE("a confined engine still opens files, listens, and starts programs, which inherit it", "[kernel]") {
  CHECK(confined([] {
          const UniqueFd file{::open("/proc/self/status", O_RDONLY | O_CLOEXEC)};
          const UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
          return file && socket && ::listen(socket.get(), 1) == 0 ? 0 : 1;
        }) == 0);
  CHECK(confined([] {
          char shell[] = "/bin/sh", option[] = "-c",
               script[] = "grep -q 'NoNewPrivs:.1' /proc/self/status && : >/dev/null";
          char* words[] = {shell, option, script, nullptr};
          pid_t pid = 0;
          int status = 1;
          if (::posix_spawn(&pid, shell, nullptr, nullptr, words, environ) != 0) return 2;
          return ::waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
        }) == 0);
}

TEST_CASE("every name of the engine's list is a system call or a group of them", "[kernel]") {
  CHECK(syscall_filter(engine_calls(), Otherwise::unknown));
}

TEST_CASE("who may have to start another keeper keeps all rights", "[kernel]") {
  CHECK(may_be_confined(true, 4711));
  CHECK(may_be_confined(false, 1));
  CHECK_FALSE(may_be_confined(false, 4711));
}
