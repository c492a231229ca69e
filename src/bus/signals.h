// SPDX-License-Identifier: Apache-2.0
// From the engine's observations to D-Bus signals. What nobody asked for is dropped at once (the engine may
// restart thousands of instances a second); the rest is gathered and sent once per turn, so that ten changes
// of one instance are one PropertiesChanged.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bus/connection.h"
#include "engine/control.h"
#include "model/views.h"

namespace svd::bus {

class SignalQueue {
 public:
  using Connections = std::vector<std::unique_ptr<Connection>>;
  SignalQueue() = default;

  // Which kinds anybody wants. `sight` is asked what exists when additions become
  // interesting.
  void interest_changed(const Connections& connections, const Sight& sight);

  // Each returns true when something has to be sent at the end of this turn.
  bool instance_changed(const SlotId& id);
  bool instance_removed(const SlotId& id);
  bool app_changed(const AppId& id);
  bool app_removed(const AppId& id);
  bool change_started(ChangeId id);
  bool change_changed(ChangeId id);
  bool change_finished(ChangeId id);
  bool event(const EventRecord& record);

  // What a program said. Sent at once, to whoever wants it: the order between one's messages is all that
  // matters.
  void message(const Connections& connections, const SlotId& from, const std::string& text) const;

  // Sends all of it to whoever wants it, as far as it is for that one to see.
  void send(const Connections& connections, const Sight& sight);

 private:
  struct Interest {
    bool instance = false, started = false, finished = false, event = false, message = false;  // Manager's
    bool properties = false, added = false, removed = false;
    [[nodiscard]] bool objects() const { return properties || added || removed; }
  };
  struct Pending {
    std::set<SlotId> instances, removed_instances;
    std::set<AppId> apps, removed_apps;
    std::set<ChangeId> started, changed, finished;
    std::vector<EventRecord> events;
  };
  // Objects that have been announced; kept only while anybody wants to hear of additions.
  struct Known {
    std::set<SlotId> instances;
    std::set<AppId> apps;
    std::set<ChangeId> changes;
  };
  class Sender;
  void announce(const Pending& now, const Sender& sender);
  void send_properties(const Pending& now, const Sender& sender, const Sight& sight);
  void withdraw(const Pending& now, const Sender& sender, const Sight& sight);

  Interest interest_;
  Pending pending_;
  Known known_;
  std::map<AppId, std::uint64_t>
      revisions_;  // as last sent: what only a new revision changes is sent only then
};

}  // namespace svd::bus
