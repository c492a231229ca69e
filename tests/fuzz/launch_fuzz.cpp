// SPDX-License-Identifier: Apache-2.0
// A start as the engine writes it is the start that the keeper reads, whatever is in it.
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "keeper/wire.h"
#include "kernel/launch_record.h"

using namespace svd;
using fuzz::require;

namespace {

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> all;
  for (fuzz::Input input{text}; !input.empty();) all.emplace_back(input.until('\0'));
  return all;
}

std::string text(std::string_view piece) { return std::string{piece.substr(0, piece.find('\0'))}; }

LaunchPlan plan_of(fuzz::Input& input) {
  LaunchPlan plan;
  plan.id = StartId{input.number<std::uint32_t>()};
  plan.argv = words(input.piece());
  plan.envp = words(input.piece());
  plan.cwd = text(input.piece());
  plan.stop.timeout = Millis{input.number<std::int32_t>()};
  plan.stop.signal = input.number<std::uint8_t>() % 65;
  const auto given = input.number<std::uint8_t>();
  if ((given & 1) != 0) plan.umask = input.number<std::uint32_t>();
  if ((given & 2) != 0) plan.nice = input.number<std::int32_t>();
  if ((given & 4) != 0) plan.rlimits[input.number<std::uint8_t>()] = {input.number<std::uint64_t>(), 7};
  return plan;
}

LaunchDetails details_of(fuzz::Input& input) {
  LaunchDetails details;
  details.cgroup = text(input.piece());
  details.cookie = std::string{input.piece()};
  details.held = words(input.piece());
  details.stdio_path = text(input.piece());
  const auto given = input.number<std::uint8_t>();
  if ((given & 1) != 0) details.stdio = keeper::Stdio::path;
  if ((given & 2) != 0) details.has_channel = true;
  if ((given & 4) != 0) details.identity.uid = input.number<std::uint32_t>();
  if ((given & 8) != 0) details.identity.groups = {1, 2, input.number<std::uint32_t>()};
  if ((given & 16) != 0) details.steps.push_back({keeper::Op::put_file, std::string{input.piece()}, "/x"});
  return details;
}

bool is_fit(const LaunchPlan& plan, const LaunchDetails& details) {
  bool held_fit = details.held.size() + 1 <= keeper::max_passed;
  for (const auto& name : details.held)
    held_fit = held_fit && !name.empty() && name.size() <= keeper::max_name;
  const auto& cgroup = details.cgroup;
  return plan.id != StartId{} && !plan.argv.empty() && details.cookie.size() <= keeper::max_cookie &&
         held_fit && cgroup.size() <= keeper::max_cgroup &&
         (cgroup.empty() || keeper::stays_below(cgroup.c_str(), cgroup.size())) &&
         (details.stdio != keeper::Stdio::path || !details.stdio_path.empty());
}

bool same(char* const* have, std::uint32_t count, const std::vector<std::string>& want) {
  if (count != want.size() || have[count] != nullptr) return false;
  for (std::size_t i = 0; i < want.size(); ++i)
    if (want[i] != have[i]) return false;
  return true;
}

void compare(const keeper::Launch& launch, const LaunchPlan& plan, const LaunchDetails& details) {
  const auto& spawn = *launch.spawn;
  require(spawn.id == static_cast<std::uint64_t>(plan.id));
  require(same(launch.argv, spawn.argc, plan.argv) && same(launch.envp, spawn.envc, plan.envp));
  require(same(launch.exec, spawn.execc, exec_candidates(plan.argv.front(), plan.envp)));
  require((launch.cwd == nullptr ? "" : launch.cwd) == plan.cwd);
  require((launch.cgroup == nullptr ? "" : launch.cgroup) == details.cgroup);
  require(std::string_view(launch.cookie, spawn.cookie_size) == details.cookie);
  require(spawn.passed_count == details.held.size() + (details.has_channel ? 1 : 0));
  for (std::size_t i = 0; i < details.held.size(); ++i)
    require(launch.name(launch.passed[i]) == details.held[i]);
  require(spawn.step_count == details.steps.size());
  for (std::size_t i = 0; i < details.steps.size(); ++i) {
    const auto& step = launch.steps[i];
    require(std::string_view(launch.text(step.a), step.size) == details.steps[i].a);
    require(launch.text(step.b) == details.steps[i].b);
  }
}

}  // namespace

FUZZ_TARGET(launch) {
  fuzz::Input input{bytes};
  const auto plan = plan_of(input);
  const auto details = details_of(input);
  auto record = fuzz::within(256 * bytes.size() + (64U << 10U), [&] { return launch_record(plan, details); });
  require(record.size() % 8 == 0 && record.back() == '\0');
  shift_attached(record, 1);
  std::vector<std::uint64_t> aligned(record.size() / 8);
  std::memcpy(aligned.data(), record.data(), record.size());
  auto message = keeper::open_file(reinterpret_cast<char*>(aligned.data()), record.size(), 1);
  keeper::Launch launch;
  const auto next = keeper::next_spawn(message, launch);
  require((next == keeper::Next::record) == is_fit(plan, details));
  if (next == keeper::Next::record) compare(launch, plan, details);
}
