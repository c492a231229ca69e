// SPDX-License-Identifier: Apache-2.0
#include "bus/signals.h"

#include <algorithm>
#include <array>
#include <utility>

#include "bus/hub.h"
#include "bus/paths.h"
#include "bus/wire.h"

namespace svd::bus {
namespace {

constexpr const char* manager_interface = "org.svd1.Manager";
constexpr const char* app_interface = "org.svd1.App";
constexpr const char* instance_interface = "org.svd1.Instance";
constexpr const char* change_interface = "org.svd1.Change";
constexpr const char* properties_interface = "org.freedesktop.DBus.Properties";
constexpr const char* objects_interface = "org.freedesktop.DBus.ObjectManager";

// An App's properties that change with its instances; the others only with a revision. As sd-bus takes them.
char** light_app_properties() {
  static std::array<std::string, 8> names{"Instances", "Ready",    "State",      "Reason",
                                          "Wanted",    "Revision", "Generation", "Update"};
  static std::array<char*, 9> list{names[0].data(), names[1].data(), names[2].data(),
                                   names[3].data(), names[4].data(), names[5].data(),
                                   names[6].data(), names[7].data(), nullptr};
  return list.data();
}

// What programs say is for who may use the daemon. What is broadcast on the system bus, everybody there
// hears.
constexpr std::string_view message_signal = "Message";
bool may_hear(const Connection& connection, const SignalName& signal) {
  return connection.audience() == Audience::insiders || signal.member != message_signal;
}

template <class Set, class Value>
bool note(Set& set, const Value& value, bool wanted) {
  if (wanted) set.insert(value);
  return wanted;
}

}  // namespace

// Sends to every connection that wants it.
class SignalQueue::Sender {
 public:
  explicit Sender(const Connections& connections) : connections_{connections} {}

  template <class Emit>
  void each(const SignalName& signal, std::size_t bytes, Emit&& emit) const {
    for (const auto& connection : connections_) {
      if (connection->doomed() || !may_hear(*connection, signal) || !connection->rules().wants(signal))
        continue;
      emit(*connection);  // an error means that the connection is going; its own handler sees to that
      connection->charge(bytes);
      if (connection->overdrawn()) connection->hub().drop(*connection, "does not read its signals");
    }
  }

  // One of Manager's signals; fill(Writer&, Sight) writes its arguments, as the receiver may see them.
  template <class Fill>
  void manager(const char* member, Fill&& fill, std::size_t bytes = 0) const {
    each({manager_interface, member, root_path}, bytes, [&](const Connection& to) {
      sd_bus_message* raw = nullptr;
      if (sd_bus_message_new_signal(to.bus(), &raw, root_path, manager_interface, member) < 0) return;
      const MessagePtr message{raw};
      Writer out{raw};
      fill(out, to.sight());
      if (out.error() >= 0) sd_bus_send(to.bus(), raw, nullptr);
    });
  }

  // The values are those that a Get by the receiver returns: both ask the same object.
  void properties(const std::string& path, const char* interface, char** names = nullptr) const {
    each({properties_interface, "PropertiesChanged", path}, path.size() + 256, [&](const Connection& to) {
      sd_bus_emit_properties_changed_strv(to.bus(), path.c_str(), interface, names);
    });
  }
  void added(const std::string& path, const char* interface) const {
    each({objects_interface, "InterfacesAdded", root_path}, path.size() + 256, [&](const Connection& to) {
      sd_bus_emit_interfaces_added(to.bus(), path.c_str(), interface, nullptr);
    });
  }
  void removed(const std::string& path, const char* interface) const {
    each({objects_interface, "InterfacesRemoved", root_path}, path.size() + 256, [&](const Connection& to) {
      sd_bus_emit_interfaces_removed(to.bus(), path.c_str(), interface, nullptr);
    });
  }

  void event(const EventRecord& record) const {
    manager("EventRecorded", [&](Writer& out, const Sight& sight) { write_row(out, sight.shown(record)); });
  }
  void instance(const SlotId& id) const {
    manager("InstanceChanged", [&](Writer& out, const Sight& sight) {
      const auto view = sight.instance(id).value_or(InstanceView{});
      out.string(id.str());
      out.string(std::string{to_text(view.phase)});
      out.string(view.reason);
      out.u64(static_cast<std::uint64_t>(view.pid));
    });
  }
  void message(const SlotId& from, const std::string& text) const {
    manager(
        message_signal.data(),
        [&](Writer& out, const Sight&) {
          out.string(from.str());
          out.string(text);
        },
        text.size());
  }
  void started(ChangeId id) const {
    manager("ChangeStarted", [&](Writer& out, const Sight& sight) {
      const auto view = sight.change(id).value_or(ChangeView{});
      out.object(path_of(id));
      out.string(view.kind);
      out.string(view.target);
    });
  }
  void finished(ChangeId id) const {
    manager("ChangeFinished", [&](Writer& out, const Sight& sight) {
      const auto view = sight.change(id).value_or(ChangeView{});
      out.object(path_of(id));
      out.string(view.state);
      out.string(view.error);
    });
  }

