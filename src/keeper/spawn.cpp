// SPDX-License-Identifier: Apache-2.0
#include "keeper/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "keeper/child.h"

#if defined(__x86_64__)
// libc has no wrapper for clone3(2), and a child with a stack of its own cannot return through one in C.
// long svd_clone3(clone_args*, size_t, int (*run)(void*), void* argument)
asm(R"(
  .text
  .hidden svd_clone3
  .globl svd_clone3
  .type svd_clone3, @function
svd_clone3:
  endbr64
  mov %rdx, %r8
  mov %rcx, %r9
  mov $435, %eax
  syscall
  test %rax, %rax
  jz 1f
  ret
1:
  xor %ebp, %ebp
  mov %r9, %rdi
  call *%r8
  ud2
  .size svd_clone3, . - svd_clone3
)");
extern "C" long svd_clone3(clone_args* arguments, std::size_t size, int (*run)(void*), void* argument);
#endif

namespace svd::keeper {
namespace {

// The child's: it needs some kilobytes, execve(2) in the kernel none of it.
alignas(64) char stack[32 * 1024];

// Sharing memory with a child spares the copying of page tables, and is safe only as long as nobody with less
// rights can get at the child (ptrace(2), /proc/PID/mem): that would be our memory. One that gives up no
// right is as safe as we are. One that becomes another user is closed to that user by the kernel
// (PR_SET_DUMPABLE), unless fs.suid_dumpable is 1. One that stays root and gives up capabilities is open to
// others like it.
bool may_share_memory(const Birth& birth) {
  const Spawn& spawn = *birth.launch->spawn;
  if (spawn.step_count > 0) return false;
  if ((spawn.given & (given_user | given_group | given_groups)) == 0) return true;
  return (spawn.given & given_user) != 0 && spawn.uid != 0 && birth.nursery->closes_others;
}

std::uint64_t flags_of(const Birth& birth) {
  return CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_VFORK | (may_share_memory(birth) ? CLONE_VM : 0);
}

#if defined(__x86_64__)
long clone_into(Birth& birth, int cgroup) {
  clone_args arguments{};
  arguments.flags = flags_of(birth) | CLONE_INTO_CGROUP;
  arguments.parent_tid = reinterpret_cast<std::uintptr_t>(&birth.nursery->crib->pid);
  arguments.stack = reinterpret_cast<std::uintptr_t>(stack);
  arguments.stack_size = sizeof stack;
  arguments.cgroup = static_cast<std::uint64_t>(cgroup);
  return svd_clone3(&arguments, sizeof arguments, run_child, &birth);
}
#else
long clone_into(Birth&, int) { return -ENOSYS; }
#endif

// Without clone3(2): the child moves itself.
long clone_plain(Birth& birth) {
  const int pid = ::clone(run_child, stack + sizeof stack, static_cast<int>(flags_of(birth)), &birth,
                          &birth.nursery->crib->pid);
  return pid < 0 ? -errno : pid;
}

// Answers of clone3 that speak against it, and not against this start: it or its flag is unknown, filtered,
// not permitted for this caller, or the cgroup takes no process this way.
bool is_refusal(long error) {
  return error == -ENOSYS || error == -EPERM || error == -EACCES || error == -EINVAL || error == -E2BIG ||
         error == -EOPNOTSUPP || error == -EBUSY;
}

struct Leaf {
  int fd = -1;
  ~Leaf() { close(); }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

Born failed(Stage stage, int err) { return {0, stage, err, 0}; }

// No descriptor left is a shortage of the keeper's, like no process left.
Born cannot_enter(int err) {
  return failed(err == EMFILE || err == ENFILE ? Stage::process : Stage::cgroup, err);
}

// A child that was not born in its cgroup writes itself into it.
Born spawn_and_move(Birth& birth, int leaf) {
  Leaf procs;
  if (leaf >= 0) {
    procs.fd = ::openat(leaf, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (procs.fd < 0) return cannot_enter(errno);
  }
  birth.procs_fd = procs.fd;
  birth.nursery->crib->ran = false;
  const long pid = clone_plain(birth);
  if (pid < 0) return failed(Stage::process, static_cast<int>(-pid));
  return {static_cast<std::int32_t>(pid), Stage::none, 0, 0};
}

// A child that fails or is killed at birth is the keeper's to reap.
Born give_birth(Birth& birth, int leaf, Nursery& nursery) {
  if (leaf < 0 || (nursery.missing & missing_into_cgroup) != 0) return spawn_and_move(birth, leaf);
  const long pid = clone_into(birth, leaf);
  if (pid > 0 && nursery.crib->ran) return {static_cast<std::int32_t>(pid), Stage::none, 0, 0};
  // Killed before its first instruction: a kernel that holds an old write to cgroup.kill against new members,
  // of this cgroup or of the keeper's own (see kernel/cgroups.h). Moving in after birth is not affected.
  if (pid > 0) return spawn_and_move(birth, leaf);
  if (pid == -ENODEV || pid == -ENOENT || pid == -EBADF) return failed(Stage::cgroup, static_cast<int>(-pid));
  if (!is_refusal(pid)) return failed(Stage::process, static_cast<int>(-pid));
  const Born born = spawn_and_move(birth, leaf);
  if (born.pid > 0 && nursery.crib->err == 0)
    nursery.missing |= missing_into_cgroup;  // that works and the other does not
  return born;
}

}  // namespace

Born spawn(const Launch& launch, const Handover& handover, Nursery& nursery) {
  Birth birth;
  birth.launch = &launch;
  birth.handover = &handover;
  birth.nursery = &nursery;
  const Born born = give_birth(birth, handover.leaf, nursery);
  const Crib& crib = *nursery.crib;
  if (born.pid == 0 || crib.err == 0) return born;
  return {0, crib.stage, crib.err, crib.detail};
}

bool probe_clone3() {
#if defined(__x86_64__)
  // Of an impossible size: EINVAL from a kernel that has it, ENOSYS or EPERM from one (or a filter) that does
  // not.
  return ::syscall(SYS_clone3, nullptr, 0) < 0 && errno == EINVAL;
#else
  return false;
#endif
}

}  // namespace svd::keeper
