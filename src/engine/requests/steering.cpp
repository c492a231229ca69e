// SPDX-License-Identifier: Apache-2.0
#include "engine/requests/steering.h"

#include "engine/requests/select.h"

namespace svd {

Result<App*> Steering::updating(const std::string& verb, const std::string& name) {
  if (world_.down.asked)
    return fail(std::errc::operation_canceled, "cannot " + verb + ": the daemon is stopping");
  SVD_TRY(const auto chosen, select(world_.apps.all(), {name}, Use::change));
  if (chosen.size() != 1 || !chosen.front().whole)
    return fail(std::errc::invalid_argument, "cannot " + verb + " '" + name + "': want one app");
  auto* app = chosen.front().app;
  if (app->is_halted())
    return fail(std::errc::invalid_argument,
                "cannot " + verb + ": the update of " + app->id.app.str() +
                    " failed and stopped; apply the file again to go on with it, or take it back with "
                    "'svctl rollback " +
                    app->id.ecosystem.str() + "'");
  if (!app->is_rolling())
    return fail(std::errc::invalid_argument, "cannot " + verb + ": no update runs in " + app->id.app.str());
  return app;
}

Begun Steering::steer(App& app, const plan::RolloutEvent& event, std::string text) {
  world_.rollout(app, event);
  world_.journal.app(app.id, std::move(text));
  world_.touch(app);
  world_.mark_changed(app);
  world_.unsaved_wish();
  return {app.change, 0};
}

Result<Begun> Steering::pause(const std::string& name, const Actor& who) {
  SVD_TRY(auto* const app, updating("pause", name));
  if (app->is_paused())
    return fail(std::errc::invalid_argument, "cannot pause: the update of " + name + " is paused already");
  return steer(*app, plan::Paused{}, "the update is paused by " + who.name);
}

Result<Begun> Steering::resume(const std::string& name, const Actor& who) {
  SVD_TRY(auto* const app, updating("resume", name));
  if (!app->is_paused())
    return fail(std::errc::invalid_argument, "cannot resume: the update of " + name + " is not paused");
  return steer(*app, plan::Resumed{}, "the update goes on: asked for by " + who.name);
}

Result<Begun> Steering::abort(const std::string& name, const Actor& who) {
  SVD_TRY(auto* const app, updating("abort", name));
  if (app->is_going_back())
    return fail(std::errc::invalid_argument,
                "cannot abort: the update of " + name + " is being taken back already");
  const Begun begun{app->change, 0};
  app->each_slot([&](Slot& slot) {
    if (slot.track == Track::pending)
      changes_.fail(slot, "cannot replace " + slot.name() + ": aborted by " + who.name);
  });
  reverts_.abandon(*app, true);
  return begun;
}

}  // namespace svd
