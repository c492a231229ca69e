// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of an instance, and what the plan wants of it next.
#pragma once

#include <string>

#include "engine/changes/changes.h"
#include "engine/converge/handover.h"
#include "engine/event.h"
#include "engine/ports.h"

namespace svd {

class Supervisor {
 public:
  Supervisor(World& world, Changes& changes, Handover& handover, const ListenerPort& listeners)
      : world_{world}, changes_{changes}, handover_{handover}, listeners_{listeners} {}

  // A fact about a start, told once or twice, late or never. Only what is observed changes.
  void observe(const Event& event);
  // Plans all that is on the agenda, and what follows from that.
  void plan();
  // What was retired and has ended; not before nothing is on the agenda.
  void forget_ended();

 private:
  struct Observer;
  void plan(Instance& one, plan::Want want);
  void begin(Instance& one);
  void choose_version(Instance& one);
  void run_out(Instance& one);  // a deadline of its phase has passed
  bool goes_on_accepting(Instance& one);
  // An end that nobody asked for, or a failed start.
  void on_end(Instance& one, const std::string& why);

  World& world_;
  Changes& changes_;
  Handover& handover_;
  const ListenerPort& listeners_;
};

}  // namespace svd
