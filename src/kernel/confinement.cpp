// SPDX-License-Identifier: Apache-2.0
#include "kernel/confinement.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "kernel/syscall_filter.h"

namespace svd {
namespace {

// Files, sockets and processes of other users; the identity of an app to open files with (kernel/open_as.h),
// and its capabilities, which the child that does it takes on. SYS_NICE, since giving a
// cpuset to a cgroup that has processes counts as setting their scheduler (cpuset_can_attach() in the
// kernel).
constexpr std::array kept{CAP_CHOWN,        CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,  CAP_FOWNER,
                          CAP_FSETID,       CAP_KILL,         CAP_SETGID,           CAP_SETUID,
                          CAP_SETPCAP,      CAP_NET_ADMIN,    CAP_NET_BIND_SERVICE, CAP_SYS_PTRACE,
                          CAP_SYS_RESOURCE, CAP_SYS_ADMIN,    CAP_SYS_NICE};

Result<> drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) < 0) return fail_errno(errno, "cannot read capabilities");
  std::array<std::uint32_t, 2> mask{};
  for (const auto one : kept)
    mask.at(static_cast<unsigned>(one) / 32) |= 1U << (static_cast<unsigned>(one) % 32);
  for (std::size_t i = 0; i < data.size(); ++i) {
    data.at(i).permitted &= mask.at(i);
    data.at(i).effective &= mask.at(i);
    data.at(i).inheritable = 0;
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0,
          0);  // EINVAL before Linux 4.3, where there are none
  if (::syscall(SYS_capset, &header, data.data()) < 0) return fail_errno(errno, "cannot drop capabilities");
  return {};
}

Result<> filter_calls() {
  SVD_TRY(auto program, syscall_filter(engine_calls(), Otherwise::unknown));
  const sock_fprog rules{static_cast<unsigned short>(program.size() / sizeof(sock_filter)),
                         reinterpret_cast<sock_filter*>(program.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &rules) < 0)
    return fail_errno(errno, "cannot filter system calls");
  return {};
}

}  // namespace

bool may_be_confined(bool has_service_manager, long keeper_pid) {
  return has_service_manager || keeper_pid == 1;
}

std::vector<std::string> engine_calls() {
  return {"@basic-io",
          "@chown",
          "@file-system",
          "@io-event",
          "@network-io",
          "@signal",
          "@sync",
          "@timer",
          "@setuid",
          "capget",
          "capset",
          "clone",
          "clone3",
          "copy_file_range",
          "fadvise64",
          "flock",
          "fork",
          "getcpu",
          "getpriority",
          "getrusage",
          "ioctl",
          "kcmp",
          "kill",
          "madvise",
          "memfd_create",
          "mremap",
          "pidfd_open",
          "pidfd_send_signal",
          "pipe",
          "pipe2",
          "prctl",
          "sched_getattr",
          "sched_getparam",
          "sched_getscheduler",
          "sched_setaffinity",
          "seccomp",
          "sendfile",
          "setfsgid",
          "setfsuid",
          "setpgid",
          "setpriority",
          "setrlimit",
          "setsid",
          "splice",
          "sysinfo",
          "tee",
          "tgkill",
          "times",
          "umask",
          "uname",
          "vfork",
          "wait4",
          "waitid"};
}

Result<> confine() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail_errno(errno, "cannot give up new privileges");
  SVD_CHECK(drop_capabilities());
  return filter_calls();
}

}  // namespace svd
