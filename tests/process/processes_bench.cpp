// SPDX-License-Identifier: Apache-2.0
// What starting, restarting and stopping cost below the engine: LinuxProcesses, the protocol, the keeper and
// the cgroups. Not a test:
//   test_processes "[.bench]"
// SVD_BENCH is a command line, split at blanks, of a program that does as little as possible and then waits
// (default: /bin/sleep 1000). CPU times are those of this process and of the keeper, without the children's;
// a restart is from the kill to the report that the next one has executed its program.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>

#include "kernel/proc.h"
#include "processes_support.h"

namespace {

using namespace svd;
using namespace svd::test;

double ms_of(Nanos time) { return static_cast<double>(time.count()) / 1e6; }

double own_cpu_ms() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ms = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

double cpu_ms(std::int64_t pid) {
  return std::strtod(slurp("/proc/" + std::to_string(pid) + "/schedstat").c_str(), nullptr) / 1e6;
}

struct Reading {
  explicit Reading(std::int64_t keeper_pid) : keeper{keeper_pid} {}
  void print(const char* what, std::size_t count) const {
    std::printf("%-10s %5zu: %8.2f ms wall, %7.2f ms here, %7.2f ms keeper\n", what, count,
                ms_of(Loop::now().mono - wall), own_cpu_ms() - own, cpu_ms(keeper) - keepers);
  }
  std::int64_t keeper;
  TimePoint wall = Loop::now().mono;
  double own = own_cpu_ms();
  double keepers = cpu_ms(keeper);
};

void settle(Lab& lab) {
  while (sd_event_run(lab.loop.get(), 20'000) > 0) continue;
}

// One after the other, as crashes come.
void measure_restarts(Lab& lab, const std::vector<std::string>& program,
                      std::vector<std::pair<StartId, std::int64_t>> living) {
  std::vector<double> times;
  const Reading reading{lab.keeper};
  for (const auto& [id, pid] : living) {
    const auto from = Loop::now().mono;
    ::kill(static_cast<pid_t>(pid), SIGKILL);
    lab.exit_of(id);
    lab.kill_and_wait(id);
    lab.processes->forget({&id, 1});
    lab.start(lab.plan(program));
    times.push_back(ms_of(Loop::now().mono - from));
    lab.events.clear();
  }
  reading.print("restarts", times.size());
  std::ranges::sort(times);
  std::printf("a restart: median %.3f ms, p90 %.3f ms\n", times[times.size() / 2],
              times[times.size() * 9 / 10]);
}

void run(std::size_t count, const std::vector<std::string>& program) {
  Lab lab;
  const Reading start{lab.keeper};
  for (std::size_t i = 0; i < count; ++i) lab.processes->spawn(lab.plan(program));
  lab.processes->flush();
  lab.run_until([&] { return lab.events.size() >= count; });
  start.print("start", count);
  std::vector<std::pair<StartId, std::int64_t>> living;
  for (const auto& event : lab.events)
    if (const auto* one = std::get_if<Spawned>(&event)) living.emplace_back(one->id, one->pid);
  REQUIRE(living.size() == count);
  settle(lab);
  lab.events.clear();
  measure_restarts(
      lab, program,
      {living.begin(), living.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(count, 100))});
  settle(lab);
  const Reading stop{lab.keeper};
  std::vector<StartId> ids;
  for (const auto& child : lab.processes->children()) ids.push_back(child.id);
  for (const auto id : ids) lab.processes->signal(id, SIGTERM, KillTarget::group);
  lab.run_until([&] { return lab.events.size() >= count; });
  for (const auto id : ids) lab.processes->kill(id);
  lab.run_until([&] { return lab.events.size() >= 2 * count; });
  stop.print("stop", count);
  std::printf("keeper: %s", slurp("/proc/" + std::to_string(lab.keeper) + "/smaps_rollup").c_str());
}

}  // namespace

TEST_CASE("figures: start, restart and stop of a thousand", "[.bench]") {
  const char* const given = std::getenv("SVD_BENCH");
  std::istringstream words{given == nullptr ? "/bin/sleep 1000" : given};
  std::vector<std::string> program;
  for (std::string word; words >> word;) program.push_back(word);
  run(1000, program);
}
