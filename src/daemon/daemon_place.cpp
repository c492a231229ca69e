// SPDX-License-Identifier: Apache-2.0
// Where the daemon is found: its runtime directory with lock and bus socket, and the lock of its state
// directory. An engine that follows another one never ends because of it: what runs would be left alone.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/access.h"
#include "daemon/daemon.h"
#include "daemon/keeper_socket.h"
#include "files/io.h"

namespace svd {
namespace {

constexpr const char* lock_name = "lock";
constexpr const char* state_lock_name = "state-lock";
constexpr Millis mend_pause{10'000};  // until the place is looked at again, when it cannot be had

bool is_same_file(int a, int b) {
  struct stat first {
  }, second{};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::string already_running(const LockOwner& owner) {
  return "already running (pid " + std::to_string(owner.keeper_pid) + ")";
}

}  // namespace

bool Daemon::follows() const { return has_served_before(settings_.keeper_socket); }

// The lock first: without it nothing here may be touched. The keeper holds it when an engine before us took
// it.
Result<> Daemon::take_place() {
  if (has_file()) return find_place();
  auto attempt = [&]() -> Result<LockAttempt> {
    SVD_CHECK(make_runtime_directory(settings_.directories, ::geteuid()));
    return try_lock(settings_.directories);
  }();
  if (attempt) return take_lock(std::move(*attempt));
  if (!follows()) return tl::make_unexpected(attempt.error());
  do_without_place(attempt.error().text);
  return {};
}

Result<> Daemon::take_lock(LockAttempt attempt) {
  lock_ = std::move(attempt.fd);
  owner_ = attempt.owner;
  lock_is_ours_ = !attempt.taken;
  if (lock_is_ours_) {
    owner_ = {.keeper_pid = ::getppid(), .started = engine_started_, .engines = 0};
    return write_lock_owner(lock_.get(), owner_);  // at once: a lock that is held is never nameless
  }
  if (owner_.keeper_pid == ::getppid() || follows()) return {};
  return fail(std::errc::device_or_resource_busy, already_running(owner_));
}

// Two daemons of one state would both run what it says, and each would take the other's instances for its
// own.
Result<> Daemon::take_state() {
  if (has_file() || !lock_is_ours_) return {};  // with a file there is no state on disk
  auto attempt = try_state_lock(settings_.directories);
  state_lock_ = std::move(attempt.fd);
  state_lock_is_ours_ = !attempt.taken;
  if (!attempt.taken) {
    if (state_lock_) complain(write_lock_owner(state_lock_.get(), owner_));
    return {};
  }
  // Our own keeper has it when the runtime directory was removed, and made anew by us: see confirm_lock().
  if (follows()) {
    owner_ = {.keeper_pid = ::getppid(), .started = attempt.owner.started, .engines = attempt.owner.engines};
    return write_lock_owner(lock_.get(), owner_);
  }
  return fail(std::errc::device_or_resource_busy,
              already_running(attempt.owner) + ", with the same state directory " +
                  settings_.directories.state + " and another runtime directory than " +
                  settings_.directories.runtime + ", or one that was removed: 'kill -HUP " +
                  std::to_string(attempt.owner.keeper_pid) + "' has it make its own anew");
}

// Now it can be told whether the one who holds the lock is our keeper.
Result<> Daemon::confirm_lock() {
  if (!lock_) return {};
  const auto is_held = [&](const char* name, const UniqueFd& lock) {
    const auto held = processes_->held(name);
    return held && is_same_file(held->get(), lock.get());
  };
  const bool foreign = lock_is_ours_
                           ? state_lock_ && !state_lock_is_ours_ && !is_held(state_lock_name, state_lock_)
                           : !is_held(lock_name, lock_);
  if (foreign) {
    if (!processes_->taken_over()) return fail(std::errc::device_or_resource_busy, already_running(owner_));
    do_without_place("another svd runs there");
    return {};
  }
  if (lock_is_ours_) {
    SVD_CHECK(processes_->hold_in_keeper(lock_name, lock_.get()));
    if (state_lock_ && state_lock_is_ours_)
      SVD_CHECK(processes_->hold_in_keeper(state_lock_name, state_lock_.get()));
  }
  owner_.keeper_pid = processes_->keeper_pid();
  ++owner_.engines;
  return sign_locks();
}

Result<> Daemon::sign_locks() {
  if (const auto held = processes_->held(state_lock_name)) complain(write_lock_owner(held->get(), owner_));
  return lock_ ? write_lock_owner(lock_.get(), owner_) : Result<>{};
}

Result<> Daemon::listen() {
  if (!lock_) return {};
  // Of an engine before us, or of svd.socket: a service manager passes it as one that blocks.
  if (auto held = processes_->held(bus_name); held && is_bus_socket(held->get(), settings_.directories)) {
    ::fcntl(held->get(), F_SETFL, O_NONBLOCK);
    listening_ = std::move(*held);
  } else {
    std::optional<std::uint32_t> group;
    if (const auto found = bus::group_id({}); found && ::geteuid() == 0) group = *found;
    SVD_TRY(listening_, listen_on_bus(settings_.directories, group));
    SVD_CHECK(processes_->hold(bus_name, listening_.get()));
  }
  return bus_->serve(listening_.get(), *engine_);
}

void Daemon::do_without_place(const std::string& why) {
  lock_.reset();
  state_lock_.reset();
  if (owner_.started.micros == 0) owner_.started = engine_started_;
  placeless_ = "svctl cannot reach this svd in " + settings_.directories.runtime + ": " + why +
               "; all apps are supervised, and this is tried again";
}

// With a file there is none to go back to: a container's runtime directory is nobody else's.
Result<> Daemon::watch_place() {
  if (has_file()) return {};
  SVD_CHECK(mend_.arm(*loop_, Priority::client, [this] { mend_place(); }));
  if (!lock_) return mend_.set(Loop::now().mono + mend_pause);
  // Where the kernel has no watch left, SIGHUP does it.
  complain(place_watch_.arm(*loop_, settings_.directories.runtime, [this] { mend_place(); }));
  return {};
}

bool Daemon::has_place() const {
  const auto path = settings_.directories.runtime + "/lock";
  const UniqueFd lock{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  return lock_ && lock && is_same_file(lock.get(), lock_.get()) && listening_ &&
         is_bus_socket(listening_.get(), settings_.directories) &&
         ::access(notify_directory().c_str(), F_OK) == 0;
}

// Makes the directory, and leaves the rest to another engine, which takes all of it like the first one.
void Daemon::mend_place() {
  if (has_file() || mended_ || has_place()) return;
  const auto can_have = [&]() -> Result<> {
    SVD_CHECK(make_runtime_directory(settings_.directories, ::geteuid()));
    SVD_TRY(const auto attempt, try_lock(settings_.directories));
    if (attempt.taken && !(lock_ && is_same_file(attempt.fd.get(), lock_.get())))
      return fail(std::errc::device_or_resource_busy, already_running(attempt.owner));
    return {};
  }();
  if (can_have) {
    engine_->happened("engine",
                      settings_.directories.runtime + " had lost the socket for svctl; it is made anew",
                      Loop::now());
    mended_ = true;
    return reexecute();
  }
  if (placeless_.empty()) {
    do_without_place(can_have.error().text);
    engine_->happened("engine", placeless_, Loop::now());
  }
  complain(mend_.set(Loop::now().mono + mend_pause));
}

}  // namespace svd
