// SPDX-License-Identifier: Apache-2.0
// From the engine's records to starts that are under way.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "keeper/attached.h"
#include "keeper/keeper.h"
#include "keeper/log.h"
#include "keeper/wire.h"

namespace svd::keeper {
namespace {

void refuse_for(Keeper& keeper, std::uint64_t id, int err) { refuse(keeper, id, {0, Stage::keeper, err, 0}); }

// What goes with a start, in the order of Handed (launcher.h): duplicates, or what is taken.
struct Collected {
  int fds[max_handed];
  std::uint32_t count = 0;
  Born lacking{};
  Collected() = default;
  Collected(const Collected&) = delete;
  Collected& operator=(const Collected&) = delete;
  ~Collected() {
    for (std::uint32_t i = 0; i < count; ++i) ::close(fds[i]);
  }
  void lack(Stage stage, int err, int detail = 0) {
    if (lacking.stage == Stage::none) lacking = {0, stage, err, detail};
  }
  // No descriptor left is a shortage of the keeper's, like no process left.
  void add(int fd, Stage stage) {
    if (fd >= 0)
      fds[count++] = fd;
    else
      lack(errno == EMFILE || errno == ENFILE ? Stage::process : stage, errno);
  }
};

int duplicate(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); }

void add_cgroup(const Keeper& keeper, const Launch& launch, Collected& out) {
  if (launch.cgroup == nullptr) return;
  if (keeper.nursery.base < 0) return out.lack(Stage::cgroup, ENOENT);
  constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
  out.add(::openat(keeper.nursery.base, launch.cgroup, flags), Stage::cgroup);
}

// What is attached and did not arrive was left out on the way: our table of descriptors is full.
void add_attached(Attached& attached, std::uint32_t index, Collected& out) {
  if (attached.at(index) < 0) return out.lack(Stage::process, EMFILE);
  out.add(duplicate(attached.at(index)), Stage::process);
}

void add_passed(const Keeper& keeper, const Launch& launch, Attached& attached, Collected& out) {
  for (std::uint32_t i = 0; i < launch.spawn->passed_count; ++i) {
    const Passed& one = launch.passed[i];
    const char* const name = launch.name(one);
    if (name == nullptr) {
      add_attached(attached, one.attached, out);
      continue;
    }
    const auto size = static_cast<std::uint32_t>(std::strlen(name));
    const int fd = keeper.held.find(keeper.children.blobs(), name, size);
    if (fd < 0) return out.lack(Stage::sockets, ENOENT, static_cast<int>(i));
    out.add(duplicate(fd), Stage::process);
  }
}

Start start_of(Keeper& keeper, const Launch& launch, Order::Kind kind) {
  const Spawn& spawn = *launch.spawn;
  Start start{};
  start.id = spawn.id;
  start.deadline = now_ms() + (spawn.patience == 0 ? default_patience : spawn.patience);
  start.stop = spawn.stop;
  start.app = spawn.app;
  start.uid = spawn.uid;
  start.late = ETIME;
  start.kind = kind;
  start.changes_user = (spawn.given & given_user) != 0 && spawn.uid != ::geteuid();
  start.kill_group = (spawn.given & given_kill_group) != 0;
  start.cgroup_size = static_cast<std::uint16_t>(launch.cgroup == nullptr ? 0 : std::strlen(launch.cgroup));
  start.cookie_size = static_cast<std::uint16_t>(spawn.cookie_size);
  start.blob =
      keeper.children.blobs().put(launch.cgroup, start.cgroup_size, launch.cookie, start.cookie_size);
  return start;
}

// `file`: of the record, if it came in one, borrowed.
void spawn_one(Keeper& keeper, const Launch& launch, Attached& attached, int file) {
  const Spawn& spawn = *launch.spawn;
  const std::uint32_t cgroup_size =
      launch.cgroup == nullptr ? 0 : static_cast<std::uint32_t>(std::strlen(launch.cgroup));
  if (keeper.children.by_id(spawn.id) != nullptr || is_under_way(keeper, spawn.id))
    return note("the engine asks to start the same id twice");
  if (!keeper.children.fits(cgroup_size + spawn.cookie_size) ||
      keeper.children.known() + under_way(keeper) >= max_children)
    return refuse_for(keeper, spawn.id, ENOSPC);
  if (keeper.stop.phase > Stop::Phase::asked) return refuse_for(keeper, spawn.id, ESHUTDOWN);
  Collected with;
  if (file >= 0) with.add(duplicate(file), Stage::process);
  add_cgroup(keeper, launch, with);
  if (spawn.stdio == Stdio::fd) add_attached(attached, spawn.stdio_fd, with);
  add_passed(keeper, launch, attached, with);
  if (with.lacking.stage != Stage::none) return refuse(keeper, spawn.id, with.lacking);
  const auto kind = file >= 0 ? Order::Kind::file : Order::Kind::record;
  const std::uint32_t count = with.count;
  with.count = 0;  // begin_start() takes them
  begin_start(keeper, start_of(keeper, launch, kind), reinterpret_cast<const char*>(&spawn),
              file >= 0 ? 0 : spawn.size, with.fds, count);
}

void spawn_all(Keeper& keeper, Message message, Attached& attached, int file) {
  if (message.count > max_records) return note("the engine sent too many starts in one message");
  for (;;) {
    Launch launch;
    switch (look_at_spawn(message, launch)) {
      case Next::record:
        spawn_one(keeper, launch, attached, file);
        break;
      case Next::bad:
        note("the engine sent a start that makes no sense");
        if (launch.spawn->id != 0 && keeper.children.by_id(launch.spawn->id) == nullptr &&
            !is_under_way(keeper, launch.spawn->id))
          refuse_for(keeper, launch.spawn->id, EINVAL);
        break;
      case Next::broken:
        return note("the engine sent a message that breaks off");
      case Next::end:
        return;
    }
  }
}

}  // namespace

void begin_starts(Keeper& keeper, const Message& message, Attached& attached) {
  spawn_all(keeper, message, attached, -1);
}

// Read into memory of our own: a mapping could be cut short under us. The launcher reads it once more.
void begin_start_from_file(Keeper& keeper, Attached& attached) {
  struct stat file {};
  const int fd = attached.at(0);
  if (fd < 0 || ::fstat(fd, &file) < 0 || !S_ISREG(file.st_mode) || file.st_size <= 0 ||
      file.st_size > max_file)
    return note("the engine sent a file of a start that cannot be used");
  const auto size = static_cast<std::size_t>(file.st_size);
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return note("cannot read the file of a start", errno);
  auto* const bytes = static_cast<char*>(memory);
  std::size_t done = 0;
  while (done < size) {
    const auto got = ::pread(fd, bytes + done, size - done, static_cast<off_t>(done));
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  Attached rest;  // index 0 is the file itself
  if (done == size) {
    for (std::uint32_t i = 1; i < attached.count; ++i) rest.fds[rest.count++] = attached.fds[i];
    spawn_all(keeper, open_file(bytes, size, 1), rest, fd);
    rest.count = 0;  // still the caller's
  }
  ::munmap(memory, size);
}

}  // namespace svd::keeper
