// SPDX-License-Identifier: Apache-2.0
// Who waits for whom, on the way up and on the way down.
//
// Up: a first start waits until each dependency is where the app wants it. Who waits for what has failed is
// not started either, but a change does not wait with it: that slot has failed, with the dependency's name.
//
// Down: what is to end ends after all that depends on it and is to end as well. Nobody waits for what stays,
// and a wait is bounded by the stops of those that are waited for. Dependencies have no cycle within a file;
// but apps can have gone back to different revisions of it, and so two may depend on each other. Then neither
// waits for the other.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "model/app_spec.h"
#include "model/names.h"
#include "model/phase.h"

namespace svd::plan {

// A slot, as others depend on it.
struct DependencySlot {
  std::uint32_t index = 0;
  Phase phase = Phase::waiting;
  bool counts = true;        // it is wanted, by the user and by the number of instances
  bool has_process = false;  // of its main instance
  bool ending = false;       // it is to have no process
  bool live = false;         // it has one
};

// All apps, as others depend on them.
class Graph {
 public:
  virtual ~Graph() = default;
  // What the app waits for; nullptr: there is no such app.
  [[nodiscard]] virtual const std::map<Name, Dependency>* depends_on(const AppId& id) const = 0;
  // Those that may name it; nullptr: nobody does.
  [[nodiscard]] virtual const std::set<AppId>* dependents(const AppId& id) const = 0;
  // Whether `holds` is true of all its slots.
  [[nodiscard]] virtual bool all_slots(const AppId& id,
                                       const std::function<bool(const DependencySlot&)>& holds) const = 0;
  // Why its sockets cannot be had; "": they can.
  [[nodiscard]] virtual std::string unbound(const AppId& id) const = 0;
  // "web/0: signal SIGKILL".
  [[nodiscard]] virtual std::string why_ended(const AppId& id, std::uint32_t slot) const = 0;
};

// What an app waits for before its first start; nothing: "".
struct Awaited {
  std::string text;   // "waiting for redis to be ready"
  bool down = false;  // it has failed, so that this may last
};

[[nodiscard]] bool meets(const DependencySlot& slot, Dependency how);
[[nodiscard]] bool waits(const Graph& graph, const AppId& id);
[[nodiscard]] Awaited awaits(const Graph& graph, const AppId& id);
// Something that depends on it is to end, too, and has not yet.
[[nodiscard]] bool is_needed(const Graph& graph, const AppId& id);

}  // namespace svd::plan
