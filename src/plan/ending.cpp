// SPDX-License-Identifier: Apache-2.0
#include "plan/ending.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace svd::plan {

std::optional<Ending> ending(std::span<const AppEnd> apps) {
  Ending out;
  out.chosen = std::ranges::any_of(apps, &AppEnd::essential);
  bool all = true, some = false;
  for (std::size_t i = 0; i < apps.size(); ++i) {
    const auto& app = apps[i];
    if (out.chosen && !app.essential) continue;
    some = some || app.ended;
    all = all && (app.ended || app.empty);
    if (app.ended && app.failed && (!out.failed || *app.failed < *apps[*out.failed].failed)) out.failed = i;
  }
  if (!some || (!all && !(out.chosen && out.failed))) return std::nullopt;
  return out;
}

int exit_code(const ExitStatus& status) {
  constexpr int by_signal = 128;
  if (status.kind == ExitStatus::Kind::signal) return by_signal + status.number;
  // 0: too many restarts, each after a clean end.
  return status.kind == ExitStatus::Kind::code && status.number != 0 ? status.number : EXIT_FAILURE;
}

int exit_code(const StartFailure& failure) {
  constexpr int not_executable = 126, not_found = 127;
  if (failure.stage != StartStage::exec) return EXIT_FAILURE;
  // 0: the detail says what was not found.
  return failure.err == 0 || failure.err == ENOENT || failure.err == ENOTDIR ? not_found : not_executable;
}

}  // namespace svd::plan
