// SPDX-License-Identifier: Apache-2.0
// org.svd1.Instance
#include "bus/objects.h"
#include "bus/paths.h"
#include "bus/vtable.h"

namespace svd::bus {
namespace {

std::optional<InstanceView> look(const Sight& sight, const char* path) {
  const auto id = slot_at(path);
  return id ? sight.instance(*id) : std::nullopt;
}

std::vector<std::string> list(const Sight& sight) {
  std::vector<std::string> paths;
  if (const auto instances = sight.instances({})) {
    for (const auto& view : *instances) paths.push_back(path_of(view.id));
  }
  return paths;
}

Names only(const InstanceView& view) { return {view.id.str()}; }

Result<> start(Call& call, const InstanceView& instance) {
  SVD_TRY(const auto begun, call.control().start(only(instance), call.actor()));
  return call.reply(begun);
}
Result<> stop(Call& call, const InstanceView& instance) {
  SVD_TRY(const auto begun, call.control().stop(only(instance), call.actor()));
  return call.reply(begun);
}
Result<> restart(Call& call, const InstanceView& instance) {
  SVD_TRY(const auto begun, call.control().restart(only(instance), call.actor()));
  return call.reply(begun);
}
Result<> signal(Call& call, const InstanceView& instance) {
  SVD_TRY(const auto number, read_i32(call.message));
  SVD_TRY(const auto whom, read_kill_target(call.message));
  SVD_CHECK(call.control().signal(only(instance), number, whom, call.actor()));
  call.changed();
  return call.reply();
}

Result<> send(Call& call, const InstanceView& instance) {
  SVD_TRY(const auto message, read_string(call.message));
  SVD_CHECK(call.control().send(only(instance), message, call.actor()));
  return call.reply();
}

template <auto Method>
constexpr auto method = on_object_call<InstanceView, Method>;
template <auto Write>
constexpr auto property = read_property<InstanceView, Write>;

void app(Writer& out, const InstanceView& instance) { out.object(path_of(instance.id.app)); }
void slot(Writer& out, const InstanceView& instance) { out.u32(instance.id.slot); }
void phase(Writer& out, const InstanceView& instance) { out.string(std::string{to_text(instance.phase)}); }
void reason(Writer& out, const InstanceView& instance) { out.string(instance.reason); }
void pid(Writer& out, const InstanceView& instance) { out.u64(static_cast<std::uint64_t>(instance.pid)); }
void start_number(Writer& out, const InstanceView& instance) { out.u64(instance.start); }
void revision(Writer& out, const InstanceView& instance) { out.u64(instance.revision); }
void generation(Writer& out, const InstanceView& instance) { out.u64(instance.generation); }
void restarts(Writer& out, const InstanceView& instance) { out.u64(instance.restarts); }
void since(Writer& out, const InstanceView& instance) { out.i64(instance.since.micros); }
void started_at(Writer& out, const InstanceView& instance) { out.i64(instance.started.micros); }
void next_start(Writer& out, const InstanceView& instance) { out.i64(instance.next_start.micros); }
void last_exit(Writer& out, const InstanceView& instance) { out.string(to_text(instance.last_exit)); }
void cgroup(Writer& out, const InstanceView& instance) { out.string(instance.cgroup); }
void log(Writer& out, const InstanceView& instance) { out.string(instance.log); }
void role(Writer& out, const InstanceView& instance) { out.string(instance.role); }
void directory(Writer& out, const InstanceView& instance) { out.string(instance.directory); }

Usage use_of(const InstanceView& instance, const Sight& sight) {
  return sight.usage(instance.id, StartId{instance.start}, Figures::all);
}
void usage(Writer& out, const InstanceView& instance, const Sight& sight) {
  write_figures(out, use_of(instance, sight));
}
void pressure(Writer& out, const InstanceView& instance, const Sight& sight) {
  write_pressures(out, use_of(instance, sight));
}

template <Audience audience>
const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<start>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<stop>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Restart", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<restart>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Signal", SD_BUS_ARGS("i", number, "s", whom), SD_BUS_NO_RESULT, method<signal>,
                            for_all),
    SD_BUS_METHOD_WITH_ARGS("Send", SD_BUS_ARGS("s", message), SD_BUS_NO_RESULT, method<send>, for_all),
    SVD_CONSTANT("App", "o", property<app>),
    SVD_CONSTANT("Slot", "u", property<slot>),
    SVD_LIVE("Phase", "s", property<phase>),
    SVD_INSIDE("Reason", "s", property<reason>),
    SVD_LIVE("Pid", "t", property<pid>),
    SVD_LIVE("StartNumber", "t", property<start_number>),
    SVD_LIVE("Revision", "t", property<revision>),
    SVD_LIVE("Generation", "t", property<generation>),
    SVD_LIVE("Restarts", "t", property<restarts>),
    SVD_LIVE("Since", "x", property<since>),
    SVD_LIVE("StartedAt", "x", property<started_at>),
    SVD_LIVE("NextStart", "x", property<next_start>),
    SVD_LIVE("LastExit", "s", property<last_exit>),
    SVD_LIVE("Cgroup", "s", property<cgroup>),
    SVD_INSIDE("Log", "s", property<log>),
    SVD_LIVE("Role", "s", property<role>),
    SVD_INSIDE("Directory", "s", property<directory>),
    SVD_SILENT("Usage", "a{st}", property<usage>),
    SVD_SILENT("Pressure", "a{sd}", property<pressure>),
    SD_BUS_VTABLE_END,
};

}  // namespace

int export_instances(Connection& connection) {
  const auto* const table =
      connection.audience() == Audience::insiders ? vtable<Audience::insiders> : vtable<Audience::everybody>;
  if (const int r =
          sd_bus_add_fallback_vtable(connection.bus(), nullptr, instance_prefix, "org.svd1.Instance", table,
                                     find_object<InstanceView, look>, &connection);
      r < 0)
    return r;
  return sd_bus_add_node_enumerator(connection.bus(), nullptr, instance_prefix,
                                    enumerate<instance_prefix, list>, &connection);
}

}  // namespace svd::bus
