// SPDX-License-Identifier: Apache-2.0
#include "kernel/limits.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/unique_fd.h"
#include "kernel/cgroup_files.h"
#include "unit/cgroup_tree.h"

using namespace svd;
using namespace svd::test;

namespace {

// One cgroup with the files that a real one has.
struct Leaf {
  Leaf() {
    for (const auto* file : {"memory.max", "memory.high", "memory.swap.max", "cpu.max", "cpu.weight",
                             "io.weight", "io.max", "pids.max", "cpuset.cpus"})
      tree.put(std::string{"/leaf/"} + file, "");
    directory = UniqueFd{::open(tree.top().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  }
  // Result of each: "memory.max=64" or the error of the first that is refused.
  std::string write(const Limits& limits, bool unset_too = false) const {
    for (const auto& file : limit_files(limits))
      if (file.is_set || unset_too)
        if (const auto written = write_limit(directory.get(), "leaf", file, limits); !written)
          return std::string{file.key} + ": " + written.error().text;
    return "";
  }
  [[nodiscard]] std::string get(const std::string& file) const { return tree.get("/leaf/" + file); }
  CgroupTree tree;
  UniqueFd directory;
};

}  // namespace

TEST_CASE("each limit goes to its file in the kernel's words", "[kernel]") {
  const Leaf leaf;
  Limits limits;
  limits.memory = 64U << 20;
  limits.memory_high = 1U << 20;
  limits.memory_swap = 0;
  limits.cpu = 1.5;
  limits.cpu_weight = 50;
  limits.io_weight = 200;
  limits.io_max = {{"8:0", {4096, {}, 10, {}}}};
  limits.pids = 20;
  limits.cpuset = "0-1";
  CHECK(leaf.write(limits) == "");
  CHECK(leaf.get("memory.max") == "67108864");
  CHECK(leaf.get("memory.high") == "1048576");
  CHECK(leaf.get("memory.swap.max") == "0");
  CHECK(leaf.get("cpu.max") == "150000 100000");
  CHECK(leaf.get("cpu.weight") == "50");
  CHECK(leaf.get("io.weight") == "200");
  CHECK(leaf.get("io.max") == "8:0 rbps=4096 wbps=max riops=10 wiops=max");
  CHECK(leaf.get("pids.max") == "20");
  CHECK(leaf.get("cpuset.cpus") == "0-1\n");
}

TEST_CASE("a limit that is not set writes nothing, and lifts the former one when that is asked", "[kernel]") {
  const Leaf leaf;
  CHECK(leaf.write({}) == "");
  CHECK(leaf.get("memory.max") == "");
  leaf.tree.put("/leaf/io.max", "8:16 rbps=1 wbps=max riops=max wiops=max\n");
  CHECK(leaf.write({}, true) == "");
  CHECK(leaf.get("memory.max") == "max");
  CHECK(leaf.get("cpu.max") == "max 100000");
  CHECK(leaf.get("cpu.weight") == "100");
  CHECK(leaf.get("cpuset.cpus") == "\n");
  CHECK(leaf.get("io.max").starts_with("8:16 rbps=max wbps=max riops=max wiops=max"));
}

TEST_CASE("a weight goes to each scheduler that has one, in its own measure", "[kernel]") {
  const Leaf leaf;
  for (const auto& [weight, of_bfq] : {std::pair{50U, "50"}, {100U, "100"}, {10'000U, "1000"}}) {
    leaf.tree.put("/leaf/io.bfq.weight", "");
    Limits both;
    both.io_weight = weight;
    CHECK(leaf.write(both) == "");
    CHECK(leaf.get("io.weight") == std::to_string(weight));
    CHECK(leaf.get("io.bfq.weight") == of_bfq);
  }
  std::filesystem::remove(leaf.tree.path("/leaf/io.bfq.weight"));
  std::filesystem::remove(leaf.tree.path("/leaf/io.weight"));
  Limits limits;
  limits.io_weight = 7;
  CHECK(leaf.write(limits).find("No such file or directory") != std::string::npos);
  leaf.tree.put("/leaf/io.bfq.weight", "");
  CHECK(leaf.write(limits) == "");
  CHECK(leaf.get("io.bfq.weight") == "7");
}

TEST_CASE("an instance without a bound of its own has a share of the kernel's", "[kernel]") {
  CHECK(usual_pids(4'194'304, 30'000) == 4'500);
  CHECK(usual_pids(32'768, 100'000) == 4'915);
  CHECK(usual_pids(1, 1) == 1);
}

TEST_CASE("limits ask for their controllers and no others", "[kernel]") {
  CHECK(controllers_of({}).empty());
  Limits limits;
  limits.cpuset = "0";
  limits.memory_swap = 0;
  CHECK(controllers_of(limits) == ControllerSet{Controller::cpuset, Controller::memory});
}

TEST_CASE("a disk is found by its number, or by a path on it", "[kernel]") {
  CHECK(disk_number("8:0") == std::string{"8:0"});
  CHECK(disk_number("/no/such/place").error().text ==
        "cannot find the disk of '/no/such/place': No such file or directory");
  CHECK(disk_number("/proc").error().text.ends_with("its file system is not on one"));
  struct stat status {};
  REQUIRE(::stat("/", &status) == 0);
  if (major(status.st_dev) == 0) return;  // an overlay
  const auto number = disk_number("/");
  REQUIRE(number);
  CHECK(std::filesystem::exists("/sys/dev/block/" + *number));
  CHECK_FALSE(std::filesystem::exists("/sys/dev/block/" + *number + "/partition"));
}

TEST_CASE("use is read as far as the files are there", "[kernel]") {
  const Leaf leaf;
  CHECK(read_usage(leaf.directory.get(), "leaf", ControllerSet::every(), Figures::all) == Usage{});
  CHECK(read_usage(leaf.directory.get(), "gone", ControllerSet::every(), Figures::all) == Usage{});
  leaf.tree.put("/leaf/memory.current", "1048576\n");
  leaf.tree.put("/leaf/memory.peak", "2097152\n");
  leaf.tree.put("/leaf/memory.swap.current", "0\n");
  leaf.tree.put("/leaf/cpu.stat",
                "usage_usec 1500000\nuser_usec 1\nsystem_usec 2\nnr_throttled 3\nthrottled_usec 70\n");
  leaf.tree.put("/leaf/pids.current", "3\n");
  leaf.tree.put(
      "/leaf/io.stat",
      "8:0 rbytes=100 wbytes=10 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=5 wbytes=6 rios=1 wios=1\n");
  leaf.tree.put("/leaf/cpu.pressure", "some avg10=12.50 avg60=1.00 avg300=0.00 total=5\nfull avg10=0.00\n");
  leaf.tree.put("/leaf/memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
  Usage want;
  want.memory = 1U << 20;
  want.cpu_time = 1'500'000;
  CHECK(read_usage(leaf.directory.get(), "leaf", ControllerSet::every(), Figures::brief) == want);
  const ControllerSet none;
  CHECK_FALSE(read_usage(leaf.directory.get(), "leaf", none, Figures::brief).memory);
  want.memory_peak = 2U << 20;
  want.memory_swap = 0;
  want.cpu_throttled = 70;
  want.pids = 3;
  want.io_read = 105;
  want.io_written = 16;
  want.cpu_pressure = 12.5;
  want.memory_pressure = 0;
  CHECK(read_usage(leaf.directory.get(), "leaf", ControllerSet::every(), Figures::all) == want);
}

TEST_CASE("a file without disks says that nothing was read or written", "[kernel]") {
  const Leaf leaf;
  leaf.tree.put("/leaf/io.stat", "");
  CHECK(read_usage(leaf.directory.get(), "leaf", ControllerSet::every(), Figures::all).io_read == 0U);
}
