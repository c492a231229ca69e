// SPDX-License-Identifier: Apache-2.0
// The keeper's side of its launchers; who has them do what is in births.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "keeper/births.h"

namespace svd::keeper {

// Plain fork(2), which waits for nobody. nullptr: errno says why.
Launcher* fork_launcher(Keeper& keeper);
// It ends when it has nothing in hand; with its process its place becomes free.
void end_launcher(Keeper& keeper, Launcher& launcher);
// An idle one, or one more where too few make progress. nullptr: errno says why, 0: one will be idle soon.
Launcher* find_launcher(Keeper& keeper, std::int64_t now);
[[nodiscard]] bool is_slow(const Launcher& launcher, std::int64_t now);
// The descriptors stay the caller's. False: not sent, and nothing has changed.
bool hand_over(Keeper& keeper, Launcher& launcher, const Start& start, const char* record, std::size_t size,
               const int* fds, std::uint32_t fd_count);

}  // namespace svd::keeper
