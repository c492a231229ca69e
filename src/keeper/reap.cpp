// SPDX-License-Identifier: Apache-2.0
// Ends of children. Looks first (WNOWAIT), records and reports, and only then reaps: until then the pid still
// names this process, so that no signal sent meanwhile can reach a stranger. Processes that nobody here
// started (orphans of instances) are reaped silently.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "keeper/keeper.h"

namespace svd::keeper {
namespace {

constexpr int told_together = 64;

Ended how(const siginfo_t& info) { return info.si_code == CLD_EXITED ? Ended::code : Ended::signal; }

void record(Keeper& keeper, const siginfo_t& info) {
  Entry* const entry = keeper.children.by_pid(info.si_pid);
  if (entry == nullptr) {
    birth_ended(keeper, info.si_pid, how(info), info.si_status, info.si_code == CLD_DUMPED);
    return;
  }
  if (entry->kill_group) ::kill(-entry->pid, SIGKILL);
  unwatch(keeper, entry->pidfd);
  keeper.children.finish(*entry, how(info), info.si_status, info.si_code == CLD_DUMPED, wall_us());
  report(keeper, *entry, unsent_exited);
}

// False: nobody has ended.
bool reap_one(Keeper& keeper, idtype_t whom, std::int32_t pid, bool tell_first) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pid);
  if (::waitid(whom, id, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) return false;
  record(keeper, info);
  if (tell_first) flush(keeper);
  const bool is_engine = info.si_pid == keeper.engine.pid && keeper.engine.pidfd < 0;
  ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
  if (is_engine) engine_ended(keeper, how(info), info.si_status);
  return true;
}

}  // namespace

void reap(Keeper& keeper, std::int32_t hint) {
  // Alone and at once: looking for any dead child goes over all living ones.
  if (hint > 0) reap_one(keeper, P_PID, hint, true);
  // Of many that end together some are told while the others are still being reaped: the engine has a CPU of
  // its own.
  for (int count = 1; reap_one(keeper, P_ALL, 0, count % told_together == 0); ++count) continue;
}

void adopted_ended(Keeper& keeper, Entry& entry) {
  if (!entry.used || entry.ended != Ended::no) return;
  unwatch(keeper, entry.pidfd);
  keeper.children.finish(entry, Ended::unknown, 0, false, wall_us());
  report(keeper, entry, unsent_exited);
}

void send_signal(const Entry& entry, int number, Whom whom) {
  if (entry.pidfd >= 0) {
    // Not our child, so its pid may be a stranger's by now; the pidfd knows.
    const int sent = whom == Whom::main ? number : 0;
    if (::syscall(SYS_pidfd_send_signal, entry.pidfd, sent, nullptr, 0) < 0 || whom == Whom::main) return;
  }
  if (whom == Whom::group && ::kill(-entry.pid, number) == 0) return;
  ::kill(entry.pid, number);
}

}  // namespace svd::keeper
