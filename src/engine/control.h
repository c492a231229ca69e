// SPDX-License-Identifier: Apache-2.0
// What clients may ask of the engine, and see of it. The bus serves exactly this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/app_spec.h"
#include "model/plan_step.h"
#include "model/usage.h"
#include "model/views.h"

namespace svd {

// Who asks, from the socket's peer credentials.
struct Actor {
  std::uint32_t uid = 0;
  std::string name;  // "root"; the number where the name is unknown
};

// A change that was begun, or nothing to do (id 0).
struct Begun {
  ChangeId change{};
  std::uint64_t revision = 0;
};

// Names as a person types them: "web", "web/0", "shop:web", "shop:", "all", "/regex/" (on "shop:web"). An
// unknown one is an Error (no_such_process → D-Bus org.svd1.Error.NotFound) that suggests the nearest.
using Names = std::vector<std::string>;

// What changes things. Who may is for the bus to say.
class Commands {
 public:
  virtual ~Commands() = default;

  // Decodes, diffs, records a revision, begins to converge; apps of the same ecosystem that the file no
  // longer has are stopped and removed. Error invalid_argument: the text is the rendered diagnostics.
  virtual Result<Begun> apply(Source source, const Actor& who) = 0;
  virtual Result<std::vector<PlanStep>> plan(Source source) = 0;
  virtual Result<Begun> start(const Names& names, const Actor& who) = 0;
  virtual Result<Begun> stop(const Names& names, const Actor& who) = 0;
  virtual Result<Begun> restart(const Names& names, const Actor& who) = 0;
  // Replaces the instances by `update`, as a new generation would. Apps only.
  virtual Result<Begun> reload(const Names& names, const Actor& who) = 0;
  // The rollout that runs in this app: no further step is taken; it goes on; it is taken back (what was
  // replaced returns to the version before). Error: none runs, or it is not paused.
  virtual Result<Begun> pause(const std::string& app, const Actor& who) = 0;
  virtual Result<Begun> resume(const std::string& app, const Actor& who) = 0;
  virtual Result<Begun> abort(const std::string& app, const Actor& who) = 0;
  // One JSON value for the programs of these instances, over their channels. Returns how many got it. Error:
  // who did not, and why; all others did.
  virtual Result<std::uint32_t> send(const Names& names, const std::string& json, const Actor& who) = 0;
  virtual Result<Begun> remove(const Names& names, const Actor& who) = 0;  // verb `delete`; apps only
  virtual Result<Begun> scale(const std::string& app, std::uint32_t instances, const Actor& who) = 0;
  virtual Result<std::uint32_t> signal(const Names& names, int number, KillTarget whom, const Actor& who) = 0;
  virtual Result<Begun> rollback(const std::string& ecosystem, std::uint64_t revision,
                                 const Actor& who) = 0;  // 0: previous
  // Stops everything in order, remembers it as it was, then asks the daemon to end. Idempotent; `force` kills
  // at once.
  virtual void shutdown(const Actor& who, bool force) = 0;
};

// What there is to see: all of it. The bus shows each reader the part that is for that one (bus/sight.h).
class Views {
 public:
  virtual ~Views() = default;

  [[nodiscard]] virtual Result<std::vector<AppView>> apps(const Names& names) const = 0;  // empty: all
  [[nodiscard]] virtual Result<std::vector<InstanceView>> instances(const Names& names) const = 0;
  [[nodiscard]] virtual std::optional<AppView> app(const AppId& id) const = 0;
  [[nodiscard]] virtual std::optional<InstanceView> instance(const SlotId& id) const = 0;
  // Read from the kernel now; nothing is set for what does not run.
  [[nodiscard]] virtual Usage usage(const AppId& id, Figures figures) const = 0;
  [[nodiscard]] virtual Usage usage(const SlotId& id, StartId start, Figures figures) const = 0;
  [[nodiscard]] virtual std::optional<ChangeView> change(
      ChangeId id) const = 0;  // finished ones are kept for a while
  [[nodiscard]] virtual std::vector<ChangeId> changes() const = 0;
  [[nodiscard]] virtual Result<std::vector<RevisionView>> history(
      const std::string& ecosystem) const = 0;  // "": all
  [[nodiscard]] virtual std::vector<EventRecord> events(std::uint64_t after, std::uint32_t limit) const = 0;
};

class Control : public Commands, public Views {};

}  // namespace svd
