// SPDX-License-Identifier: Apache-2.0
#include "keeper/births.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "keeper/keeper.h"
#include "keeper/launchers.h"
#include "keeper/log.h"

namespace svd::keeper {
namespace {

constexpr std::int64_t death_patience = 1'000;  // for a child that was killed, to let go of its launcher

alignas(8) char record_bytes[max_message];

bool has_birth(const Launcher& launcher) { return launcher.busy && !launcher.cut; }

// Its child has ended, and was reaped.
bool has_ended(const Launcher& launcher) {
  return launcher.ended_pid != 0 && launcher.ended_pid == launcher.crib->pid;
}

void refuse_start(Keeper& keeper, const Start& start, const Born& why) {
  keeper.children.blobs().free(start.blob);
  if (start.kind == Order::Kind::engine) return engine_failed(keeper, why.err);
  refuse(keeper, start.id, why);
}

// The queue.

Waiting& place(Births& births, std::uint32_t index) { return births.waiting[births.order[index]]; }
const Waiting& place(const Births& births, std::uint32_t index) {
  return births.waiting[births.order[index]];
}

void take_out(Keeper& keeper, std::uint32_t index) {
  Births& births = keeper.births;
  const std::uint16_t freed = births.order[index];
  Waiting& waiting = births.waiting[freed];
  for (std::uint32_t i = 0; i < waiting.fd_count; ++i) ::close(waiting.fds[i]);
  keeper.children.blobs().free(waiting.record);
  --births.count;
  std::memmove(births.order + index, births.order + index + 1,
               (births.count - index) * sizeof births.order[0]);
  births.order[births.count] = freed;
}

void put_in_order(Births& births) {
  for (std::uint32_t i = 0; i < max_starts; ++i) births.order[i] = static_cast<std::uint16_t>(i);
  births.is_ordered = true;
}

void enqueue(Keeper& keeper, const Start& start, const char* record, std::size_t size, const int* fds,
             std::uint32_t fd_count) {
  Births& births = keeper.births;
  if (!births.is_ordered) put_in_order(births);
  const auto close_all = [&] {
    for (std::uint32_t i = 0; i < fd_count; ++i) ::close(fds[i]);
  };
  Blobs& blobs = keeper.children.blobs();
  const auto bytes = static_cast<std::uint32_t>(size);
  if (births.count == max_starts || !blobs.fits(bytes)) {
    close_all();
    return refuse_start(keeper, start, {0, Stage::keeper, EAGAIN, 0});
  }
  Waiting& waiting = births.waiting[births.order[births.count++]];
  waiting.start = start;
  waiting.record = blobs.put(record, bytes);
  waiting.size = bytes;
  waiting.fd_count = fd_count;
  std::memcpy(waiting.fds, fds, fd_count * sizeof(int));
}

bool is_same_app(std::uint32_t a, std::uint32_t b) { return a != 0 && a == b; }

// See the head of births.h.
bool may_begin(const Keeper& keeper, const Start& start, std::int64_t now) {
  std::uint32_t of_app = 0, of_user = 0;
  const auto count = [&](std::uint32_t app, std::uint32_t uid, bool changes_user) {
    of_app += is_same_app(app, start.app) ? 1 : 0;
    of_user += start.changes_user && changes_user && uid == start.uid ? 1 : 0;
  };
  for (const Launcher& launcher : keeper.births.launchers)
    if (is_slow(launcher, now)) count(launcher.start.app, launcher.start.uid, launcher.start.changes_user);
  for (std::uint32_t i = 0; i < keeper.births.lost_count; ++i) {
    const Lost& lost = keeper.births.lost[i];
    count(lost.app, lost.uid, lost.changes_user);
  }
  return of_app < max_slow_of_app && of_user < max_slow_of_user;
}

// Those that wait, in their order, as far as there are launchers. `err`: why there is none; 0: there will be.
void dispatch(Keeper& keeper) {
  Births& births = keeper.births;
  const std::int64_t now = now_ms();
  for (std::uint32_t i = 0; i < births.count;) {
    Waiting& waiting = place(births, i);
    if (!may_begin(keeper, waiting.start, now)) {
      ++i;
      continue;
    }
    Launcher* const launcher = find_launcher(keeper, now);
    if (launcher == nullptr && errno != 0 && births.busy == 0) {
      const Start start = waiting.start;
      const int err = errno;
      take_out(keeper, i);
      refuse_start(keeper, start, {0, Stage::process, err, 0});
      continue;
    }
    if (launcher == nullptr) return;
    keeper.children.blobs().get(waiting.record, record_bytes, waiting.size);
    if (!hand_over(keeper, *launcher, waiting.start, record_bytes, waiting.size, waiting.fds,
                   waiting.fd_count)) {
      end_launcher(keeper, *launcher);  // it is dead, which we shall hear of; another one will do
      continue;
    }
    take_out(keeper, i);
  }
}

// The end of a start.

void release(Keeper& keeper, Launcher& launcher) {
  if (has_birth(launcher)) --keeper.births.busy;
  launcher.busy = false;
}

// Its child runs, or has run.
void settle(Keeper& keeper, Launcher& launcher, std::int32_t pid) {
  const Start& start = launcher.start;
  if (start.kind == Order::Kind::engine) {
    engine_born(keeper, pid);
    if (has_ended(launcher)) engine_ended(keeper, launcher.ended, launcher.number);
    return;
  }
  if (!has_ended(launcher)) retire(keeper, pid);
  Entry* const entry = keeper.children.add(start.id, pid, start.stop);
  if (entry == nullptr) {  // full
    if (!has_ended(launcher)) ::kill(pid, SIGKILL);
    return refuse_start(keeper, start, {0, Stage::keeper, ENOSPC, 0});
  }
  entry->blob = start.blob;
  entry->cgroup_size = start.cgroup_size;
  entry->cookie_size = start.cookie_size;
  entry->kill_group = start.kill_group;
  report(keeper, *entry, unsent_spawned);
  if (!has_ended(launcher)) {
    if (start.signal.number != 0) send_signal(*entry, start.signal.number, start.signal.whom);
    return;
  }
  keeper.children.finish(*entry, launcher.ended, launcher.number, launcher.core_dumped, launcher.ended_at);
  report(keeper, *entry, unsent_exited);
}

void take_born(Keeper& keeper, Launcher& launcher, const Reply& reply) {
  if ((reply.missing & ~keeper.nursery.missing) != 0) {
    keeper.nursery.missing |= reply.missing;
    keeper.outbox.notice = true;
  }
  const bool told = launcher.cut;
  release(keeper, launcher);
  if (told) return;
  if (reply.born.pid > 0)
    settle(keeper, launcher, launcher.crib->pid);
  else
    refuse_start(keeper, launcher.start, reply.born);
}

// Of a child that may never die; it is reaped when it does.
void remember_lost(Births& births, const Launcher& launcher) {
  if (launcher.crib->pid <= 0 || has_ended(launcher) || births.lost_count == max_lost) return;
  births.lost[births.lost_count++] = {launcher.crib->pid, launcher.start.app, launcher.start.uid,
                                      launcher.start.changes_user};
}

void kill_birth(const Launcher& launcher) {
  if (launcher.crib->pid > 0 && !has_ended(launcher)) ::kill(launcher.crib->pid, SIGKILL);
}

// First its child is killed. If that does not free the launcher, the launcher is killed as well, unless too
// many were lost that way: then its place stays taken.
void cut(Keeper& keeper, Launcher& launcher, std::int64_t now) {
  Births& births = keeper.births;
  if (launcher.cut) {
    launcher.start.deadline = -1;
    if (births.lost_count == max_lost) return;
    ::kill(launcher.pid, SIGKILL);
    return;
  }
  kill_birth(launcher);
  const Crib& crib = *launcher.crib;
  refuse_start(keeper, launcher.start, {0, crib.stage, launcher.start.late, crib.detail});
  --births.busy;
  launcher.cut = true;
  launcher.start.deadline = now + death_patience;
}

void launcher_ended(Keeper& keeper, Launcher& launcher) {
  if (launcher.busy) {
    kill_birth(launcher);
    remember_lost(keeper.births, launcher);
    if (has_birth(launcher)) refuse_start(keeper, launcher.start, {0, Stage::process, EAGAIN, 0});
    release(keeper, launcher);
  }
  if (launcher.socket > 0) end_launcher(keeper, launcher);
  launcher.pid = 0;
}

void drop(Keeper& keeper, std::uint32_t index, int err) {
  const Start start = place(keeper.births, index).start;
  take_out(keeper, index);
  refuse_start(keeper, start, {0, Stage::keeper, err, 0});
}

void hasten(Start& start, std::int64_t deadline, int err) {
  if (start.deadline <= deadline) return;
  start.deadline = deadline;
  start.late = err;
}

void earliest(std::int64_t& next, std::int64_t at) {
  if (at >= 0 && (next < 0 || at < next)) next = at;
}

}  // namespace

bool set_up_births(Keeper& keeper) {
  void* const memory = ::mmap(nullptr, max_launchers * sizeof(Crib), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  keeper.births.cribs = static_cast<Crib*>(memory == MAP_FAILED ? nullptr : memory);
  keeper.nursery.keeper = ::getpid();
  if (memory == MAP_FAILED) return false;
  fork_launcher(keeper);  // early, and while there is something to make it of; else at the first start
  return true;
}

void begin_start(Keeper& keeper, const Start& start, const char* record, std::size_t size, const int* fds,
                 std::uint32_t fd_count) {
  const std::int64_t now = now_ms();
  if (keeper.births.count == 0 && may_begin(keeper, start, now))
    if (Launcher* const launcher = find_launcher(keeper, now);
        launcher != nullptr && hand_over(keeper, *launcher, start, record, size, fds, fd_count)) {
      for (std::uint32_t i = 0; i < fd_count; ++i) ::close(fds[i]);
      return;
    }
  enqueue(keeper, start, record, size, fds, fd_count);
  dispatch(keeper);
}

bool is_under_way(const Keeper& keeper, std::uint64_t id) {
  for (const Launcher& launcher : keeper.births.launchers)
    if (has_birth(launcher) && launcher.start.id == id) return true;
  for (std::uint32_t i = 0; i < keeper.births.count; ++i)
    if (place(keeper.births, i).start.id == id) return true;
  return false;
}

std::uint32_t under_way(const Keeper& keeper) { return keeper.births.count + keeper.births.busy; }

void cancel_start(Keeper& keeper, std::uint64_t id, int err) {
  Births& births = keeper.births;
  for (std::uint32_t i = 0; i < births.count; ++i)
    if (place(births, i).start.id == id) return drop(keeper, i, err);
  for (Launcher& launcher : births.launchers)
    if (has_birth(launcher) && launcher.start.id == id)
      hasten(launcher.start, launcher.since + slow_after, err);
}

void hasten_starts(Keeper& keeper, std::int64_t deadline, int err) {
  Births& births = keeper.births;
  for (std::uint32_t i = 0; i < births.count; ++i) hasten(place(births, i).start, deadline, err);
  for (Launcher& launcher : births.launchers)
    if (has_birth(launcher)) hasten(launcher.start, deadline, err);
}

bool keep_signal(Keeper& keeper, const Signal& signal) {
  Births& births = keeper.births;
  for (Launcher& launcher : births.launchers)
    if (has_birth(launcher) && launcher.start.id == signal.id) {
      launcher.start.signal = signal;
      return true;
    }
  for (std::uint32_t i = 0; i < births.count; ++i)
    if (Start& start = place(births, i).start; start.id == signal.id) {
      start.signal = signal;
      return true;
    }
  return false;
}

void take_reply(Keeper& keeper, std::uint32_t number) {
  Launcher& launcher = keeper.births.launchers.places[number];
  if (launcher.pid == 0 || launcher.socket <= 0) return;
  Reply reply;
  const auto got = ::recv(launcher.socket, &reply, sizeof reply, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got != static_cast<ssize_t>(sizeof reply)) return end_launcher(keeper, launcher);  // its end follows
  if (launcher.busy) take_born(keeper, launcher, reply);
  if (launcher.outdated) end_launcher(keeper, launcher);
  dispatch(keeper);
}

void birth_ended(Keeper& keeper, std::int32_t pid, Ended ended, int number, bool core_dumped) {
  Births& births = keeper.births;
  for (Launcher& launcher : births.launchers) {
    if (launcher.pid == 0) continue;
    if (launcher.pid == pid) {
      launcher_ended(keeper, launcher);
      return dispatch(keeper);
    }
    if (!launcher.busy || launcher.crib->pid != pid || launcher.ended_pid == pid) continue;
    if (launcher.start.kill_group && !launcher.cut) ::kill(-pid, SIGKILL);
    launcher.ended_pid = pid;
    launcher.ended = ended;
    launcher.number = number;
    launcher.core_dumped = core_dumped;
    launcher.ended_at = wall_us();
    return;
  }
  for (std::uint32_t i = 0; i < births.lost_count; ++i) {
    if (births.lost[i].pid != pid) continue;
    births.lost[i] = births.lost[--births.lost_count];
    return dispatch(keeper);
  }
}

void check_births(Keeper& keeper) {
  Births& births = keeper.births;
  if (births.count == 0 && next_birth_check(keeper) < 0) return;
  const std::int64_t now = now_ms();
  for (Launcher& launcher : births.launchers)
    if (launcher.busy && launcher.start.deadline >= 0 && now >= launcher.start.deadline)
      cut(keeper, launcher, now);
  for (std::uint32_t i = 0; i < births.count;)
    if (now >= place(births, i).start.deadline)
      drop(keeper, i, place(births, i).start.late);
    else
      ++i;
  dispatch(keeper);
}

std::int64_t next_birth_check(const Keeper& keeper) {
  const Births& births = keeper.births;
  const std::int64_t now = births.count > 0 ? now_ms() : 0;
  std::int64_t next = -1;
  for (const Launcher& launcher : births.launchers) {
    if (!launcher.busy) continue;
    earliest(next, launcher.start.deadline);
    if (births.count > 0 && !is_slow(launcher, now)) earliest(next, launcher.since + slow_after);
  }
  for (std::uint32_t i = 0; i < births.count; ++i) earliest(next, place(births, i).start.deadline);
  return next;
}

void renew_launchers(Keeper& keeper) {
  for (Launcher& launcher : keeper.births.launchers) {
    if (launcher.pid == 0) continue;
    if (launcher.busy)
      launcher.outdated = true;
    else if (launcher.socket > 0)
      end_launcher(keeper, launcher);
  }
}

}  // namespace svd::keeper
