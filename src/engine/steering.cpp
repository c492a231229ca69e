// SPDX-License-Identifier: Apache-2.0
// A person's hand on the update that runs in an app: hold it, let it go on, take it back.
#include "engine/select.h"
#include "engine/state.h"

namespace svd {
namespace {

// The one app that is meant, in which an update runs.
Result<App*> updating(Engine::State& s, const std::string& verb, const std::string& name) {
  if (s.shutting) return fail(std::errc::operation_canceled, "cannot " + verb + ": the daemon is stopping");
  SVD_TRY(const auto chosen, select(s.apps, {name}, Use::change));
  if (chosen.size() != 1 || !chosen.front().whole)
    return fail(std::errc::invalid_argument, "cannot " + verb + " '" + name + "': want one app");
  auto* app = chosen.front().app;
  if (!app->rolling && app->halted)
    return fail(std::errc::invalid_argument,
                "cannot " + verb + ": the update of " + app->id.app.str() +
                    " failed and stopped; apply the file again to go on with it, or take it back with "
                    "'svctl rollback " +
                    app->id.ecosystem.str() + "'");
  if (!app->rolling)
    return fail(std::errc::invalid_argument, "cannot " + verb + ": no update runs in " + app->id.app.str());
  return app;
}

Begun begun(const App& app) { return {app.part == nullptr ? ChangeId{} : app.part->change->view.id, 0}; }

}  // namespace

Result<Begun> Engine::pause(const std::string& name, const Actor& who) {
  auto& s = *state_;
  SVD_TRY(auto* const app, updating(s, "pause", name));
  if (app->paused)
    return fail(std::errc::invalid_argument, "cannot pause: the update of " + name + " is paused already");
  app->paused = true;
  s.record("instance", app->id.str(), "the update is paused by " + who.name);
  s.touch(*app);
  s.mark_changed(*app);
  s.unsaved(true);
  return begun(*app);
}

Result<Begun> Engine::resume(const std::string& name, const Actor& who) {
  auto& s = *state_;
  SVD_TRY(auto* const app, updating(s, "resume", name));
  if (!app->paused)
    return fail(std::errc::invalid_argument, "cannot resume: the update of " + name + " is not paused");
  app->paused = false;
  app->progress = s.now.mono;  // while it was held it made none, and is not to blame for that
  s.record("instance", app->id.str(), "the update goes on: asked for by " + who.name);
  s.touch(*app);
  s.mark_changed(*app);
  s.unsaved(true);
  return begun(*app);
}

// As if a replacement had failed, and with the same way back, whatever `on_failure` says.
Result<Begun> Engine::abort(const std::string& name, const Actor& who) {
  auto& s = *state_;
  SVD_TRY(auto* const app, updating(s, "abort", name));
  if (app->reverting)
    return fail(std::errc::invalid_argument,
                "cannot abort: the update of " + name + " is being taken back already");
  const auto change = begun(*app);
  for (const auto& slot : app->slots)
    if (slot && slot->track == Track::pending)
      s.fail_tracked(*slot, "cannot replace " + slot_name(*slot) + ": aborted by " + who.name);
  s.abandon_rollout(*app, true);
  s.unsaved(true);
  return change;
}

}  // namespace svd
