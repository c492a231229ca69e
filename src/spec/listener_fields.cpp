// SPDX-License-Identifier: Apache-2.0
#include "spec/listener_fields.h"

#include <algorithm>

#include "base/text.h"

namespace svd::spec {
namespace {

using namespace std::chrono_literals;
using Rows = std::vector<Row<Listener>>;

#define AT SVD_SPEC_AT

constexpr auto live = Effect::live;
constexpr auto replace = Effect::replace;

bool is_unix(Listener::Kind kind) { return kind != Listener::Kind::tcp && kind != Listener::Kind::udp; }

// `tcp:` and `udp:` say the kind, the address and the port in one value. An empty port: the key is not
// written.
Row<Listener> inet(std::string_view key, Listener::Kind kind, std::string_view doc) {
  const Access<Listener, Endpoint> at{
      [kind](Listener& into, Endpoint to) {
        into.kind = kind;
        into.address = std::move(to.address);
        into.port = to.port;
      },
      [kind](const Listener& from) {
        const bool is_this = from.kind == kind && from.port != 0;
        return is_this ? std::optional{Endpoint{from.address, from.port}} : std::nullopt;
      }};
  return row(key, at, endpoint(EndpointUse::bind), replace, doc, "none");
}

// `unix` and `type` share the kind, in whatever order they are written.
Row<Listener> unix_address() {
  const Access<Listener, std::string> at{
      [](Listener& into, std::string address) {
        if (!is_unix(into.kind)) into.kind = Listener::Kind::unix_stream;
        into.address = std::move(address);
      },
      [](const Listener& from) { return is_unix(from.kind) ? std::optional{from.address} : std::nullopt; }};
  return row(std::string_view{"unix"}, at, socket_address(), replace,
             "The path of a unix socket, or `@` and an abstract name.", "none");
}

Row<Listener> unix_type() {
  const auto types = choice<Listener::Kind>({{"stream", Listener::Kind::unix_stream},
                                             {"datagram", Listener::Kind::unix_datagram},
                                             {"seqpacket", Listener::Kind::unix_seqpacket}});
  const Access<Listener, Listener::Kind> at{
      [](Listener& into, Listener::Kind kind) { into.kind = kind; },
      [](const Listener& from) { return is_unix(from.kind) ? std::optional{from.kind} : std::nullopt; }};
  return row(std::string_view{"type"}, at, types, replace, "The type of a unix socket.", "stream");
}

template <class At, class V>
Row<Listener> field(std::string_view key, At at, const Form<V>& form, Effect effect, std::string_view doc,
                    std::string_view initial = "") {
  return member_row<Listener>(key, at, form, effect, doc, initial);
}

const Rows& rows() {
  using Balance = Listener::Balance;
  static const auto balance = choice<Balance>({{"shared", Balance::shared},
                                               {"even", Balance::even},
                                               {"round-robin", Balance::round_robin},
                                               {"sticky", Balance::sticky}});
  // clang-format off
  static const Rows table{
    inet("tcp", Listener::Kind::tcp, "The address and port of a TCP socket; a port alone is every address, IPv4 and IPv6."),
    inet("udp", Listener::Kind::udp, "The same of a UDP socket."),
    unix_address(),
    unix_type(),
    field("balance", AT(balance), balance, replace,
          "Who gets the next connection. `shared`: whoever is free; `even`: a ready instance at random; `sticky`: the same one for each "
          "peer address; `round-robin`: each in turn, passed over the channel by the supervisor."),
    field("backlog", AT(backlog), integer<std::uint32_t>(1, 65'535), live,
          "How many connections may wait to be accepted; net.core.somaxconn of the host bounds it, too."),
    field("mode", AT(mode), octal(), live, "The file mode of a unix socket."),
    field("user", AT(user), account("user"), live, "The owner of a unix socket.", "the app's user"),
    field("group", AT(group), account("group"), live, "The group of a unix socket.", "the app's group"),
    field("reuse_port", AT(reuse_port), boolean(), live,
          "SO_REUSEPORT: the program binds the address by itself, as others of its user may; the supervisor reserves it and does not listen."),
    field("defer_accept", AT(defer_accept), duration_or_zero(1s, 1h, "at once"), live,
          "TCP_DEFER_ACCEPT: a connection is handed out when its first data came, at most this late."),
    field("keepalive", AT(keepalive), boolean(), live, "SO_KEEPALIVE on accepted connections."),
    field("nodelay", AT(nodelay), boolean(), live, "TCP_NODELAY on accepted connections."),
    field("fast_open", AT(fast_open), integer<std::uint32_t>(0, 65'535), live,
          "TCP_FASTOPEN: how many connections with data in their first packet may wait; 0 is off."),
    field("freebind", AT(freebind), boolean(), live, "IP_FREEBIND: bind an address that this host has not got yet."),
    field("v6only", AT(v6only), boolean(), replace, "IPV6_V6ONLY: `[::]:PORT` leaves IPv4 alone."),
  };
  // clang-format on
  return table;
}

// One listener of the file; what it lacks is the business of the rules, after defaults and profile.
Listener read_listener(const Node& node, const Place& place, Reading& reading) {
  Listener listener;
  for (const auto& [key, value] : node.entries) {
    const Place here{&place, key->text};
    const auto found = std::ranges::find(rows(), std::string_view{key->text}, &Key::key);
    if (found != rows().end()) {
      if (value->kind != Kind::null) found->read(*value, here, reading, listener);
      continue;
    }
    std::vector<std::string> known;
    for (const auto& row : rows()) known.emplace_back(row.key);
    const auto near = nearest(key->text, known);
    reading.complaints.add(key->mark, here,
                           near ? "unknown key, did you mean '" + *near + "'?" : "unknown key");
  }
  return listener;
}

std::string_view map_hint(const Node& node) {
  return node.kind == Kind::scalar ? ": give it a name, such as { http: { tcp: \"0.0.0.0:8080\" } }" : "";
}

std::optional<std::vector<Listener>> read_listeners(const Node& node, const Place& place, Reading& reading) {
  constexpr std::string_view words = "a map of names to listeners";
  if (node.kind != Kind::map) {
    reading.refuse(node, place, words, map_hint(node));
    return std::nullopt;
  }
  std::vector<Listener> all;
  for (const auto& [key, value] : node.entries) {
    const Place here{&place, key->text};
    auto name = Name::parse(key->text);
    if (!name) reading.complaints.add(key->mark, here, name.error().text);
    if (value->kind == Kind::null) continue;
    if (value->kind != Kind::map) {
      reading.refuse(*value, here, "a map, such as { tcp: \"0.0.0.0:8080\" }");
      continue;
    }
    auto listener = read_listener(*value, here, reading);
    if (!name) continue;
    listener.name = std::move(*name);
    all.push_back(std::move(listener));
  }
  return all;
}

std::string show_listeners(const std::vector<Listener>& all) {
  std::string text;
  for (const auto& listener : all)
    text += (text.empty() ? "" : ", ") + listener.name.str() + " " + show_listener(listener);
  return text;
}

// What a process depends on: which sockets, in which order (their descriptors are numbered by it).
std::string identity(const AppSpec& app) {
  std::string text;
  for (const auto& listener : app.listen) {
    text += listener.name.str() + "{";
    for (const auto& row : rows())
      if (row.effect == replace)
        if (const auto value = row.show(listener); !value.empty())
          text += std::string{row.key} + "=" + std::to_string(value.size()) + ":" + value;
    text += "}";
  }
  return text;
}

std::string names_of(const std::vector<Listener>& all) {
  std::string text;
  for (const auto& listener : all) text += (text.empty() ? "" : " ") + listener.name.str();
  return text;
}

const Listener* find(const std::vector<Listener>& all, const Name& name) {
  const auto found = std::ranges::find(all, name, &Listener::name);
  return found == all.end() ? nullptr : &*found;
}

void compare_one(const Listener& have, const Listener& want, std::vector<FieldChange>& out) {
  const auto shown = [](std::string text) { return text.empty() ? "(unset)" : text; };
  for (const auto& row : rows()) {
    auto from = row.show(have);
    auto to = row.show(want);
    if (from == to) continue;
    out.push_back({"listen." + want.name.str() + "." + std::string{row.key}, shown(std::move(from)),
                   shown(std::move(to)), row.effect});
  }
}

void compare_listeners(const AppSpec& have, const AppSpec& want, std::vector<FieldChange>& out) {
  bool same_names = true;
  for (const auto& old : have.listen) {
    if (find(want.listen, old.name) != nullptr) continue;
    same_names = false;
    out.push_back({"listen." + old.name.str(), show_listener(old), "(unset)", replace});
  }
  for (const auto& listener : want.listen) {
    if (const auto* old = find(have.listen, listener.name)) {
      compare_one(*old, listener, out);
      continue;
    }
    same_names = false;
    out.push_back({"listen." + listener.name.str(), "(unset)", show_listener(listener), replace});
  }
  if (same_names && names_of(have.listen) != names_of(want.listen))
    out.push_back({"listen", names_of(have.listen), names_of(want.listen), replace});
}

}  // namespace

std::string show_listener(const Listener& listener) {
  static const Listener initial;
  std::string text;
  for (const auto& row : rows()) {
    const auto value = row.show(listener);
    const bool implied = row.key == "type" && listener.kind == Listener::Kind::unix_stream;
    if (value.empty() || implied || value == row.show(initial)) continue;
    text += (text.empty() ? "" : " ") + std::string{row.key} + "=" + value;
  }
  return text;
}

Field listeners_field() {
  // The schema of an entry is made from `entry`, as for the table of fields (schema.cpp).
  const Form<std::vector<Listener>> form{"a map of names to listeners", Json::object({{"type", "object"}}),
                                         read_listeners, show_listeners};
  Field made{member_row<AppSpec>(
      "listen", AT(listen), form, replace,
      "Sockets that the supervisor binds and keeps, through every restart and update, and that the instances "
      "share: LISTEN_FDS and LISTEN_FDNAMES name them, in this order.",
      "none")};
  made.identity = identity;
  made.compare = compare_listeners;
  for (const auto& row : rows()) made.entry.push_back(row);
  return made;
}

}  // namespace svd::spec
