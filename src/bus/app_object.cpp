// SPDX-License-Identifier: Apache-2.0
// org.svd1.App
#include "bus/objects.h"
#include "bus/paths.h"
#include "bus/vtable.h"

namespace svd::bus {
namespace {

std::optional<AppView> look(const Sight& sight, const char* path) {
  const auto id = app_at(path);
  return id ? sight.app(*id) : std::nullopt;
}

std::vector<std::string> list(const Sight& sight) {
  std::vector<std::string> paths;
  if (const auto apps = sight.apps({})) {
    for (const auto& view : *apps) paths.push_back(path_of(view.id));
  }
  return paths;
}

Names only(const AppView& view) { return {view.id.str()}; }

Result<> start(Call& call, const AppView& app) {
  SVD_TRY(const auto begun, call.control().start(only(app), call.actor()));
  return call.reply(begun);
}
Result<> stop(Call& call, const AppView& app) {
  SVD_TRY(const auto begun, call.control().stop(only(app), call.actor()));
  return call.reply(begun);
}
Result<> restart(Call& call, const AppView& app) {
  SVD_TRY(const auto begun, call.control().restart(only(app), call.actor()));
  return call.reply(begun);
}
Result<> reload(Call& call, const AppView& app) {
  SVD_TRY(const auto begun, call.control().reload(only(app), call.actor()));
  return call.reply(begun);
}
Result<> pause(Call& call, const AppView& app) {
  SVD_TRY(const auto begun, call.control().pause(app.id.str(), call.actor()));
  return call.reply(begun);
}
Result<> resume(Call& call, const AppView& app) {
  SVD_TRY(const auto begun, call.control().resume(app.id.str(), call.actor()));
  return call.reply(begun);
}
Result<> abort(Call& call, const AppView& app) {
  SVD_TRY(const auto begun, call.control().abort(app.id.str(), call.actor()));
  return call.reply(begun);
}
Result<> send(Call& call, const AppView& app) {
  SVD_TRY(const auto message, read_string(call.message));
  SVD_TRY(const auto count, call.control().send(only(app), message, call.actor()));
  return call.reply([&](Writer& out) { out.u32(count); });
}
Result<> remove(Call& call, const AppView& app) {
  SVD_TRY(const auto begun, call.control().remove(only(app), call.actor()));
  return call.reply(begun);
}
Result<> scale(Call& call, const AppView& app) {
  SVD_TRY(const auto instances, read_u32(call.message));
  SVD_TRY(const auto begun, call.control().scale(app.id.str(), instances, call.actor()));
  return call.reply(begun);
}

template <auto Method>
constexpr auto method = on_object_call<AppView, Method>;
template <auto Write>
constexpr auto property = read_property<AppView, Write>;

void ecosystem(Writer& out, const AppView& app) { out.string(app.id.ecosystem.str()); }
void name(Writer& out, const AppView& app) { out.string(app.id.app.str()); }
void instances(Writer& out, const AppView& app) { out.u32(app.instances); }
void ready(Writer& out, const AppView& app) { out.u32(app.ready); }
void state(Writer& out, const AppView& app) { out.string(app.state); }
void reason(Writer& out, const AppView& app) { out.string(app.reason); }
void wanted(Writer& out, const AppView& app) { out.boolean(app.wanted); }
void revision(Writer& out, const AppView& app) { out.u64(app.revision); }
void generation(Writer& out, const AppView& app) { out.u64(app.generation); }
void exec(Writer& out, const AppView& app) { out.strings(app.exec); }
void cwd(Writer& out, const AppView& app) { out.string(app.cwd); }
void user(Writer& out, const AppView& app) { out.string(app.user); }
void env(Writer& out, const AppView& app) { out.strings(app.env); }
void log(Writer& out, const AppView& app) { out.string(app.log); }
void settings(Writer& out, const AppView& app) { out.strings(app.settings); }
void listeners(Writer& out, const AppView& app) { out.strings(app.listeners); }
void update(Writer& out, const AppView& app) { out.string(app.update); }
void usage(Writer& out, const AppView& app, const Sight& sight) {
  write_figures(out, sight.usage(app.id, Figures::all));
}
void pressure(Writer& out, const AppView& app, const Sight& sight) {
  write_pressures(out, sight.usage(app.id, Figures::all));
}
void degraded(Writer& out, const AppView& app) { out.strings(app.degraded); }

template <Audience audience>
const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<start>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<stop>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Restart", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<restart>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<reload>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Pause", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<pause>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<resume>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Abort", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<abort>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Send", SD_BUS_ARGS("s", message), SD_BUS_RESULT("u", count), method<send>,
                            for_all),
    SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", change), method<remove>, for_all),
    SD_BUS_METHOD_WITH_ARGS("Scale", SD_BUS_ARGS("u", instances), SD_BUS_RESULT("o", change), method<scale>,
                            for_all),
    SVD_CONSTANT("Ecosystem", "s", property<ecosystem>),
    SVD_CONSTANT("Name", "s", property<name>),
    SVD_LIVE("Instances", "u", property<instances>),
    SVD_LIVE("Ready", "u", property<ready>),
    SVD_LIVE("State", "s", property<state>),
    SVD_INSIDE("Reason", "s", property<reason>),
    SVD_LIVE("Wanted", "b", property<wanted>),
    SVD_LIVE("Revision", "t", property<revision>),
    SVD_LIVE("Generation", "t", property<generation>),
    SVD_INSIDE("Exec", "as", property<exec>),
    SVD_INSIDE("Cwd", "s", property<cwd>),
    SVD_LIVE("User", "s", property<user>),
    SVD_INSIDE("Env", "as", property<env>),
    SVD_LIVE("Logs", "s", property<log>),
    SVD_INSIDE("Settings", "as", property<settings>),
    SVD_INSIDE("Listeners", "as", property<listeners>),
    SVD_LIVE("Update", "s", property<update>),
    SVD_INSIDE("Degraded", "as", property<degraded>),
    SVD_SILENT("Usage", "a{st}", property<usage>),
    SVD_SILENT("Pressure", "a{sd}", property<pressure>),
    SD_BUS_VTABLE_END,
};

}  // namespace

int export_apps(Connection& connection) {
  const auto* const table =
      connection.audience() == Audience::insiders ? vtable<Audience::insiders> : vtable<Audience::everybody>;
  if (const int r = sd_bus_add_fallback_vtable(connection.bus(), nullptr, app_prefix, "org.svd1.App", table,
                                               find_object<AppView, look>, &connection);
      r < 0)
    return r;
  return sd_bus_add_node_enumerator(connection.bus(), nullptr, app_prefix, enumerate<app_prefix, list>,
                                    &connection);
}

}  // namespace svd::bus
