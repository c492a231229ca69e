// SPDX-License-Identifier: Apache-2.0
// org.svd1.Manager
#include "bus/objects.h"
#include "bus/paths.h"
#include "bus/vtable.h"

namespace svd::bus {
namespace {

Result<Source> source_of(const Call& call) {
  SVD_TRY(auto source, read_source(call.message));
  source.cpus = call.connection.hub().host().cpus();
  return source;
}

Result<> apply(Call& call) {
  SVD_TRY(auto source, source_of(call));
  SVD_TRY(const auto begun, call.control().apply(std::move(source), call.actor()));
  call.changed();
  return call.reply([&](Writer& out) {
    out.object(path_of(begun.change));
    out.u64(begun.revision);
  });
}

Result<> plan(Call& call) {
  SVD_TRY(auto source, source_of(call));
  SVD_TRY(const auto steps, call.control().plan(std::move(source)));
  return call.reply([&](Writer& out) { write_rows(out, step_row, steps); });
}

Result<> list_apps(Call& call) {
  SVD_TRY(const auto names, read_strings(call.message));
  SVD_TRY(const auto apps, call.sight().apps(names));
  return call.reply([&](Writer& out) { write_rows(out, app_row, apps); });
}

Result<> list_instances(Call& call) {
  SVD_TRY(const auto names, read_strings(call.message));
  SVD_TRY(auto instances, call.sight().instances(names));
  for (auto& view : instances) view.usage = call.sight().usage(view.id, StartId{view.start}, Figures::brief);
  return call.reply([&](Writer& out) { write_rows(out, instance_row, instances); });
}

Result<> list_usage(Call& call) {
  SVD_TRY(const auto names, read_strings(call.message));
  SVD_TRY(const auto instances, call.sight().instances(names));
  std::vector<Measured> all;
  for (const auto& view : instances)
    all.push_back({view.id, view.start, call.sight().usage(view.id, StartId{view.start}, Figures::all)});
  return call.reply([&](Writer& out) { write_rows(out, usage_row, all); });
}

using OnNames = Result<Begun> (Commands::*)(const Names&, const Actor&);

template <OnNames Verb>
Result<> on_names(Call& call) {
  SVD_TRY(const auto names, read_strings(call.message));
  SVD_TRY(const auto begun, (call.control().*Verb)(names, call.actor()));
  return call.reply(begun);
}

Result<> scale(Call& call) {
  SVD_TRY(const auto app, read_string(call.message));
  SVD_TRY(const auto instances, read_u32(call.message));
  SVD_TRY(const auto begun, call.control().scale(app, instances, call.actor()));
  return call.reply(begun);
}

using OnApp = Result<Begun> (Commands::*)(const std::string&, const Actor&);

template <OnApp Verb>
Result<> on_app(Call& call) {
  SVD_TRY(const auto app, read_string(call.message));
  SVD_TRY(const auto begun, (call.control().*Verb)(app, call.actor()));
  return call.reply(begun);
}

Result<> send(Call& call) {
  SVD_TRY(const auto names, read_strings(call.message));
  SVD_TRY(const auto message, read_string(call.message));
  SVD_TRY(const auto count, call.control().send(names, message, call.actor()));
  return call.reply([&](Writer& out) { out.u32(count); });
}

Result<> signal(Call& call) {
  SVD_TRY(const auto names, read_strings(call.message));
  SVD_TRY(const auto number, read_i32(call.message));
  SVD_TRY(const auto whom, read_kill_target(call.message));
  SVD_TRY(const auto count, call.control().signal(names, number, whom, call.actor()));
  call.changed();
  return call.reply([&](Writer& out) { out.u32(count); });
}

Result<> rollback(Call& call) {
  SVD_TRY(const auto ecosystem, read_string(call.message));
  SVD_TRY(const auto revision, read_u64(call.message));
  SVD_TRY(const auto begun, call.control().rollback(ecosystem, revision, call.actor()));
  call.changed();
  return call.reply([&](Writer& out) {
    out.object(path_of(begun.change));
    out.u64(begun.revision);
  });
}

Result<> history(Call& call) {
  SVD_TRY(const auto ecosystem, read_string(call.message));
  SVD_TRY(const auto revisions, call.sight().history(ecosystem));
  return call.reply([&](Writer& out) { write_rows(out, revision_row, revisions); });
}

Result<> list_events(Call& call) {
  SVD_TRY(const auto after, read_u64(call.message));
  SVD_TRY(const auto limit, read_u32(call.message));
  return call.reply([&](Writer& out) { write_rows(out, event_row, call.sight().events(after, limit)); });
}

Result<> require_full_access(const Call& call) {
  if (call.connection.access() == Access::full) return {};
  return fail(std::errc::permission_denied, "cannot end or restart the daemon as " + call.actor().name +
                                                ": only root and the daemon's own user may");
}

Result<> shutdown(Call& call) {
  SVD_TRY(const bool force, read_bool(call.message));
  SVD_CHECK(require_full_access(call));
  call.control().shutdown(call.actor(), force);
  call.changed();
  return call.reply();
}

Result<> reexecute(Call& call) {
  SVD_CHECK(require_full_access(call));
  SVD_CHECK(call.reply());
  call.connection.hub().host().reexecute();
  return {};
}

template <auto Write>
int info_property(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* userdata,
                  sd_bus_error* error) noexcept {
  try {
    auto& connection = *static_cast<Connection*>(userdata);
    Writer out{reply};
    Write(out, connection.sight().shown(connection.hub().host().info()));
    connection.charge(out.bytes());
    return out.error();
  } catch (const std::exception& exception) {
    return set_internal_error(error, exception.what());
  }
}

void version(Writer& out, const DaemonInfo& info) { out.string(info.version); }
void keeper_pid(Writer& out, const DaemonInfo& info) { out.u64(info.keeper_pid); }
void engine_pid(Writer& out, const DaemonInfo& info) { out.u64(info.engine_pid); }
void started_at(Writer& out, const DaemonInfo& info) { out.i64(info.started.micros); }
void engine_started_at(Writer& out, const DaemonInfo& info) { out.i64(info.engine_started.micros); }
void engine_starts(Writer& out, const DaemonInfo& info) { out.u64(info.engine_starts); }
void degraded(Writer& out, const DaemonInfo& info) { out.strings(info.degraded); }
void address(Writer& out, const DaemonInfo& info) { out.string(info.address); }
void state_directory(Writer& out, const DaemonInfo& info) { out.string(info.state_directory); }
void unsaved(Writer& out, const DaemonInfo& info) { out.string(info.unsaved); }
void log_directory(Writer& out, const DaemonInfo& info) { out.string(info.log_directory); }

#define SVD_NAMES SD_BUS_ARGS("as", names)
#define SVD_NAME SD_BUS_ARGS("s", name)
#define SVD_CHANGE SD_BUS_RESULT("o", change)

const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Apply", SD_BUS_ARGS("s", text, "s", file, "a{sv}", options),
                            SD_BUS_RESULT("o", change, "t", revision), (on_call<apply, Invalid::file>),
                            for_all),
    SD_BUS_METHOD_WITH_ARGS("Plan", SD_BUS_ARGS("s", text, "s", file, "a{sv}", options),
                            SD_BUS_RESULT("a(ssusasas)", steps), (on_call<plan, Invalid::file>), for_all),
    SD_BUS_METHOD_WITH_ARGS("ListApps", SVD_NAMES, SD_BUS_RESULT("a(souussbts)", apps), on_call<list_apps>,
                            for_all),
    SD_BUS_METHOD_WITH_ARGS("ListInstances", SVD_NAMES, SD_BUS_RESULT("a(ssstttttxxxssssstt)", instances),
                            on_call<list_instances>, for_all),
    SD_BUS_METHOD_WITH_ARGS("ListUsage", SVD_NAMES, SD_BUS_RESULT("a(sta{st}a{sd})", instances),
                            on_call<list_usage>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Start", SVD_NAMES, SVD_CHANGE, on_call<on_names<&Commands::start>>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Stop", SVD_NAMES, SVD_CHANGE, on_call<on_names<&Commands::stop>>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Restart", SVD_NAMES, SVD_CHANGE, on_call<on_names<&Commands::restart>>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Reload", SVD_NAMES, SVD_CHANGE, on_call<on_names<&Commands::reload>>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Pause", SVD_NAME, SVD_CHANGE, on_call<on_app<&Commands::pause>>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Resume", SVD_NAME, SVD_CHANGE, on_call<on_app<&Commands::resume>>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Abort", SVD_NAME, SVD_CHANGE, on_call<on_app<&Commands::abort>>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Send", SD_BUS_ARGS("as", names, "s", message), SD_BUS_RESULT("u", count),
                            on_call<send>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Delete", SVD_NAMES, SVD_CHANGE, on_call<on_names<&Commands::remove>>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Scale", SD_BUS_ARGS("s", name, "u", instances), SVD_CHANGE, on_call<scale>,
                            for_all),
    SD_BUS_METHOD_WITH_ARGS("Signal", SD_BUS_ARGS("as", names, "i", number, "s", whom),
                            SD_BUS_RESULT("u", count), on_call<signal>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Rollback", SD_BUS_ARGS("s", ecosystem, "t", revision),
                            SD_BUS_RESULT("o", change, "t", new_revision), on_call<rollback>, for_all),
    SD_BUS_METHOD_WITH_ARGS("History", SD_BUS_ARGS("s", ecosystem), SD_BUS_RESULT("a(stxssssb)", revisions),
                            on_call<history>, for_all),
    SD_BUS_METHOD_WITH_ARGS("ListEvents", SD_BUS_ARGS("t", after, "u", limit),
                            SD_BUS_RESULT("a(txsss)", events), on_call<list_events>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Shutdown", SD_BUS_ARGS("b", force), SD_BUS_NO_RESULT, on_call<shutdown>,
                            for_all),
    SD_BUS_METHOD_WITH_ARGS("Reexecute", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_call<reexecute>, for_all),
    SD_BUS_SIGNAL_WITH_ARGS("ChangeStarted", SD_BUS_ARGS("o", change, "s", kind, "s", target), 0),
    SD_BUS_SIGNAL_WITH_ARGS("ChangeFinished", SD_BUS_ARGS("o", change, "s", state, "s", error), 0),
    SD_BUS_SIGNAL_WITH_ARGS("InstanceChanged", SD_BUS_ARGS("s", instance, "s", phase, "s", reason, "t", pid),
                            0),
    SD_BUS_SIGNAL_WITH_ARGS("Message", SD_BUS_ARGS("s", from, "s", text), 0),
    SD_BUS_SIGNAL_WITH_ARGS("EventRecorded",
                            SD_BUS_ARGS("t", sequence, "x", when, "s", kind, "s", subject, "s", text), 0),
    SVD_CONSTANT("Version", "s", info_property<version>),
    SVD_SILENT("KeeperPid", "t", info_property<keeper_pid>),
    SVD_CONSTANT("EnginePid", "t", info_property<engine_pid>),
    SVD_SILENT("StartedAt", "x", info_property<started_at>),
    SVD_CONSTANT("EngineStartedAt", "x", info_property<engine_started_at>),
    SVD_SILENT("EngineStarts", "t", info_property<engine_starts>),
    SVD_SILENT("Degraded", "as", info_property<degraded>),
    SVD_CONSTANT("Address", "s", info_property<address>),
    SVD_CONSTANT("StateDirectory", "s", info_property<state_directory>),
    SVD_CONSTANT("LogDirectory", "s", info_property<log_directory>),
    SVD_SILENT("Unsaved", "s", info_property<unsaved>),
    SD_BUS_VTABLE_END,
};

}  // namespace

int export_manager(Connection& connection) {
  return sd_bus_add_object_vtable(connection.bus(), nullptr, root_path, "org.svd1.Manager", vtable,
                                  &connection);
}

}  // namespace svd::bus
