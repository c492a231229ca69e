// SPDX-License-Identifier: Apache-2.0
// ListenerPort for Linux: the supervisor's sockets. They are bound when an app is accepted, held by the
// keeper under names that say whose they are (kernel/listener_name.h), found again by the next engine, and
// closed by nothing but their removal from the file; an app gives up its own to another one of that file by
// sharing them until it has gone. What they are: kernel/bound_listener.h.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/ports.h"
#include "kernel/bound_listener.h"
#include "kernel/passing.h"
#include "kernel/users.h"

namespace svd {

class Listeners final : public ListenerPort, public ListenerSource, public SharedSockets {
 public:
  // Finds what a former engine bound, under which no start was made after `last`. Called once, before
  // anything else; `holder` outlives this object.
  void take_over(Holder& holder, StartId last);

  using ListenerPort::bind;
  Result<> bind(const AppSpec& spec, const AppId& app, std::uint32_t slots,
                std::span<const Giver> givers) override;
  void retain(const AppId& app, std::span<const Listener> keep, bool gone) override;
  void retain_all(std::span<const AppId> apps) override;
  [[nodiscard]] std::vector<AppId> holders(const Name& ecosystem) const override;
  void serve(const AppId& app, std::span<const std::pair<std::uint32_t, StartId>> ready) override;
  [[nodiscard]] bool has_waiting(const AppId& app, std::uint32_t slot, StartId id) const override;
  [[nodiscard]] std::vector<std::string> describe(const AppId& app) const override;
  Result<std::vector<std::string>> held_for(const LaunchPlan& plan) override;

  [[nodiscard]] int socket(const AppId& app, const Listener& listener, std::uint32_t slot,
                           StartId id) const override;
  // The same of a listener with one socket for all.
  [[nodiscard]] int first_socket(const AppId& app, const Listener& listener) const;
  void relisten(const AppId& app, const Listener& listener, std::uint32_t slot, StartId id) override;

  // Called when retain() says that an app is no more: whatever else it had opened goes, too.
  void when_gone(std::function<void(const AppId&)> gone) { gone_ = std::move(gone); }

  // What does not work here, as sentences for `status`.
  [[nodiscard]] const std::vector<std::string>& degraded() const { return notes_; }

 private:
  [[nodiscard]] Result<BindRequest> request_for(const AppSpec& spec, const AppId& id,
                                                const Listener& listener) const;
  [[nodiscard]] const ListeningApp* find(const AppId& app) const;
  void find_shared();
  void unshare(const Name& ecosystem, std::span<const std::uint64_t> identities);
  void steer_all(const AppId& id, ListeningApp& app);

  Holder* holder_ = nullptr;
  std::function<void(const AppId&)> gone_;
  Users users_;
  ListenerTable table_;
  StartId last_{};  // start that was given sockets
  std::vector<std::string> notes_;
};

}  // namespace svd
