// SPDX-License-Identifier: Apache-2.0
#include "bus/facade.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "bus/guard.h"

namespace svd::bus {
namespace {

constexpr std::string_view bus_name = "org.freedesktop.DBus";
constexpr std::string_view own_name = "org.svd1";
constexpr std::string_view own_unique_name = ":1.0";

constexpr const char* introspection =
    R"(<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
<node>
 <interface name="org.freedesktop.DBus">
  <method name="Hello"><arg type="s" direction="out"/></method>
  <method name="AddMatch"><arg type="s" direction="in"/></method>
  <method name="RemoveMatch"><arg type="s" direction="in"/></method>
  <method name="ListNames"><arg type="as" direction="out"/></method>
  <method name="ListActivatableNames"><arg type="as" direction="out"/></method>
  <method name="NameHasOwner"><arg type="s" direction="in"/><arg type="b" direction="out"/></method>
  <method name="GetNameOwner"><arg type="s" direction="in"/><arg type="s" direction="out"/></method>
  <method name="GetId"><arg type="s" direction="out"/></method>
  <method name="StartServiceByName"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="u" direction="out"/></method>
  <method name="GetConnectionUnixUser"><arg type="s" direction="in"/><arg type="u" direction="out"/></method>
  <method name="GetConnectionUnixProcessID"><arg type="s" direction="in"/><arg type="u" direction="out"/></method>
  <method name="GetConnectionCredentials"><arg type="s" direction="in"/><arg type="a{sv}" direction="out"/></method>
 </interface>
 <interface name="org.freedesktop.DBus.Introspectable">
  <method name="Introspect"><arg type="s" direction="out"/></method>
 </interface>
 <interface name="org.freedesktop.DBus.Peer">
  <method name="Ping"/>
  <method name="GetMachineId"><arg type="s" direction="out"/></method>
 </interface>
</node>
)";

// A D-Bus error of the specification's own, by name.
int reply_error(Call& call, const char* name, const std::string& text) {
  sd_bus_reply_method_errorf(call.message, name, "%s", text.c_str());
  return 1;
}

// "" when nobody has the name, as seen from this connection: other clients are none of its business.
std::string owner_of(const Connection& connection, const std::string& name) {
  if (name == bus_name) return name;
  if (name == own_name || name == own_unique_name) return std::string{own_unique_name};
  return name == connection.unique_name() ? name : "";
}

Result<> hello(Call& call) {
  if (std::exchange(call.connection.said_hello, true))
    return fail(std::errc::operation_not_permitted, "cannot say Hello twice");
  return call.reply([&](Writer& out) { out.string(call.connection.unique_name()); });
}

Result<> add_match(Call& call) {
  SVD_TRY(const auto text, read_string(call.message));
  auto rule = parse_match(text);
  if (!rule) {
    reply_error(call, SD_BUS_ERROR_MATCH_RULE_INVALID, rule.error().text);
    return {};
  }
  SVD_CHECK(call.connection.rules().add(std::move(*rule)));
  call.connection.hub().interest_changed();
  return call.reply();
}

Result<> remove_match(Call& call) {
  SVD_TRY(const auto text, read_string(call.message));
  SVD_TRY(const auto rule, parse_match(text));
  if (!call.connection.rules().remove(rule)) {
    reply_error(call, SD_BUS_ERROR_MATCH_RULE_NOT_FOUND, "no such match rule on this connection");
    return {};
  }
  call.connection.hub().interest_changed();
  return call.reply();
}

Result<> list_names(Call& call) {
  return call.reply([&](Writer& out) {
    out.strings({std::string{bus_name}, std::string{own_name}, std::string{own_unique_name},
                 call.connection.unique_name()});
  });
}

Result<> list_activatable_names(Call& call) {
  return call.reply([](Writer& out) { out.strings({}); });
}

Result<> get_id(Call& call) {
  return call.reply([&](Writer& out) { out.string(call.connection.hub().id()); });
}

Result<> name_has_owner(Call& call) {
  SVD_TRY(const auto name, read_string(call.message));
  return call.reply([&](Writer& out) { out.boolean(!owner_of(call.connection, name).empty()); });
}

Result<> refuse_monitor(Call& call) {
  reply_error(call, SD_BUS_ERROR_NOT_SUPPORTED,
              "monitoring is not possible on svd's own socket, which has no message bus; subscribe to the "
              "signals of org.svd1 "
              "instead (svctl events)");
  return {};
}

Result<> refuse_names(Call&) {
  return fail(std::errc::permission_denied,
              "cannot own a name on svd's own socket, which has no message bus");
}

Result<> introspect(Call& call) {
  const char* path = sd_bus_message_get_path(call.message);
  const bool is_root = std::string_view{path} == "/";
  return call.reply([&](Writer& out) {
    out.string(is_root ? "<node name=\"/\"><node name=\"org/freedesktop/DBus\"/></node>\n" : introspection);
  });
}

struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t pid = 0;
};

