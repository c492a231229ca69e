// SPDX-License-Identifier: Apache-2.0
// What is desired and observed, and the only caller of lifecycle::step. What follows from a new phase follows
// in one place (World::follow): it is told, planned again, shown and saved, and who depends on it is looked
// at.
#pragma once

#include <cstdint>
#include <string>

#include "engine/agenda/agenda.h"
#include "engine/journal/journal.h"
#include "engine/outbox/outbox.h"
#include "engine/world/apps.h"
#include "engine/world/dependencies.h"

namespace svd {

// An instance has come from one phase to another; or it is in the same one, with another deadline or pid.
struct Moved {
  Phase from = Phase::waiting, to = Phase::waiting;
  bool born = false;  // now it has a process
};

class World {
 public:
  explicit World(std::uint64_t seed) : seed_{seed} {}

  Now now;
  Outbox outbox;
  Agenda agenda;
  Journal journal{outbox, now};
  Apps apps;
  Starts starts;
  ShuttingDown down;
  Dependencies dependencies{apps, down};

  void advance(Instance& one, const lifecycle::Event& event);
  // Its next start: a number, and lifecycle::Begin.
  void begin(Instance& one);
  // A new engine has found out where it really is; nothing follows from that but what its caller says.
  void correct(Instance& one, lifecycle::State state) { one.life.state = std::move(state); }
  // The wait for connections that are on their way to it starts anew.
  void postpone(Instance& one, lifecycle::Stopping until);
  [[nodiscard]] lifecycle::Rules rules_for(const Instance& one) const;

  void rollout(App& app, const plan::RolloutEvent& event);
  // Counts it among those that serve, or not any more.
  void count_serving(Instance& one);

  // Plan it again.
  void touch(Instance& one);
  void touch(Slot& slot);
  void touch(const App& app) { agenda.apps.push(app.id); }
  void touch_dependents(const App& app);
  // Whatever has happened to those that they wait for.
  void touch_held();
  // Clients are shown it.
  void mark_changed(const Slot& slot);
  void mark_changed(const App& app) { agenda.changed_apps.push(app.id); }
  void changed_readiness(const App& app);
  void unsaved() { agenda.save.soon(now.mono); }
  void unsaved_wish() { agenda.save.at_once(now.mono); }

  // Why it is in its phase.
  [[nodiscard]] std::string reason(const Instance& one) const;

 private:
  void follow(Instance& one, const Moved& moved);
  void record(const Instance& one, const Moved& moved);
  void cancel_start(Instance& one);
  double draw();

  std::uint64_t seed_;
};

// How long one that gives up a socket of its own goes on accepting at least: a handshake that has begun is
// over by then.
inline constexpr Millis while_accepting{500};

}  // namespace svd
