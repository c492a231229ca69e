// SPDX-License-Identifier: Apache-2.0
// What the keys of one listener must say together.
#include <array>

#include "spec/listener_fields.h"
#include "spec/rules.h"

namespace svd::spec {
namespace {

using Balance = Listener::Balance;
using ListenerKind = Listener::Kind;

class ListenerRules {
 public:
  ListenerRules(const Node& written, const Place& place, const Listener& listener, Complaints& out)
      : written_{written}, place_{place}, listener_{listener}, out_{out} {}

  void check(ChannelKind channel) const {
    if (!check_kind()) return;
    check_options();
    check_balance(channel);
    check_v6only();
  }

 private:
  [[nodiscard]] bool is_written(std::string_view key) const {
    const auto* entry = written_.find(key);
    return entry != nullptr && entry->value->kind != Kind::null;
  }
  void complain(std::string_view key, std::string text) const {
    const auto* entry = is_written(key) ? written_.find(key) : nullptr;
    out_.add(entry == nullptr ? written_.mark : entry->value->mark, Place{&place_, key}, std::move(text));
  }
  [[nodiscard]] bool is_unix() const {
    return listener_.kind != ListenerKind::tcp && listener_.kind != ListenerKind::udp;
  }
  [[nodiscard]] bool is_datagram() const {
    return listener_.kind == ListenerKind::udp || listener_.kind == ListenerKind::unix_datagram;
  }

  // False: what it is cannot be told, so nothing else is.
  [[nodiscard]] bool check_kind() const {
    std::string_view first;
    for (const auto* key : {"tcp", "udp", "unix"}) {
      if (!is_written(key)) continue;
      if (!first.empty()) {
        complain(key, "it has '" + std::string{first} + "' already: two sockets are two listeners");
        return false;
      }
      first = key;
    }
    if (first.empty()) out_.add(written_.mark, place_, "an address is missing: one of tcp, udp and unix");
    if (!first.empty() && first != "unix" && is_written("type")) {
      complain("type", "only a unix socket has a type");
      return false;
    }
    return !first.empty();
  }

  void only_for(std::string_view key, bool is_set, bool fits, const char* what) const {
    if (is_set && !fits) complain(key, "this is for " + std::string{what} + " only");
  }

  void check_options() const {
    const auto& l = listener_;
    const Listener initial;
    const bool tcp = l.kind == ListenerKind::tcp;
    const bool file = is_unix() && !l.address.starts_with('@');
    only_for("backlog", l.backlog != initial.backlog, !is_datagram(), "sockets with connections");
    only_for("defer_accept", l.defer_accept != initial.defer_accept, tcp, "tcp");
    only_for("keepalive", l.keepalive, tcp, "tcp");
    only_for("nodelay", l.nodelay, tcp, "tcp");
    only_for("fast_open", l.fast_open != 0, tcp, "tcp");
    only_for("reuse_port", l.reuse_port, !is_unix(), "tcp and udp");
    only_for("freebind", l.freebind, !is_unix(), "tcp and udp");
    only_for("v6only", l.v6only, !is_unix(), "tcp and udp");
    only_for("mode", l.mode != initial.mode, file, "a unix socket with a path");
    only_for("user", !l.user.empty(), file, "a unix socket with a path");
    only_for("group", !l.group.empty(), file, "a unix socket with a path");
  }

  void check_balance(ChannelKind channel) const {
    switch (listener_.balance) {
      case Balance::shared:
        return;
      case Balance::even:
      case Balance::sticky:
        if (is_unix())
          complain("balance", "a unix socket has one queue: 'shared', or 'round-robin' with a channel");
        return;
      case Balance::round_robin:
        if (is_datagram() || listener_.kind == ListenerKind::unix_seqpacket)
          complain("balance", "only connections of tcp and unix stream sockets can be passed on");
        else if (channel == ChannelKind::none)
          complain("balance", "connections are passed over the channel: it needs 'channel: node' or 'json'");
        return;
    }
  }

  void check_v6only() const {
    if (!listener_.v6only || is_unix() || listener_.address.find(':') != std::string::npos) return;
    complain("v6only",
             listener_.address.empty() ? "write [::] in front of the port" : "this is an IPv4 address");
  }

  const Node& written_;
  const Place& place_;
  const Listener& listener_;
  Complaints& out_;
};

}  // namespace

void check_listeners(const AppInFile& file, const AppSpec& app, Complaints& complaints) {
  const auto* written = file.find("listen");
  if (written == nullptr || written->kind != Kind::map) return;
  const Place place{&file.place, "listen"};
  if (app.listen.size() > max_listeners)
    complaints.add(
        written->mark, place,
        std::to_string(app.listen.size()) + " listeners, at most " + std::to_string(max_listeners));
  for (const auto& listener : app.listen) {
    const Place here{&place, listener.name.str()};
    ListenerRules{*written->find(listener.name.str())->value, here, listener, complaints}.check(app.channel);
  }
}

}  // namespace svd::spec
