// SPDX-License-Identifier: Apache-2.0
// The sockets of apps: when they are bound, who serves them, and when they are released.
//
// They belong to the app: neither a stop, a crash, a replacement nor a scale to 0 closes one. A file that
// names other ones binds those before anything is recorded, so that an address in use refuses the whole
// apply; the former ones are released when nothing that runs, or may come back, was started with them.
#pragma once

#include <string>
#include <vector>

#include "engine/ports.h"
#include "engine/world/world.h"

namespace svd {

class SocketOwner {
 public:
  SocketOwner(World& world, ListenerPort& listeners) : world_{world}, listeners_{listeners} {}

  // All that a file names, or nothing of it.
  Result<> bind_all(const Ecosystem& want);
  // The file is accepted: of apps that nobody knows, nothing is held any more.
  void unbind_unknown(const Name& ecosystem);
  // The app has another version: what that does not name is released when it may.
  void release(App& app);
  void release_unused(App& app);
  // For as many slots as that, or as there are and will be.
  Result<> bind(const App& app, const AppSpec& spec, std::uint32_t slots);
  // The sockets of its version, or what a former version has besides. Those are bound when the version is
  // accepted; but when the machine comes up again somebody else may have an address, and of a former version
  // nobody waits for it: it is asked for when it is needed.
  Result<> bind(App& app, const Version& version);
  // After a former engine. An app whose sockets cannot be had waits, and nobody waits for it.
  void rebind(App& app);
  void retry_binding();
  // Its own sockets are there: from now on it may start.
  void admit(App& app);
  // The app is no more.
  void close(const AppId& id);
  // What a former engine bound for a file that it did not come to accept.
  void close_unaccepted();
  void tell_who_serves();

 private:
  [[nodiscard]] std::vector<Giver> givers(const Ecosystem& want) const;
  void unbind(const Ecosystem& want, const Name& last);
  Result<> bind_accepted(const App& app, const AppSpec& spec, bool keeps);
  void await(App& app, const std::string& why);

  World& world_;
  ListenerPort& listeners_;
};

}  // namespace svd
