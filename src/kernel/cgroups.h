// SPDX-License-Identifier: Apache-2.0
// The cgroup v2 tree that instances live in: BASE/<ecosystem>:<app>/<slot>.<start id>, a fresh leaf for every
// start. BASE is our own cgroup's directory (or that of the daemon before us, if instances of its run on
// there) plus
// "/svd-" and 8 hex digits of a hash of the state directory, so that two daemons never meet; our own
// processes may have gone to BASE/supervisor (kernel/controllers.h). Without a writable v2 hierarchy nothing
// here fails: available() is false and degraded() says what that costs.
//
// Why a fresh leaf: on some kernels (seen on 6.18) a cgroup whose cgroup.kill was once written kills every
// process that clone3(CLONE_INTO_CGROUP) later puts there, at birth.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/controllers.h"
#include "model/names.h"

namespace svd {

class Cgroups {
 public:
  // Finds the hierarchy through /proc/self/mountinfo and our place in it through /proc/self/cgroup, makes
  // BASE. `state_directory` only names BASE. Never fails.
  static Cgroups find(std::string_view state_directory, bool own_is_given = false);
  // As where there is no hierarchy, for this reason.
  static Cgroups none(std::string_view why);

  [[nodiscard]] bool available() const noexcept { return static_cast<bool>(base_fd_); }
  // Absolute path of BASE; "" when not available.
  [[nodiscard]] const std::string& base() const noexcept { return base_; }
  // Absolute path of the top of the hierarchy, as far as it can be seen.
  [[nodiscard]] const std::string& top() const noexcept { return home_.top; }
  // Why it is not available.
  [[nodiscard]] const std::string& why_not() const noexcept { return why_not_; }
  // BASE, open as O_PATH; -1 when not available.
  [[nodiscard]] int directory() const noexcept { return base_fd_.get(); }
  [[nodiscard]] const Controllers& controllers() const noexcept { return controllers_; }
  // What is missing here, as sentences for `status`.
  [[nodiscard]] const std::vector<std::string>& degraded() const noexcept { return degraded_; }

  // A leaf's path relative to BASE. Pure.
  [[nodiscard]] static std::string leaf(const SlotId& slot, StartId id);
  // The way back; nullopt for what no leaf() made.
  struct Leaf {
    SlotId slot;
    StartId id{};
  };
  [[nodiscard]] static std::optional<Leaf> parse_leaf(std::string_view path);

  // The leaf that this process is in or below; nullopt: in none of ours.
  [[nodiscard]] std::optional<Leaf> leaf_of(std::int64_t pid) const;

  // Makes a leaf, and its app's directory when it is the first: then the result is true. Error: errno of
  // mkdir(2).
  Result<bool> make(const std::string& leaf);
  // Whether a process is in the leaf or below. False also when the leaf is gone, true when it cannot be told
  // (no descriptors left). Zombies do not count.
  [[nodiscard]] bool populated(const std::string& leaf) const;
  // SIGKILL to all in the leaf and below, atomically with cgroup.kill (Linux 5.14), else by going over
  // cgroup.procs until a pass finds nothing new. Returns before they are gone.
  void kill(const std::string& leaf) const;
  // Whether nothing is left of the leaf, told by removing it: one system call, and the kernel refuses (EBUSY)
  // while a process is in it. remove() has to follow at leisure. False also for an empty leaf whose processes
  // made cgroups below it.
  [[nodiscard]] bool vacate(const std::string& leaf) const;
  // Removes an empty leaf with whatever empty cgroups its processes made below, and the app's directory after
  // its last leaf.
  void remove(const std::string& leaf);
  // A descriptor of the leaf's cgroup.events, already read once: from then on the kernel signals each change
  // of `populated` as POLLPRI until it is read again (kernfs). Used only while waiting for emptiness. Error:
  // the leaf is gone, or no descriptors.
  [[nodiscard]] Result<UniqueFd> events(const std::string& leaf) const;

  // Pids in the leaf itself (not below).
  [[nodiscard]] std::vector<std::int64_t> members(const std::string& leaf) const;
  // Bytes kept with the leaf as extended attribute user.svd (Linux 5.7), so that a child can be known again
  // after both keeper and engine died. Where the kernel has none, nothing is kept and label() is "".
  void set_label(const std::string& leaf, std::string_view label) const;
  [[nodiscard]] std::string label(const std::string& leaf) const;
  // BASE itself, if nothing is in it any more but ourselves; available() is false from then on.
  void remove_base();
  // All leaves that exist now.
  [[nodiscard]] std::vector<std::string> leaves() const;

 private:
  Result<> find_base(std::string_view state_directory);
  void probe();

  std::string base_;
  std::string root_;             // of the hierarchy, as far as it is visible here (Cgroup2Mount)
  std::string base_below_root_;  // BASE in /proc/PID/cgroup, behind the root
  std::string why_not_;
  Home home_;
  Controllers controllers_;
  UniqueFd base_fd_;
  std::map<std::string, std::uint32_t, std::less<>> apps_;  // directory → leaves in it
  std::vector<std::string> degraded_;
};

}  // namespace svd
