// SPDX-License-Identifier: Apache-2.0
// What channel, readiness and update must say together, and what one of them implies for another.
#include <algorithm>
#include <string>
#include <string_view>

#include "base/text.h"
#include "base/units.h"
#include "spec/rules.h"
#include "spec/scalar.h"

namespace svd::spec {
namespace {

void check_channel(const AppInFile& file, const AppSpec& app, Complaints& out) {
  if (app.channel == ChannelKind::none && !app.stop.message.empty())
    complain(file, "stop.message", "without a channel nobody gets it: it needs 'channel: node' or 'json'",
             out);
  check_node(file, app, out);
}

// `ready.KIND` is written and not false.
bool asks_for(const AppInFile& file, std::string_view kind) {
  const auto* node = file.find("ready." + std::string{kind});
  return node != nullptr && as_bool(*node) != false;
}

// Where a connection succeeds before the program runs: the socket is the supervisor's, and it listens.
const Listener* own_listener(const AppSpec& app) {
  const auto is_it = [&](const Listener& l) {
    const bool all = l.address.empty() || l.address == "::" || l.address == "0.0.0.0";
    return l.kind == Listener::Kind::tcp && l.port == app.ready.port &&
           (all || l.address == app.ready.address);
  };
  const auto found = std::ranges::find_if(app.listen, is_it);
  return found == app.listen.end() ? nullptr : &*found;
}

void check_ready(const AppInFile& file, AppSpec& app, Complaints& out) {
  std::string_view first;
  for (const auto* kind : {"notify", "channel", "tcp"}) {
    if (!asks_for(file, kind)) continue;
    if (!first.empty())
      complain(file, "ready." + std::string{kind}, "it has '" + std::string{first} + "' already: take one",
               out);
    else
      first = kind;
  }
  if (first == "channel" && app.channel == ChannelKind::none)
    complain(file, "ready.channel", "there is none: it needs 'channel: node' or 'json'", out);
  if (first.empty() && app.channel == ChannelKind::node && file.find("ready.channel") == nullptr)
    app.ready.kind = ReadyGate::Kind::channel;
  const auto* own = app.ready.kind == ReadyGate::Kind::tcp ? own_listener(app) : nullptr;
  if (own != nullptr)
    complain(file, "ready.tcp",
             "this is its own listener " + in_quotes(own->name.str()) +
                 ", where a connection is accepted before the program is there",
             out);
  if (!app.ready.increment) return;
  constexpr std::uint32_t highest_port = 65'535;
  if (app.ready.kind != ReadyGate::Kind::tcp)
    complain(file, "ready.increment", "there is no port to add to: it needs 'tcp'", out);
  else if (app.ready.port + std::max(app.instances, 1U) - 1 > highest_port)
    complain(file, "ready.increment",
             "with " + std::to_string(app.instances) + " instances, the port gets above 65535", out);
}

void check_update(const AppInFile& file, AppSpec& app, Complaints& out) {
  auto& update = app.update;
  // Two instances of a program that binds its own port, or locks its own data, do not go together.
  const bool can_share = !app.listen.empty() || app.channel == ChannelKind::node;
  const bool none_may_miss =
      file.find("update.max_unavailable") != nullptr && update.max_unavailable.value == 0;
  if (file.find("update.order") == nullptr && !can_share && !none_may_miss)
    update.order = UpdatePolicy::Order::stop_first;
  const bool stop_first = update.order == UpdatePolicy::Order::stop_first;
  if (stop_first && file.find("update.max_unavailable") == nullptr) update.max_unavailable = {1, false};
  if (update.max_unavailable.value == 0 && (stop_first || update.max_surge.value == 0))
    complain(file, "update.max_unavailable",
             stop_first ? "with 'order: stop-first' one must be missing meanwhile"
                        : "with max_surge 0, too, none could ever be replaced",
             out);
  if (update.min_ready >= update.deadline)
    complain(file, file.find("update.min_ready") != nullptr ? "update.min_ready" : "update.deadline",
             "min_ready, " + format_duration(update.min_ready) + ", is not below the deadline, " +
                 format_duration(update.deadline) + ": every update would fail",
             out);
}

}  // namespace

void check_cluster(const AppInFile& file, AppSpec& app, Complaints& complaints) {
  check_channel(file, app, complaints);
  check_ready(file, app, complaints);
  check_update(file, app, complaints);
}

}  // namespace svd::spec