// The questions about a name that has to exist.
Result<> about_name(Call& call, Result<> (*answer)(Call&, const std::string& owner, const Identity&)) {
  SVD_TRY(const auto name, read_string(call.message));
  const auto owner = owner_of(call.connection, name);
  if (owner.empty()) {
    reply_error(call, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "nobody has the name '" + name + "' here");
    return {};
  }
  const auto& peer = call.connection.peer();
  const bool is_client = owner == call.connection.unique_name();
  return answer(call, owner,
                is_client ? Identity{peer.uid, static_cast<std::uint32_t>(peer.pid)}
                          : Identity{::geteuid(), static_cast<std::uint32_t>(::getpid())});
}

Result<> get_name_owner(Call& call) {
  return about_name(call, [](Call& to, const std::string& owner, const Identity&) {
    return to.reply([&](Writer& out) { out.string(owner); });
  });
}

Result<> get_unix_user(Call& call) {
  return about_name(call, [](Call& to, const std::string&, const Identity& who) {
    return to.reply([&](Writer& out) { out.u32(who.uid); });
  });
}

Result<> get_process_id(Call& call) {
  return about_name(call, [](Call& to, const std::string&, const Identity& who) {
    return to.reply([&](Writer& out) { out.u32(who.pid); });
  });
}

Result<> get_credentials(Call& call) {
  return about_name(call, [](Call& to, const std::string&, const Identity& who) {
    const auto entry = [](Writer& out, const char* name, std::uint32_t value) {
      out.entry("sv", [&](Writer& pair) {
        pair.string(name);
        pair.variant("u", [&](Writer& inner) { inner.u32(value); });
      });
    };
    return to.reply([&](Writer& out) {
      out.array("{sv}", [&](Writer& map) {
        entry(map, "UnixUserID", who.uid);
        entry(map, "ProcessID", who.pid);
      });
    });
  });
}

Result<> no_security_context(Call& call) {
  reply_error(call, "org.freedesktop.DBus.Error.SELinuxSecurityContextUnknown", "not known here");
  return {};
}

Result<> start_service(Call& call) {
  return about_name(call, [](Call& to, const std::string&, const Identity&) {
    return to.reply([](Writer& out) { out.u32(2); });  // DBUS_START_REPLY_ALREADY_RUNNING
  });
}

struct Method {
  std::string_view interface;
  std::string_view member;
  std::string_view signature;
  sd_bus_message_handler_t handler;
};

constexpr std::array methods{
    Method{bus_name, "Hello", "", on_call<hello>},
    Method{bus_name, "AddMatch", "s", on_call<add_match>},
    Method{bus_name, "RemoveMatch", "s", on_call<remove_match>},
    Method{bus_name, "ListNames", "", on_call<list_names>},
    Method{bus_name, "ListActivatableNames", "", on_call<list_activatable_names>},
    Method{bus_name, "NameHasOwner", "s", on_call<name_has_owner>},
    Method{bus_name, "GetNameOwner", "s", on_call<get_name_owner>},
    Method{bus_name, "GetId", "", on_call<get_id>},
    Method{bus_name, "StartServiceByName", "su", on_call<start_service>},
    Method{bus_name, "GetConnectionUnixUser", "s", on_call<get_unix_user>},
    Method{bus_name, "GetConnectionUnixProcessID", "s", on_call<get_process_id>},
    Method{bus_name, "GetConnectionCredentials", "s", on_call<get_credentials>},
    Method{bus_name, "GetConnectionSELinuxSecurityContext", "s", on_call<no_security_context>},
    Method{bus_name, "RequestName", "su", on_call<refuse_names>},
    Method{bus_name, "ReleaseName", "s", on_call<refuse_names>},
    Method{"org.freedesktop.DBus.Monitoring", "BecomeMonitor", "asu", on_call<refuse_monitor>},
    Method{"org.freedesktop.DBus.Introspectable", "Introspect", "", on_call<introspect>},
};

int answer(Connection& connection, sd_bus_message* message, const Method& method) {
  Call call{connection, message};
  if (sd_bus_message_has_signature(message, std::string{method.signature}.c_str()) <= 0)
    return reply_error(call, SD_BUS_ERROR_INVALID_ARGS,
                       "want arguments of type '" + std::string{method.signature} + "'");
  sd_bus_error error = SD_BUS_ERROR_NULL;
  if (method.handler(message, &connection, &error) < 0) sd_bus_reply_method_error(message, &error);
  sd_bus_error_free(&error);
  return 1;
}

}  // namespace

int answer_as_bus(Connection& connection, sd_bus_message* message) {
  const char* interface = sd_bus_message_get_interface(message);
  const std::string_view in = interface == nullptr ? bus_name : interface;
  const std::string_view member = sd_bus_message_get_member(message);
  if (in == "org.freedesktop.DBus.Peer") return 0;
  const auto method = std::ranges::find_if(
      methods, [&](const Method& known) { return known.interface == in && known.member == member; });
  if (method != methods.end()) return answer(connection, message, *method);
  Call call{connection, message};
  return reply_error(call, SD_BUS_ERROR_UNKNOWN_METHOD,
                     "no method '" + std::string{member} + "' on svd's own socket");
}

}  // namespace svd::bus
