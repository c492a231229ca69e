// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/launcher.h"

#include "engine/converge/environment.h"

namespace svd {

struct Launcher::Performer {
  Launcher& by;

  void operator()(const lifecycle::Spawn& spawn) const {
    if (const auto* one = by.world_.starts.find(spawn.id)) by.spawn(*one);
  }
  void operator()(const lifecycle::Drain& drain) const { by.ports_.channels.drain(drain.id); }
  void operator()(const lifecycle::Disconnect& disconnect) const {
    const auto* one = by.world_.starts.find(disconnect.id);
    if (one != nullptr) by.ports_.channels.disconnect(disconnect.id, one->version->spec.stop.message);
  }
  void operator()(const lifecycle::Signal& signal) const {
    by.ports_.processes.signal(signal.id, signal.number, signal.whom);
  }
  void operator()(const lifecycle::Kill& kill) const { by.ports_.processes.kill(kill.id); }
  void operator()(const lifecycle::Cancel& cancel) const { by.ports_.processes.cancel(cancel.id); }
  void operator()(const lifecycle::Await& await) const { by.ports_.processes.await(await.id); }
};

// A command waits from its decision to the end of the reconcile; what it is for may be gone by then.
void Launcher::carry_out() {
  for (const auto& command : world_.outbox.take()) {
    const auto id = std::visit([](const auto& what) { return what.id; }, command);
    if (world_.starts.contains(id) || world_.starts.is_stray(id)) std::visit(Performer{*this}, command);
  }
}

void Launcher::spawn(const Instance& one) {
  auto& app = *one.slot->app;
  if (one.version != app.version)
    if (const auto bound = sockets_.bind(app, *one.version); !bound) {
      refused_.push_back({one.start, {StartStage::sockets, 0, bound.error().text}});
      return;
    }
  const Launch launch{one.start, one.slot->id(), app.instances(), one.revision, app.version->spec.app_limits};
  ports_.processes.spawn(compose(launch, one.version->spec, ports_.logs));
}

void Launcher::adjust_limits() {
  for (const auto& id : std::exchange(world_.agenda.limits, {})) {
    const auto* app = world_.apps.find(id);
    if (app == nullptr) continue;
    ports_.limits.adjust(id, app->version->spec.app_limits);
    app->each_instance([&](const Instance& one) {
      if (is_live(one.phase()) && one.version)
        ports_.limits.adjust(one.start, one.slot->id(), one.version->spec.limits);
    });
  }
}

}  // namespace svd
