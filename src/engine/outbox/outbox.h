// SPDX-License-Identifier: Apache-2.0
// What was decided and is not done yet: commands for the world, and news for whoever watches. Both leave with
// the reconcile, in the order in which they came.
#pragma once

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "engine/ports.h"
#include "lifecycle/instance.h"

namespace svd {

struct InstanceChanged {
  SlotId id;
};
struct InstanceRemoved {
  SlotId id;
};
struct AppChanged {
  AppId id;
};
struct AppRemoved {
  AppId id;
};
struct ChangeStarted {
  ChangeId id{};
};
struct ChangeProgressed {
  ChangeId id{};
};
struct ChangeFinished {
  ChangeId id{};
};
using News = std::variant<InstanceChanged, InstanceRemoved, AppChanged, AppRemoved, ChangeStarted,
                          ChangeProgressed, ChangeFinished, EventRecord>;

class Outbox {
 public:
  void push(lifecycle::Command command) { commands_.push_back(command); }
  // False: it has left already.
  bool withdraw(const lifecycle::Command& command) { return std::erase(commands_, command) > 0; }
  [[nodiscard]] std::vector<lifecycle::Command> take() { return std::exchange(commands_, {}); }

  void tell(News news) { news_.push_back(std::move(news)); }
  void tell_all(Observer& observer) {
    for (const auto& each : std::exchange(news_, {})) std::visit(Teller{observer}, each);
  }

 private:
  struct Teller {
    Observer& to;
    void operator()(const InstanceChanged& news) const { to.instance_changed(news.id); }
    void operator()(const InstanceRemoved& news) const { to.instance_removed(news.id); }
    void operator()(const AppChanged& news) const { to.app_changed(news.id); }
    void operator()(const AppRemoved& news) const { to.app_removed(news.id); }
    void operator()(const ChangeStarted& news) const { to.change_started(news.id); }
    void operator()(const ChangeProgressed& news) const { to.change_changed(news.id); }
    void operator()(const ChangeFinished& news) const { to.change_finished(news.id); }
    void operator()(const EventRecord& news) const { to.event(news); }
  };

  std::vector<lifecycle::Command> commands_;
  std::vector<News> news_;
};

}  // namespace svd
