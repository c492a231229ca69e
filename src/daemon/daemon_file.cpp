// SPDX-License-Identifier: Apache-2.0
// What is different for a daemon of one file (`svd FILE`): where it lives, what it remembers, what it
// applies.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/daemon.h"
#include "daemon/ecosystem_file.h"
#include "daemon/keeper_socket.h"
#include "files/io.h"
#include "files/own_directory.h"
#include "kernel/state_both.h"
#include "kernel/state_memory.h"

namespace svd {

// A daemon for one file works with what it finds, and, if need be, where nobody can talk to it.
Result<> Daemon::find_place() {
  std::vector<Directories> candidates{settings_.directories};
  candidates.insert(candidates.end(), settings_.fallbacks.begin(), settings_.fallbacks.end());
  const PlaceSeeker seeker{::geteuid(), ::getppid(), has_served_before(settings_.keeper_socket)};
  auto place = svd::find_place(candidates, seeker);
  if (!place && place.error().code == std::errc::device_or_resource_busy)
    return tl::make_unexpected(place.error());
  auto& directories = settings_.directories;
  if (!place) {
    makeshifts_.push_back("svctl cannot reach this svd: " + place.error().text);
    owner_.started = engine_started_;
    return {};
  }
  borrows_place_ = place->directories.runtime != directories.runtime;
  if (borrows_place_) {
    makeshifts_.push_back(place->directories.runtime + " is used, since " + directories.runtime +
                          " cannot be written to");
    directories.runtime = place->directories.runtime;
    directories.shared = place->directories.shared;
    if (!make_directories(directories.log, 0750)) {
      makeshifts_.push_back("log files are in " + place->directories.log + ", since " + directories.log +
                            " cannot be written to");
      directories.log = place->directories.log;
    }
  }
  return take_lock(std::move(place->lock));
}

// What is applied by a file is applied anew at the next start, and nothing else comes back: a container
// begins as its file says.
Result<> Daemon::open_store() {
  if (has_file()) {
    store_ = std::make_unique<StateMemory>(*processes_);
    return {};
  }
  auto store = StateStore::open(settings_.directories.state);
  if (!store) {
    if (!processes_->taken_over()) return tl::make_unexpected(store.error());
    store = StateStore::without(settings_.directories.state, store.error());  // what runs is not left alone
  }
  store_ = std::make_unique<StateBoth>(std::move(*store), *processes_);
  return {};
}

Result<> Daemon::apply_file(std::string who) {
  SVD_TRY(auto source, read_ecosystem_file(settings_.options));
  engine_->set_now(Loop::now());
  SVD_TRY(const auto begun, engine_->apply(std::move(source), {::geteuid(), std::move(who)}));
  if (begun.change == ChangeId{}) log_.write(Severity::info, settings_.options.file + ": nothing to change");
  owe_reconcile();
  return {};
}

// Empty: there is no place for files that is ours alone.
std::string Daemon::notify_directory() const {
  return lock_ ? settings_.directories.runtime + "/notify" : std::string{};
}

// Instances have users of their own, who find their socket by its whole name.
Result<> Daemon::make_notify_directory() const {
  const auto path = notify_directory();
  if (path.empty()) return {};
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(path.c_str());  // of old
  if ((::mkdir(path.c_str(), 0711) < 0 && errno != EEXIST) || ::chmod(path.c_str(), 0711) < 0)
    return fail_errno(errno, "cannot make '" + path + "'");
  return {};
}

// Shared memory may be shared by the containers of a pod: nothing is left there.
void Daemon::leave_place() {
  if (!borrows_place_) return;
  const auto& runtime = settings_.directories.runtime;
  ::unlink(settings_.directories.socket().c_str());
  for (const auto* name : {"/lock", "/start-key"}) ::unlink((runtime + name).c_str());
  ::rmdir((runtime + "/notify").c_str());
  ::rmdir(runtime.c_str());  // stays where log files are in it
}

}  // namespace svd
