// SPDX-License-Identifier: Apache-2.0
// When a daemon that belongs to its apps (`svd FILE`, a container) has nothing left to live for:
//
//  * an essential app that has failed for good ends it at once, with the exit code of what failed first;
//  * when every essential app has ended, it ends: with that of the first that failed, else with 0;
//  * where no app is essential, all of them are together: it ends when nothing will ever run again by itself.
//
// An app has ended when none of its instances will start again by itself. What a person stopped, or scaled to
// none, has not: a person can start it again. Nor has what is being updated.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/time.h"
#include "model/phase.h"

namespace svd::plan {

struct AppEnd {
  bool essential = false;
  bool empty = false;  // it is to have no instance
  bool ended = false;
  std::optional<WallTime> failed{};  // when its first instance did; only where it has ended
};

struct Ending {
  std::optional<std::size_t> failed{};  // the app that did so first; nullopt: none
  bool chosen = false;                  // some app is essential
};

// nullopt: it goes on.
[[nodiscard]] std::optional<Ending> ending(std::span<const AppEnd> apps);

// What a shell would say of it.
[[nodiscard]] int exit_code(const ExitStatus& status);
[[nodiscard]] int exit_code(const StartFailure& failure);

}  // namespace svd::plan
