// SPDX-License-Identifier: Apache-2.0
// What a client gets to see. Everything that the bus shows of the engine comes through here, whether as a
// reply, a property or a signal: the objects have no other way to it (Hub keeps Views to itself).
//
// Everybody on the machine may read on the system bus, and what is broadcast there everybody hears. So they
// get names, states, numbers and times. What an app or the author of a file wrote is for those who may act:
// env, argv, settings, paths, and every sentence, since a sentence may quote any of these.
//
// Generations are hashes over an app's spec, secrets and all: they are shown under a key that lives and ends
// with this engine, so nobody can try values against them. Equal ones look equal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/siphash.h"
#include "bus/access.h"
#include "bus/server.h"
#include "engine/control.h"

namespace svd::bus {

enum class Audience : std::uint8_t {
  everybody,  // names only
  insiders,   // those who may act: root, the daemon's own user, the group
};
[[nodiscard]] Audience audience_of(Access access);

// What stands where something is not shown. An empty text stays empty.
inline constexpr const char* hidden = "(hidden)";

class Sight {
 public:
  // `views` is borrowed.
  Sight(const Views& views, Audience audience, SipKey key) : views_{&views}, audience_{audience}, key_{key} {}

  [[nodiscard]] Result<std::vector<AppView>> apps(const Names& names) const;
  [[nodiscard]] Result<std::vector<InstanceView>> instances(const Names& names) const;
  [[nodiscard]] std::optional<AppView> app(const AppId& id) const;
  [[nodiscard]] std::optional<InstanceView> instance(const SlotId& id) const;
  [[nodiscard]] Usage usage(const AppId& id, Figures figures) const { return views_->usage(id, figures); }
  [[nodiscard]] Usage usage(const SlotId& id, StartId start, Figures figures) const {
    return views_->usage(id, start, figures);
  }
  [[nodiscard]] std::optional<ChangeView> change(ChangeId id) const;
  [[nodiscard]] std::vector<ChangeId> changes() const { return views_->changes(); }
  [[nodiscard]] Result<std::vector<RevisionView>> history(const std::string& ecosystem) const;
  [[nodiscard]] std::vector<EventRecord> events(std::uint64_t after, std::uint32_t limit) const;

  // What comes from elsewhere than from Views.
  [[nodiscard]] EventRecord shown(EventRecord record) const;
  [[nodiscard]] DaemonInfo shown(DaemonInfo info) const;

 private:
  [[nodiscard]] bool names_only() const { return audience_ == Audience::everybody; }
  [[nodiscard]] std::uint64_t generation(std::uint64_t hash) const;
  [[nodiscard]] AppView shown(AppView view) const;
  [[nodiscard]] InstanceView shown(InstanceView view) const;
  [[nodiscard]] ChangeView shown(ChangeView view) const;
  [[nodiscard]] RevisionView shown(RevisionView view) const;
  template <class View>
  [[nodiscard]] Result<std::vector<View>> all(Result<std::vector<View>> views) const;
  template <class View>
  [[nodiscard]] std::optional<View> one(std::optional<View> view) const;

  const Views* views_;
  Audience audience_;
  SipKey key_;
};

}  // namespace svd::bus
