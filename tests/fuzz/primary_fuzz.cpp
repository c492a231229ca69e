// SPDX-License-Identifier: Apache-2.0
// Any text as what an engine remembered of an app's channel: what is read is what is written, and the app can
// go on with it. The first line is of the app, each further one of a member.
#include <string>

#include "fuzz/fuzz.h"
#include "ipc/primary.h"

using namespace svd;
using namespace svd::ipc;
using fuzz::require;

namespace {

// Whoever it took over goes on and leaves again.
void live_on(Primary& primary) {
  primary.resume(TimePoint{});
  for (const auto id : primary.members()) {
    primary.says_ready(id, TimePoint{});
    primary.drain(id);
    for (const auto& key : primary.opened_keys()) static_cast<void>(primary.shared(id, key));
    primary.leave(id);
  }
  primary.tick(TimePoint{} + std::chrono::hours{1});
  static_cast<void>(primary.take());
}

}  // namespace

FUZZ_TARGET(primary) {
  fuzz::Input input{bytes};
  Primary first{0}, second{0};
  const auto app = input.line();
  if (first.restore(app)) require(second.restore(first.save()));
  while (!input.empty()) first.restore_member(input.line());
  require(second.save() == first.save());
  for (const auto id : first.members()) {
    require(second.restore_member(first.save(id)));
    require(second.save(id) == first.save(id));
  }
  live_on(first);
}
