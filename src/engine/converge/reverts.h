// SPDX-License-Identifier: Apache-2.0
// When a rollout fails. What has not proved itself is withdrawn, what serves is not touched. Then, by
// `on_failure`, the app goes back to the last version that ran in all its slots (a rollout of its own, by the
// same rules), or stays as it is, with both versions, until somebody decides. A way back that fails as well
// is not tried again, and there is no way back from a version to itself.
#pragma once

#include <string>

#include "engine/converge/slots.h"

namespace svd {

class Reverts {
 public:
  Reverts(World& world, Changes& changes, SocketOwner& sockets, Handover& handover, Slots& slots)
      : world_{world}, changes_{changes}, sockets_{sockets}, handover_{handover}, slots_{slots} {}

  void fail(App& app);
  void abandon(App& app, bool go_back);
  // Nothing is left to be replaced.
  void finish(App& app);

 private:
  void carry_out(App& app, plan::RolloutCommand command);
  bool go_back(App& app);
  void halt(App& app);
  void tell_end(App& app, const std::string& text);
  void note(const App& app, const std::string& text);

  World& world_;
  Changes& changes_;
  SocketOwner& sockets_;
  Handover& handover_;
  Slots& slots_;
};

}  // namespace svd
