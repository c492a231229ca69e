// SPDX-License-Identifier: Apache-2.0
// Taking over after a former engine.
//
// Three witnesses, in order of trust: the keeper's table says what runs and what ended; the revisions say
// what was accepted (a revision that is newer than the saved text was applied after the last save, and
// resolves what the user had changed before); the saved text says the rest. Whatever is damaged or missing
// becomes a sentence, and what runs and is wanted is let run.
#pragma once

#include <string>
#include <vector>

#include "engine/converge/slots.h"
#include "engine/converge/supervisor.h"
#include "engine/engine.h"

namespace svd {

class Takeover {
 public:
  Takeover(World& world, Changes& changes, Revisions& revisions, Slots& slots, SocketOwner& sockets,
           Handover& handover, Supervisor& supervisor, const Decoder& decode)
      : world_{world},
        changes_{changes},
        revisions_{revisions},
        slots_{slots},
        sockets_{sockets},
        handover_{handover},
        supervisor_{supervisor},
        decode_{decode} {}

  // What could not be read, as sentences.
  std::vector<std::string> restore(Restored from);

 private:
  void adopt(class Restoration& restoration, const std::vector<KnownChild>& children,
             std::vector<std::string>& problems);
  void lose_missing(Slot& slot, bool all_lost);
  void wake(App& app, bool newer);
  void wake(Slot& slot);
  void pair_up(Slot& slot);
  void start_again(Instance& one);
  void report(const Restored& from, bool anything, const std::vector<std::string>& problems);

  World& world_;
  Changes& changes_;
  Revisions& revisions_;
  Slots& slots_;
  SocketOwner& sockets_;
  Handover& handover_;
  Supervisor& supervisor_;
  const Decoder& decode_;
};

}  // namespace svd
