// SPDX-License-Identifier: Apache-2.0
// ChannelPort for Linux: the supervisor's ends of the channels, sd_notify(3), connections that are tried.
//
// What an engine that is killed must not lose is in ChannelMemory and at the keeper: the sockets, what was
// read and written in part, who listens on what, who is ready. A line is handled, what it changed is saved,
// and then it counts as read: the next engine handles it once more or not at all, and what may come twice is
// known by its number.
//
// One chatty program does not starve the rest: a channel is read for a bounded piece and a bounded time
// (kernel/channel_budget.h), and what it has beyond that waits until everything else has had its turn.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/engine.h"
#include "engine/event.h"
#include "engine/ports.h"
#include "kernel/passing.h"
#include "loop/loop.h"

namespace svd {

struct ChannelOptions {
  std::string notify_directory;  // for the sockets of sd_notify(3); empty: they are abstract
  std::string preload;           // the module that Node programs load first; empty: none
  // Whose process that is; StartId 0: nobody's that we know. It is asked of processes that may write there.
  std::function<StartId(std::int64_t pid)> owner_of;
};

struct ChannelHandlers {
  std::function<void(const Event&)> event;
  // What a program said to whom it may concern: one JSON value.
  std::function<void(const SlotId&, StartId, std::string_view json)> message;
  std::function<void(const std::string&)> log;
  // What people want to know of an instance: its channel was closed, and why.
  std::function<void(const SlotId&, const std::string& text)> happened;
};

class Channels final : public ChannelPort, public ChannelSource {
 public:
  Channels();
  ~Channels() override;
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;

  // Once, before anything else. `children`: those that the engine takes over; their channels go on.
  Result<> begin(const Loop& loop, Holder& holder, SharedSockets& sockets, ChannelOptions options,
                 ChannelHandlers handlers, std::span<const KnownChild> children);
  // What happened to a process, before the engine hears of it: what the process said before comes first.
  void observe(const Event& event);
  // The app is no more: what its instances had opened goes.
  void forget(const AppId& app);

  void drain(StartId id) override;
  void disconnect(StartId id, const std::string& message) override;
  Result<> send(StartId id, const std::string& json) override;
  Result<UniqueFd> open(LaunchPlan& plan, const Given& given) override;

  // What the program says of itself (STATUS= of sd_notify(3)); "" when it says nothing.
  [[nodiscard]] std::string status(StartId id) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svd
