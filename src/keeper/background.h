// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace svd::keeper {

// Goes on in a child that leads a session of its own and has no terminal; the parent ends at once.
void go_to_background();

// The same, but the parent ends when the daemon serves, or with its sentence and its exit code when it does
// not. Returns the descriptor that tell_waiter() writes to.
[[nodiscard]] int go_to_background_awaited();

}  // namespace svd::keeper
