// SPDX-License-Identifier: Apache-2.0
// A person's hand on the update that runs in an app: hold it, let it go on, take it back.
#pragma once

#include <string>

#include "engine/converge/reverts.h"

namespace svd {

class Steering {
 public:
  Steering(World& world, Changes& changes, Reverts& reverts)
      : world_{world}, changes_{changes}, reverts_{reverts} {}

  Result<Begun> pause(const std::string& app, const Actor& who);
  Result<Begun> resume(const std::string& app, const Actor& who);
  // As if a replacement had failed, and with the same way back, whatever `on_failure` says.
  Result<Begun> abort(const std::string& app, const Actor& who);

 private:
  // The one app that is meant, in which an update runs.
  Result<App*> updating(const std::string& verb, const std::string& name);
  Begun steer(App& app, const plan::RolloutEvent& event, std::string text);

  World& world_;
  Changes& changes_;
  Reverts& reverts_;
};

}  // namespace svd
