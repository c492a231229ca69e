// SPDX-License-Identifier: Apache-2.0
#include "keeper/launcher.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace svd::keeper {
namespace {

alignas(8) char inbox[sizeof(Order) + max_message + 8];

constexpr int socket_fd = STDERR_FILENO + 1;
constexpr rlim_t most_descriptors = 1U << 20;

// The descriptors of an order, taken one after the other; all are closed at its end. A reader of that log, or
// the other end of that channel, waits for its last writer.
struct Handed {
  int fds[max_handed];
  std::uint32_t count = 0, next = 0;
  Handed() = default;
  Handed(const Handed&) = delete;
  Handed& operator=(const Handed&) = delete;
  ~Handed() {
    for (std::uint32_t i = 0; i < count; ++i) ::close(fds[i]);
  }
  int take() { return next < count ? fds[next++] : -1; }
};

void collect(msghdr& head, Handed& handed) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&head); part != nullptr; part = CMSG_NXTHDR(&head, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    handed.count = static_cast<std::uint32_t>((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(handed.fds, CMSG_DATA(part), handed.count * sizeof(int));
  }
}

// 0: the keeper is gone.
std::size_t receive(Handed& handed) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_handed)];
  iovec part{inbox, sizeof inbox};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control;
  head.msg_controllen = sizeof control;
  ssize_t got = 0;
  do got = ::recvmsg(socket_fd, &head, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got <= 0) return 0;
  collect(head, handed);
  return static_cast<std::size_t>(got);
}

Born failed(Stage stage, int err) { return {0, stage, err, 0}; }

// What did not arrive was left out on the way: the table of descriptors is full.
Born launch(const Launch& launch, Handed& handed, Nursery& nursery) {
  const Born full = failed(Stage::process, EMFILE);
  Handover handover;
  if (launch.cgroup != nullptr && (handover.leaf = handed.take()) < 0) return full;
  if (launch.spawn->stdio == Stdio::fd && (handover.stdio = handed.take()) < 0) return full;
  for (std::uint32_t i = 0; i < launch.spawn->passed_count; ++i)
    if ((handover.passed[i] = handed.take()) < 0) return full;
  return spawn(launch, handover, nursery);
}

Born launch_record(char* bytes, std::size_t size, Handed& handed, Nursery& nursery) {
  Message message = open_file(bytes, size, 1);
  Launch record;
  if (next_spawn(message, record) != Next::record) return failed(Stage::keeper, EINVAL);
  return launch(record, handed, nursery);
}

// Read into memory of our own: a mapping could be cut short under us.
Born launch_file(Handed& handed, Nursery& nursery) {
  struct stat file {};
  const int fd = handed.take();
  if (fd < 0) return failed(Stage::process, EMFILE);
  if (::fstat(fd, &file) < 0 || file.st_size <= 0 || file.st_size > max_file)
    return failed(Stage::keeper, EINVAL);
  const auto size = static_cast<std::size_t>(file.st_size);
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return failed(Stage::process, errno);
  auto* const bytes = static_cast<char*>(memory);
  std::size_t done = 0;
  while (done < size) {
    const auto got = ::pread(fd, bytes + done, size - done, static_cast<off_t>(done));
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  const Born born = done == size ? launch_record(bytes, size, handed, nursery) : failed(Stage::keeper, EIO);
  ::munmap(memory, size);
  return born;
}

// As an instance is born, since what is refused to one (posix_spawn(3), where a filter answers clone3(2) with
// EPERM) must not stop the other: an empty mask, default dispositions, a session of its own (Ctrl-C in a
// terminal is for the keeper alone), nothing open but 0 to 2 and its socket.
Born launch_engine(Handed& handed, Nursery& nursery, const Options& options) {
  static_assert(engine_fd == first_passed);
  Spawn request{};
  request.execc = 1;
  request.stdio = Stdio::inherit;
  request.given = given_session;
  request.passed_count = 1;
  char* program[] = {const_cast<char*>(options.engine_path), nullptr};
  Launch engine;
  engine.spawn = &request;
  engine.argv = options.engine_argv;
  engine.envp = environ;
  engine.exec = program;
  return launch(engine, handed, nursery);
}

Born carry_out(const Order& order, std::size_t size, Handed& handed, Nursery& nursery,
               const Options& options) {
  switch (order.kind) {
    case Order::Kind::record:
      return launch_record(inbox + sizeof order, size - sizeof order, handed, nursery);
    case Order::Kind::file:
      return launch_file(handed, nursery);
    case Order::Kind::engine:
      return launch_engine(handed, nursery, options);
  }
  return failed(Stage::keeper, EINVAL);
}

// False: the keeper is gone.
bool serve_one(Nursery& nursery, const Options& options) {
  Reply reply{};
  {
    Handed handed;
    const std::size_t size = receive(handed);
    Order order;
    if (size < sizeof order) return false;
    std::memcpy(&order, inbox, sizeof order);
    nursery.missing |= order.missing;
    reply.born = carry_out(order, size, handed, nursery, options);
    reply.missing = nursery.missing;
    std::memset(inbox, 0, size);  // the next child has a copy of this, and is another app's
  }
  return ::send(socket_fd, &reply, sizeof reply, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof reply);
}

// Nothing of the keeper's is kept but 0 to 2: what it holds would stay open with us.
void keep_only(int socket) {
  if (socket != socket_fd) ::dup3(socket, socket_fd, O_CLOEXEC);
  if (::syscall(SYS_close_range, socket_fd + 1, ~0U, 0U) == 0) return;
  rlimit limit{};  // Linux before 5.9, or a filter
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  for (rlim_t fd = socket_fd + 1; fd < limit.rlim_cur && fd < most_descriptors; ++fd)
    ::close(static_cast<int>(fd));
}

bool closes_who_changes_user() {
  char text = '1';
  const int fd = ::open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);
  const bool is_known = fd >= 0 && ::read(fd, &text, 1) == 1;
  if (fd >= 0) ::close(fd);
  return is_known && text != '1';
}

}  // namespace

void run_launcher(int socket, const Nursery& nursery, const Options& options) {
  Nursery own = nursery;
  own.base = -1;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != own.keeper) ::_exit(0);
  ::prctl(PR_SET_NAME, "svd-launcher");
  keep_only(socket);
  own.closes_others = closes_who_changes_user();
  // A child that has memory of its own cannot write there which pid it has.
  ::madvise(const_cast<std::int32_t*>(&own.crib->pid), 4096, MADV_DONTFORK);
  while (serve_one(own, options)) continue;
  ::_exit(0);
}

}  // namespace svd::keeper
