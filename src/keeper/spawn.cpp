// SPDX-License-Identifier: Apache-2.0
#include "keeper/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

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

// The child's: it needs some hundred bytes, execve(2) in the kernel none of it.
alignas(64) char stack[32 * 1024];

#if defined(__x86_64__)
long clone_into(Birth& birth, int cgroup) {
  clone_args arguments{};
  arguments.flags =
      CLONE_VM | CLONE_VFORK | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0) | (birth.shares_files ? CLONE_FILES : 0);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uintptr_t>(stack);
  arguments.stack_size = sizeof stack;
  arguments.cgroup = cgroup >= 0 ? static_cast<std::uint64_t>(cgroup) : 0;
  return svd_clone3(&arguments, sizeof arguments, run_child, &birth);
}
#else
long clone_into(Birth&, int) { return -ENOSYS; }
#endif

// Without clone3(2): the child moves itself.
long clone_plain(Birth& birth) {
  const int flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (birth.shares_files ? CLONE_FILES : 0);
  const int pid = ::clone(run_child, stack + sizeof stack, flags, &birth);
  return pid < 0 ? -errno : pid;
}

// Answers of clone3 that speak against it, and not against this start: it or its flag is unknown, filtered,
// not permitted for this caller, or the cgroup takes no process this way.
bool is_refusal(long error) {
  return error == -ENOSYS || error == -EPERM || error == -EACCES || error == -EINVAL || error == -E2BIG ||
         error == -EOPNOTSUPP || error == -EBUSY;
}

void reap(long pid) {
  while (::waitpid(static_cast<pid_t>(pid), nullptr, 0) < 0 && errno == EINTR) continue;
}

struct Leaf {
  int fd = -1;
  ~Leaf() { close(); }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

// What a child gets, at the places below all others while it is being born. Given back at once: a reader of
// that log, or the other end of that channel, waits for its last writer.
class Window {
 public:
  Window() = default;
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  ~Window() {
    if (stdio_) ::dup3(STDIN_FILENO, stdio_slot, O_CLOEXEC);
    while (passed_ > 0) ::dup3(STDIN_FILENO, passed_slot + --passed_, O_CLOEXEC);
  }
  bool put_stdio(int fd) {
    stdio_ = fd >= 0;
    return !stdio_ || ::dup3(fd, stdio_slot, O_CLOEXEC) >= 0;
  }
  bool put_passed(int fd) { return ::dup3(fd, passed_slot + passed_++, O_CLOEXEC) >= 0; }

 private:
  bool stdio_ = false;
  int passed_ = 0;
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
  birth.ran = false;
  const long pid = clone_plain(birth);
  if (pid < 0) return failed(Stage::process, static_cast<int>(-pid));
  return {static_cast<std::int32_t>(pid), Stage::none, 0, 0};
}

Born give_birth(Birth& birth, int leaf, Nursery& nursery) {
  if (leaf < 0 || (nursery.missing & missing_into_cgroup) != 0) return spawn_and_move(birth, leaf);
  const long pid = clone_into(birth, leaf);
  if (pid > 0 && birth.ran) return {static_cast<std::int32_t>(pid), Stage::none, 0, 0};
  if (pid > 0) {
    // Killed before its first instruction: a kernel that holds an old write to cgroup.kill against new
    // members, of this cgroup or of the keeper's own (see kernel/cgroups.h). Moving in after birth is not
    // affected.
    reap(pid);
    return spawn_and_move(birth, leaf);
  }
  if (pid == -ENODEV || pid == -ENOENT || pid == -EBADF) return failed(Stage::cgroup, static_cast<int>(-pid));
  if (!is_refusal(pid)) return failed(Stage::process, static_cast<int>(-pid));
  const Born born = spawn_and_move(birth, leaf);
  if (born.pid > 0 && birth.err == 0)
    nursery.missing |= missing_into_cgroup;  // that works and the other does not
  return born;
}

}  // namespace

Born spawn(const Launch& launch, const Handover& handover, Nursery& nursery) {
  Leaf leaf;
  if (launch.cgroup != nullptr) {
    if (nursery.base < 0) return failed(Stage::cgroup, ENOENT);
    leaf.fd = ::openat(nursery.base, launch.cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (leaf.fd < 0) return cannot_enter(errno);
  }
  Birth birth;
  birth.launch = &launch;
  birth.nursery = &nursery;
  birth.shares_files = nursery.share_files;
  birth.keeper = ::getpid();
  Window window;
  if (!window.put_stdio(handover.stdio)) return failed(Stage::stdio, errno);
  for (std::uint32_t i = 0; i < launch.spawn->passed_count; ++i)
    if (!window.put_passed(handover.passed[i])) return failed(Stage::stdio, errno);
  const Born born = give_birth(birth, leaf.fd, nursery);
  if (born.pid == 0 || birth.err == 0) return born;
  reap(born.pid);  // it has ended already or is about to
  return {0, birth.stage, birth.err, birth.detail};
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

bool probe_unshare() { return ::syscall(SYS_close_range, ~0U, ~0U, CLOSE_RANGE_UNSHARE) == 0; }

}  // namespace svd::keeper
