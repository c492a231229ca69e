// SPDX-License-Identifier: Apache-2.0
#include "kernel/controllers.h"

#include <sys/xattr.h>
#include <unistd.h>

#include "unit/cgroup_tree.h"

using namespace svd;
using namespace svd::test;

namespace {

using enum Controller;

// /svc is our own cgroup, /svc/svd-1 is BASE. What a real cgroup answers with in cgroup.subtree_control is
// put there beforehand where a test needs it.
struct Place {
  explicit Place(const std::string& offered = "cpu io memory pids") {
    tree.put("/cgroup.controllers", "cpuset cpu io memory pids\n");
    tree.put("/svc/cgroup.controllers", offered + "\n");
    tree.put("/svc/cgroup.subtree_control", "");
    tree.put("/svc/cgroup.type", "domain\n");
    tree.put("/svc/cgroup.procs", std::to_string(::getppid()) + "\n" + std::to_string(::getpid()) + "\n");
    tree.put("/svc/svd-1/supervisor/cgroup.procs", "");
  }
  [[nodiscard]] Controllers prepare(bool has_owner = false, bool is_given = false) const {
    return prepare_controllers({tree.top(), "/svc", has_owner, is_given}, tree.path("/svc/svd-1"));
  }
  CgroupTree tree;
};

}  // namespace

TEST_CASE("controllers are read from a line of names, and strangers are passed over", "[kernel]") {
  CHECK(parse_controllers("cpuset cpu io memory hugetlb pids rdma misc\n") == ControllerSet::every());
  CHECK(parse_controllers("hugetlb\n").empty());
  CHECK(parse_controllers("").empty());
  CHECK(parse_controllers("memory") == ControllerSet{memory});
}

TEST_CASE("what our own cgroup has is given to its children, after our processes have left it", "[kernel]") {
  const Place place;
  (void)place.prepare();
  CHECK(place.tree.get("/svc/cgroup.subtree_control") == "+cpu +io +memory +pids");
  const auto moved = place.tree.get("/svc/svd-1/supervisor/cgroup.procs");
  CHECK(moved.starts_with(std::to_string(::getpid())));  // the last one that was written
}

TEST_CASE("at the end all is as it was found", "[kernel]") {
  const Place place;
  place.tree.put("/svc/cgroup.subtree_control", "cpu memory\n");
  place.tree.put("/svc/svd-1/cgroup.subtree_control", "memory\n");
  place.tree.put("/svc/cgroup.procs", "");
  place.tree.put("/svc/svd-1/supervisor/cgroup.procs", "4711\n");
  give_back({place.tree.top(), "/svc", true}, place.tree.path("/svc/svd-1"));
  CHECK(place.tree.get("/svc/cgroup.subtree_control").starts_with("-cpu -memory"));
  CHECK(place.tree.get("/svc/svd-1/cgroup.subtree_control").starts_with("-memory"));
  CHECK(place.tree.get("/svc/cgroup.procs") == "4711");
}

TEST_CASE("controllers that were given already are used, and nothing is moved without need", "[kernel]") {
  const Place place;
  place.tree.put("/svc/cgroup.subtree_control", "cpu io memory pids\n");
  place.tree.put("/svc/cgroup.procs", "");
  const auto controllers = place.prepare(true);
  CHECK(controllers.usable == ControllerSet{cpu, io, memory, pids});
  CHECK(place.tree.get("/svc/cgroup.subtree_control") == "cpu io memory pids\n");
  CHECK(controllers.why_not(memory).empty());
}

TEST_CASE("a controller that is not there is named with the reason", "[kernel]") {
  const Place place{"memory pids"};
  place.tree.put("/cgroup.controllers", "cpuset cpu memory pids\n");
  place.tree.put("/svc/cgroup.subtree_control", "memory pids\n");
  const auto controllers = place.prepare();
  CHECK(controllers.why_not(io) ==
        "the io controller is not in cgroup v2 here (off, or in use by cgroup v1)");
  CHECK(controllers.why_not(cpu) == "the cpu controller is not delegated to svd's cgroup /svc");
  CHECK(
      controllers.degraded() ==
      std::vector<std::string>{
          "limits and figures are incomplete: of the cgroup controllers, cpu and cpuset are not delegated to "
          "svd's cgroup /svc",
          "limits and figures are incomplete: of the cgroup controllers, io is not in cgroup v2 here (off, "
          "or "
          "in use by cgroup v1)"});
}

TEST_CASE("in a container, a controller that is not seen may well be there outside", "[kernel]") {
  const Place place{"memory pids"};
  place.tree.put("/cgroup.controllers", "memory pids\n");
  place.tree.put("/cgroup.type", "domain\n");
  CHECK(place.prepare().why_not(io) == "the io controller is not delegated to svd's cgroup namespace");
}

TEST_CASE("a cgroup that systemd has not marked as ours is left as it is", "[kernel]") {
  const Place place;
  const auto controllers = place.prepare(true);
  CHECK(controllers.usable.empty());
  CHECK(controllers.why_not(memory) == "the memory controller is not delegated to svd's cgroup /svc");
  CHECK(place.tree.get("/svc/cgroup.subtree_control").empty());
  CHECK(place.tree.get("/svc/svd-1/supervisor/cgroup.procs").empty());
}

TEST_CASE("systemd's mark makes a cgroup ours", "[kernel]") {
  const Place place;
  if (::setxattr(place.tree.path("/svc").c_str(), "user.delegate", "1", 1, 0) < 0)
    return;  // not on this disk
  (void)place.prepare(true);
  CHECK(place.tree.get("/svc/cgroup.subtree_control") == "+cpu +io +memory +pids");
}

TEST_CASE("a cgroup that whoever started us has given is ours without a mark", "[kernel]") {
  const Place place;
  (void)place.prepare(true, true);
  CHECK(place.tree.get("/svc/cgroup.subtree_control") == "+cpu +io +memory +pids");
}

TEST_CASE("a cgroup with processes of others is not ours", "[kernel]") {
  const Place place;
  const auto stranger = 2 * ::getpid() + ::getppid();  // neither; in a container the parent may be 1
  place.tree.put("/svc/cgroup.procs", std::to_string(::getpid()) + "\n" + std::to_string(stranger) + "\n");
  const auto controllers = place.prepare();
  CHECK(controllers.usable.empty());
  CHECK(place.tree.get("/svc/cgroup.subtree_control").empty());
}

TEST_CASE("the top of what we see is ours, and the root of the hierarchy keeps its processes", "[kernel]") {
  CgroupTree tree;
  tree.put("/cgroup.controllers", "memory pids\n");
  tree.put("/cgroup.subtree_control", "");
  tree.put("/cgroup.procs", "1\n2\n");
  tree.put("/svd-1/supervisor/cgroup.procs", "");
  const bool is_root = GENERATE(true, false);
  if (!is_root) tree.put("/cgroup.type", "domain\n");  // a container
  (void)prepare_controllers({tree.top(), "/", true}, tree.path("/svd-1"));
  CHECK(tree.get("/cgroup.subtree_control") == "+memory +pids");
  CHECK(tree.get("/svd-1/supervisor/cgroup.procs") == (is_root ? "" : "2"));
}
