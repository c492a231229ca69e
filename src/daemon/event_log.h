// SPDX-License-Identifier: Apache-2.0
// The engine's Observer: everything goes on to the bus, and what a person would want to read later into the
// log.
#pragma once

#include <functional>

#include "bus/server.h"
#include "daemon/log.h"
#include "engine/ports.h"

namespace svd {

class EventLog final : public Observer {
 public:
  // `settled` is called when a change has ended; `cgroup` is asked for that of a start.
  using CgroupOf = std::function<std::string(StartId, const SlotId&)>;
  EventLog(bus::BusServer& bus, Log& log, CgroupOf cgroup, std::function<void()> settled);

  void instance_changed(const SlotId& id) override { bus_.instance_changed(id); }
  void instance_removed(const SlotId& id) override { bus_.instance_removed(id); }
  void app_changed(const AppId& id) override { bus_.app_changed(id); }
  void app_removed(const AppId& id) override { bus_.app_removed(id); }
  void change_started(ChangeId id) override { bus_.change_started(id); }
  void change_changed(ChangeId id) override { bus_.change_changed(id); }
  void change_finished(ChangeId id) override;
  void event(const EventRecord& record) override;

 private:
  bus::BusServer& bus_;
  Log& log_;
  CgroupOf cgroup_;
  std::function<void()> settled_;
};

}  // namespace svd
