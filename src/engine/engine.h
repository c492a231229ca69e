// SPDX-License-Identifier: Apache-2.0
// The only owner of mutable state. Pure: no clock, no system call, no YAML; the world is behind Ports. The
// daemon feeds it events and calls reconcile() once when no event is left; the simulation does the same with
// fakes.
//
//   dispatch(event, now)   changes what is observed, and nothing else
//   reconcile(now)         compares desired with observed, carries out the difference through the ports, and
//                          returns when it wants to be called again although nothing happens
//
// It is made of owners, one folder each; src/README.md says which one holds what, and who calls whom.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/event.h"
#include "engine/frontend.h"
#include "engine/ports.h"

namespace svd {

// A child as the keeper knows it: the truth about what runs, when a new engine takes over.
struct KnownChild {
  StartId id{};
  SlotId slot;
  std::uint64_t revision = 0;
  std::uint64_t generation = 0;
  std::int64_t pid = 0;
  bool exited = false;  // status is set; not yet forgotten
  ExitStatus status;
  WallTime started;
};

struct Restored {
  std::string runtime;               // what StatePort::save() was last given; empty: none
  std::vector<Revision> revisions;   // all that could be read
  std::vector<KnownChild> children;  // the keeper's table
  // How the engine before this one ended; nullopt: it left of its own accord, or nobody saw it.
  std::optional<ExitStatus> former{};
  std::vector<std::string> problems{};  // what was found when all this was read
};

class World;

class Engine final : public Frontend {
 public:
  Engine(Ports ports, std::uint64_t seed);
  ~Engine() override;

  // Once, before anything else: takes over what a former engine (or nobody) left. What is running and wanted
  // stays untouched; what is running and belongs to nothing is stopped. Problems are events and returned as
  // sentences.
  std::vector<std::string> restore(Restored from, Now now);

  void dispatch(const Event& event, Now now);
  // The time of the next wake-up that is needed even if nothing happens; nullopt: none.
  std::optional<TimePoint> reconcile(Now now);
  // What happened to the daemon itself becomes an event.
  void happened(std::string subject, std::string text, Now now);
  // Requests use this reading; the daemon sets it before each one.
  void set_now(Now now);
  // This daemon belongs to its apps (`svd FILE`): when an essential one has failed for good, or all that is
  // essential has ended, it shuts down (plan/ending.h). To be called before the first reconcile().
  void end_with_apps();
  // All is stopped after shutdown(): the daemon may end, with exit_code().
  [[nodiscard]] bool finished() const;
  [[nodiscard]] int exit_code() const;

  // All that it observes and wants: what is true of it at any time is a test's business, too.
  [[nodiscard]] const World& world() const;
};

}  // namespace svd
