// SPDX-License-Identifier: Apache-2.0
// When a rollout fails. What has not proved itself is withdrawn, what serves is not touched. Then, by
// `on_failure`, the app goes back to the last version that ran in all its slots (a rollout of its own, by the
// same rules), or stays as it is, with both versions, until somebody decides. A way back that fails as well
// is not tried again, and there is no way back from a version to itself.
#include <algorithm>

#include "engine/state.h"

namespace svd {

void Engine::State::fail_rollout(App& app) {
  abandon_rollout(app, app.version->spec.update.on_failure == UpdatePolicy::OnFailure::rollback);
}

void Engine::State::abandon_rollout(App& app, bool go_back) {
  arm(app, {});
  app.rolling = false;
  app.paused = false;
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    withdraw(*slot);
    slot->part = plan::Part::none;
    slot->renewal = Renewal::none;
    mark_changed(*slot);
  }
  if (app.reverting) {
    halt(app);
    end_revert(app, app.part != nullptr && !app.part->failures.empty() ? app.part->failures.back().second
                                                                       : "a replacement failed");
  } else if (!go_back || !revert(app)) {
    halt(app);
  }
  mark_changed(app);
  unsaved(true);
}

// The app is again what it was when it was last seen to work. False: there is no such version, or it is this
// one, or its sockets cannot be had.
bool Engine::State::revert(App& app) {
  const auto goal = app.stable;
  if (!goal || goal->spec.generation == app.version->spec.generation) return false;
  if (!goal->spec.listen.empty()) {
    const auto bound = ports.listeners.bind(goal->spec, app.id, app.width());
    if (!bound) {
      note(app, "cannot roll back to revision " + std::to_string(goal->revision) + ": " + bound.error().text);
      return false;
    }
  }
  record("instance", app.id.str(),
         "the update failed: going back to revision " + std::to_string(goal->revision));
  app.reverting = true;
  if (app.part != nullptr) app.part->reverting = true;
  set_version(app, goal);
  app.rolling = true;  // also where no slot has to go back: what was withdrawn has yet to go
  fit_slots(app, Cause::scaled, nullptr);
  return true;
}

// `failure` empty: it has gone back.
void Engine::State::end_revert(App& app, const std::string& failure) {
  const auto revision = "revision " + std::to_string(app.version->revision);
  app.reverting = false;
  note(app,
       failure.empty() ? "rolled back to " + revision : "cannot roll back to " + revision + ": " + failure);
  if (app.part == nullptr) return;
  app.part->reverting = false;
  close_if_settled(*app.part);
}

void Engine::State::note(App& app, const std::string& text) {
  record("instance", app.id.str(), text);
  if (app.part != nullptr && app.part->open) app.part->note = text;
}

// It stays as it is: slots that the update did not reach keep what they have.
void Engine::State::halt(App& app) {
  const auto stale = [](const auto& slot) { return slot && is_stale(*slot); };
  const auto kept = static_cast<std::uint32_t>(std::ranges::count_if(app.slots, stale));
  app.halted = kept > 0;
  if (kept > 0)
    record("instance", app.id.str(),
           "the update stopped: " + plan::count_instances(kept) + (kept == 1 ? " keeps" : " keep") +
               " the former version");
  if (app.part != nullptr) close_if_settled(*app.part);
}

}  // namespace svd