 private:
  const Connections& connections_;
};

void SignalQueue::interest_changed(const Connections& connections, const Sight& sight) {
  const auto anybody = [&](const char* interface, const char* member) {
    return std::ranges::any_of(connections, [&](const auto& connection) {
      const SignalName signal{interface, member, {}};
      return !connection->doomed() && may_hear(*connection, signal) && connection->rules().wants(signal);
    });
  };
  const bool knew = interest_.added || interest_.removed;
  interest_ = {
      anybody(manager_interface, "InstanceChanged"),     anybody(manager_interface, "ChangeStarted"),
      anybody(manager_interface, "ChangeFinished"),      anybody(manager_interface, "EventRecorded"),
      anybody(manager_interface, message_signal.data()), anybody(properties_interface, "PropertiesChanged"),
      anybody(objects_interface, "InterfacesAdded"),     anybody(objects_interface, "InterfacesRemoved")};
  const bool know = interest_.added || interest_.removed;
  if (!interest_.properties) revisions_.clear();
  if (!know) known_ = {};
  if (!know || knew) return;
  if (const auto apps = sight.apps({})) {
    for (const auto& view : *apps) known_.apps.insert(view.id);
  }
  if (const auto instances = sight.instances({})) {
    for (const auto& view : *instances) known_.instances.insert(view.id);
  }
  for (const auto id : sight.changes()) known_.changes.insert(id);
}

bool SignalQueue::instance_changed(const SlotId& id) {
  return note(pending_.instances, id, interest_.instance || interest_.objects());
}
bool SignalQueue::instance_removed(const SlotId& id) {
  return note(pending_.removed_instances, id, interest_.removed);
}
bool SignalQueue::app_changed(const AppId& id) { return note(pending_.apps, id, interest_.objects()); }
bool SignalQueue::app_removed(const AppId& id) { return note(pending_.removed_apps, id, interest_.removed); }
bool SignalQueue::change_started(ChangeId id) {
  return note(pending_.started, id, interest_.started || interest_.objects());
}
bool SignalQueue::change_changed(ChangeId id) { return note(pending_.changed, id, interest_.properties); }
bool SignalQueue::change_finished(ChangeId id) {
  return note(pending_.finished, id, interest_.finished || interest_.objects());
}

bool SignalQueue::event(const EventRecord& record) {
  constexpr std::size_t most =
      4096;  // in one turn; who misses one sees a gap in the numbers and asks ListEvents
  if (interest_.event && pending_.events.size() < most) pending_.events.push_back(record);
  return interest_.event;
}

void SignalQueue::message(const Connections& connections, const SlotId& from, const std::string& text) const {
  if (interest_.message) Sender{connections}.message(from, text);
}

// Order: what exists, then what happened to it, then how changes ended, then what is gone. So a client that
// waits for ChangeFinished has seen every InstanceChanged before it.
void SignalQueue::send(const Connections& connections, const Sight& sight) {
  const Pending now = std::exchange(pending_, {});
  const Sender sender{connections};
  if (interest_.added || interest_.removed) announce(now, sender);
  for (const auto id : now.started)
    if (interest_.started && sight.change(id)) sender.started(id);
  for (const auto& record : now.events) sender.event(record);
  for (const auto& id : now.instances) {
    if (interest_.instance && sight.instance(id)) sender.instance(id);
    if (interest_.properties) sender.properties(path_of(id), instance_interface);
  }
  if (interest_.properties) send_properties(now, sender, sight);
  for (const auto id : now.finished)
    if (interest_.finished && sight.change(id)) sender.finished(id);
  if (interest_.added || interest_.removed) withdraw(now, sender, sight);
}

void SignalQueue::announce(const Pending& now, const Sender& sender) {
  for (const auto& id : now.apps)
    if (known_.apps.insert(id).second) sender.added(path_of(id), app_interface);
  for (const auto& id : now.instances)
    if (known_.instances.insert(id).second) sender.added(path_of(id), instance_interface);
  for (const auto id : now.started)
    if (known_.changes.insert(id).second) sender.added(path_of(id), change_interface);
}

void SignalQueue::send_properties(const Pending& now, const Sender& sender, const Sight& sight) {
  for (const auto& id : now.apps) {
    const auto view = sight.app(id);
    if (!view) continue;
    const auto [seen, first] = revisions_.try_emplace(id, view->revision);
    const bool all = first || std::exchange(seen->second, view->revision) != view->revision;
    sender.properties(path_of(id), app_interface, all ? nullptr : light_app_properties());
  }
  auto touched = now.changed;
  touched.insert(now.finished.begin(), now.finished.end());
  for (const auto id : touched) sender.properties(path_of(id), change_interface);
}

// What was removed and is there again is not gone; what nobody was told of need not be taken back.
void SignalQueue::withdraw(const Pending& now, const Sender& sender, const Sight& sight) {
  for (const auto& id : now.removed_instances)
    if (!sight.instance(id) && known_.instances.erase(id) > 0)
      sender.removed(path_of(id), instance_interface);
  for (const auto& id : now.removed_apps) {
    revisions_.erase(id);
    if (!sight.app(id) && known_.apps.erase(id) > 0) sender.removed(path_of(id), app_interface);
  }
  if (now.started.empty()) return;
  const auto kept = sight.changes();  // old ones are forgotten as new ones come
  std::erase_if(known_.changes, [&](ChangeId id) {
    const bool gone = std::ranges::find(kept, id) == kept.end();
    if (gone) sender.removed(path_of(id), change_interface);
    return gone;
  });
}

}  // namespace svd::bus
