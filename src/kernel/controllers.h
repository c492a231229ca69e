// SPDX-License-Identifier: Apache-2.0
// The controllers of cgroup v2, and how they get from our own cgroup (HOME) to BASE, below which instances
// live.
//
// A cgroup hands its controllers to its children only while no process is in it (cgroups(7), "no internal
// processes"; the root of the hierarchy is exempt). HOME has keeper and engine in it, so these move to
// BASE/supervisor first, with whatever else is in HOME. That is done only where HOME was given to us: in a
// container or as the first process of a machine it is the top of what we see; systemd says so with a mark
// (Delegate=yes); else nobody but us may be in it. Nothing is ever written above HOME.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace svd {

enum class Controller : std::uint8_t { cpu, cpuset, io, memory, pids };
inline constexpr std::array<std::string_view, 5> controller_names{"cpu", "cpuset", "io", "memory", "pids"};
[[nodiscard]] constexpr std::string_view to_text(Controller controller) {
  return controller_names[static_cast<std::size_t>(controller)];
}

class ControllerSet {
 public:
  constexpr ControllerSet() = default;
  constexpr ControllerSet(std::initializer_list<Controller> all) {
    for (const auto each : all) insert(each);
  }
  static constexpr ControllerSet every() {
    return {Controller::cpu, Controller::cpuset, Controller::io, Controller::memory, Controller::pids};
  }
  constexpr void insert(Controller one) { bits_ |= bit(one); }
  [[nodiscard]] constexpr bool contains(Controller one) const { return (bits_ & bit(one)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr ControllerSet operator|(ControllerSet other) const {
    return of(bits_ | other.bits_);
  }
  [[nodiscard]] constexpr ControllerSet operator&(ControllerSet other) const {
    return of(bits_ & other.bits_);
  }
  [[nodiscard]] constexpr ControllerSet operator-(ControllerSet other) const {
    return of(bits_ & ~other.bits_);
  }
  bool operator==(const ControllerSet&) const = default;

 private:
  static constexpr unsigned bit(Controller one) { return 1U << static_cast<unsigned>(one); }
  static constexpr ControllerSet of(unsigned bits) {
    ControllerSet set;
    set.bits_ = bits;
    return set;
  }
  unsigned bits_ = 0;
};

// Those of ours that cgroup.controllers or cgroup.subtree_control names.
[[nodiscard]] ControllerSet parse_controllers(std::string_view text);

// Gives `wanted` to the children of the cgroup that is open as `directory`. Returns those that they have
// afterwards; errno is of the last refusal.
ControllerSet enable_controllers(int directory, ControllerSet wanted);

// Our place in the hierarchy.
struct Home {
  std::string top;         // absolute path of the hierarchy's top, as far as it can be seen
  std::string name;        // our own cgroup below it: "/", "/system.slice/svd.service"
  bool has_owner = false;  // systemd runs here: what it has not marked is its own
  bool is_given = false;   // whoever started us says so: a user's systemd (252, say) marks nothing
  [[nodiscard]] std::string path() const { return name == "/" ? top : top + name; }
};

struct Controllers {
  ControllerSet usable;  // they are in BASE, and may be given to its children
  // What each of the others is: "not delegated to svd's cgroup /x".
  std::array<std::string, controller_names.size()> missing;

  // "the memory controller is not delegated to svd's cgroup /x"; "" when it is usable.
  [[nodiscard]] std::string why_not(Controller one) const;
  // For `status`: one sentence for all that are missing for one reason.
  [[nodiscard]] std::vector<std::string> degraded() const;
};

// Brings every controller that HOME has to BASE, a directory of it.
[[nodiscard]] Controllers prepare_controllers(const Home& home, const std::string& base);

// Undoes it, when nothing runs any more: HOME has no controllers for its children, our processes are back in
// it, and BASE/supervisor is gone. So HOME can be given to the next one.
void give_back(const Home& home, const std::string& base);

// Where our own processes go: a cgroup of BASE.
inline constexpr std::string_view supervisor_name = "supervisor";

}  // namespace svd
