// SPDX-License-Identifier: Apache-2.0
#include "keeper/harden.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "walk/walk.h"

namespace svd::keeper {
namespace {

constexpr unsigned capabilities_end = 64;  // the kernel refuses those that it has not with EINVAL

int result(long r) { return r < 0 ? errno : 0; }

int make_mounts_private() {
  if (::unshare(CLONE_NEWNS) < 0) return errno;
  return result(::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr));
}

// What a step is done to, held from here on: an app's user may exchange what is on the way while we mount.
int hold(const char* path) {
  walk::Found found;
  return walk::open_path(path, walk::Want::object, walk::Links::trusted, found);
}

// A name that leads to what a descriptor holds, whatever its path leads to by now.
struct HeldName {
  char text[32] = "/proc/self/fd/";
  explicit HeldName(int fd) {
    char digits[12];
    char* at = digits + sizeof digits;
    *--at = '\0';
    for (auto left = static_cast<unsigned>(fd); left > 0; left /= 10)
      *--at = static_cast<char>('0' + left % 10);
    std::strcat(text, at);
  }
};

int mount_at(int target, const Launch& launch, const Step& step) {
  const HeldName name{target};
  const char* source = launch.text(step.a);
  // A tree over itself: found once, so that it cannot be one tree over another.
  if ((step.number & MS_BIND) != 0 && std::strcmp(source, launch.text(step.b)) == 0) source = name.text;
  return result(::mount(source, name.text, launch.text(step.c), step.number, launch.text(step.d)));
}

// mount_setattr(2) is Linux 5.12's; libc has its struct since 2.36.
int set_read_only_at(int target) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  return result(::syscall(SYS_mount_setattr, target, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
}

template <class Deed>
int at_held(const char* path, Deed deed) {
  const int target = hold(path);
  if (target < 0) return -target;
  const int err = deed(target);
  ::close(target);
  return err;
}

int put_file(const Launch& launch, const Step& step) {
  const int fd = ::open(launch.text(step.b), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
  if (fd < 0) return errno;
  const char* at = launch.text(step.a);
  std::uint32_t left = step.size;
  int err = 0;
  while (left > 0 && err == 0) {
    const auto written = ::write(fd, at, left);
    if (written <= 0) {
      err = written < 0 ? errno : ENOSPC;
      break;
    }
    at += written;
    left -= static_cast<std::uint32_t>(written);
  }
  if (err == 0) err = result(::fchown(fd, static_cast<uid_t>(step.number), static_cast<gid_t>(-1)));
  if (err == 0) err = result(::fchmod(fd, static_cast<mode_t>(step.extra)));
  ::close(fd);
  return err;
}

int bound_capabilities(std::uint64_t kept) {
  for (unsigned capability = 0; capability < capabilities_end; ++capability) {
    if ((kept >> capability & 1) != 0) continue;
    if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) <= 0) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return errno;
  }
  return 0;
}

// Permitted, effective and inheritable become `kept`, which an ambient set needs (capabilities(7)).
int make_ambient(std::uint64_t kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const auto low = static_cast<std::uint32_t>(kept), high = static_cast<std::uint32_t>(kept >> 32U);
  const __user_cap_data_struct data[2] = {{low, low, low}, {high, high, high}};
  if (::syscall(SYS_capset, &header, data) < 0) return errno;
  for (unsigned capability = 0; capability < capabilities_end; ++capability)
    if ((kept >> capability & 1) != 0 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
      return errno;
  return 0;
}

// What would outlive execve(2) beside the bounding set: inheritable, for root, and ambient, for others.
int keep_only(std::uint64_t kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) < 0) return errno;
  for (unsigned i = 0; i < 2; ++i) {
    const auto part = static_cast<std::uint32_t>(kept >> (32 * i));
    data[i] = {data[i].effective & part, data[i].permitted & part, 0};
  }
  return result(::syscall(SYS_capset, &header, data));  // which takes the ambient ones along
}

int set_filter(const char* bytes, std::uint32_t size) {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(size / sizeof(sock_filter));
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(bytes));  // the kernel only reads it
  return result(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

int set_scheduler(int policy, int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  return result(::syscall(SYS_sched_setscheduler, 0, policy, &parameters));
}

}  // namespace

int drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2]{};
  return result(::syscall(SYS_capset, &header, none));
}

int run_step(const Launch& launch, const Step& step) {
  switch (step.op) {
    case Op::private_mounts:
      return make_mounts_private();
    case Op::mount:
      return at_held(launch.text(step.b), [&](int target) { return mount_at(target, launch, step); });
    case Op::set_read_only:
      return at_held(launch.text(step.b), set_read_only_at);
    case Op::put_file:
      return put_file(launch, step);
    case Op::bounding:
      return bound_capabilities(step.number);
    case Op::keep_capabilities:
      return result(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    case Op::ambient:
      return make_ambient(step.number);
    case Op::keep_only:
      return keep_only(step.number);
    case Op::no_new_privileges:
      return result(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    case Op::scheduler:
      return set_scheduler(static_cast<int>(step.extra), static_cast<int>(step.number));
    case Op::filter:
      return set_filter(launch.text(step.a), step.size);
  }
  return EINVAL;
}

}  // namespace svd::keeper
