// SPDX-License-Identifier: Apache-2.0
// What people ask for besides apply. Each request changes what is wanted, and begins a change for what that
// touches.
#include <algorithm>
#include <utility>

#include "engine/select.h"
#include "engine/state.h"

namespace svd {
namespace {

using Action = PlanStep::Action;

// What one request has to do to one app.
struct Task {
  App* app = nullptr;
  bool whole = false;
  std::vector<Slot*> slots;
};

std::string target_of(const std::vector<Task>& tasks) {
  if (tasks.size() != 1) return std::to_string(tasks.size()) + " apps";
  const auto& task = tasks.front();
  const auto app = task.app->id.str();
  return !task.whole && task.slots.size() == 1 ? app + "/" + std::to_string(task.slots.front()->index) : app;
}

PlanStep step_of(const Task& task, Action action, std::string summary, std::string why) {
  return {action,
          task.app->id,
          static_cast<std::uint32_t>(task.slots.size()),
          std::move(summary),
          {std::move(why)}};
}

// The chosen slots that `needs` something, by app; apps without any are left out unless `keep_app` wants
// them.
template <class Needs, class KeepApp>
std::vector<Task> tasks_for(const std::vector<Chosen>& all, Needs&& needs, KeepApp&& keep_app) {
  std::vector<Task> tasks;
  for (const auto& chosen : all) {
    Task task{chosen.app, chosen.whole, {}};
    for (const auto index : chosen.slots)
      if (auto* slot = chosen.app->slots[index].get(); needs(*slot)) task.slots.push_back(slot);
    if (!task.slots.empty() || (chosen.whole && keep_app(*chosen.app))) tasks.push_back(std::move(task));
  }
  return tasks;
}

bool is_up(const Slot& slot) { return slot.occupant->is_up(); }

bool any_wanted(const App& app) {
  return std::ranges::any_of(
      app.slots, [&](const auto& slot) { return slot && !app.is_surplus(*slot) && slot->wanted; });
}

// The change under way that already stops all of these; nullptr: there is none, or something is left to be
// asked for.
const Change* change_that_stops(const std::vector<Task>& tasks) {
  const Change* found = nullptr;
  for (const auto& task : tasks) {
    const auto* part = task.app->part;
    if (part == nullptr || !part->open || (task.whole && task.app->wanted)) return nullptr;
    if (found != nullptr && part->change != found) return nullptr;
    found = part->change;
    for (const auto* slot : task.slots)
      if (slot->wanted || slot->track != Track::pending) return nullptr;
  }
  return found;
}

// What is asked of an app in which an update runs becomes part of that update, which goes on: it has one
// outcome, for whoever began it and for whoever asked. A held one nobody is made to wait for.
Change* update_of(const App& app) {
  return app.rolling && app.part != nullptr && app.part->open ? app.part->change : nullptr;
}

// The update that all of them belong to.
Change* update_of(const std::vector<Task>& tasks) {
  Change* found = nullptr;
  for (const auto& task : tasks) {
    auto* const one = update_of(*task.app);
    if (one == nullptr || task.app->paused || (found != nullptr && one != found)) return nullptr;
    found = one;
  }
  return found;
}

tl::unexpected<Error> stopping(const char* verb) {
  return fail(std::errc::operation_canceled, std::string{"cannot "} + verb + ": the daemon is stopping");
}

}  // namespace

Result<Begun> Engine::start(const Names& names, const Actor& who) {
  auto& s = *state_;
  if (s.shutting) return stopping("start");
  SVD_TRY(const auto chosen, select(s.apps, names, Use::change));
  const auto needs = [](const Slot& slot) { return !slot.wanted || !is_up(slot); };
  auto tasks = tasks_for(chosen, needs, [](const App& app) { return !app.wanted; });
  if (tasks.empty()) return Begun{};
  const auto* by = s.intern(who.name);
  auto* const update = update_of(tasks);
  auto& change = update != nullptr ? *update : s.begin_change("start", target_of(tasks), who);
  for (const auto& task : tasks) {
    auto& app = *task.app;
    if (update_of(app) == nullptr) s.begin_part(change, app);
    const auto count = static_cast<std::uint32_t>(task.slots.size());
    change.view.steps.push_back(
        step_of(task, Action::start, "start " + plan::count_instances(count), "asked for by " + who.name));
    for (auto* slot : task.slots) s.resume(*slot, Cause::started, by);
    app.wanted = true;
    s.mark_changed(app);
  }
  s.unsaved(true);
  return Begun{change.view.id, 0};
}

Result<Begun> Engine::stop(const Names& names, const Actor& who) {
  auto& s = *state_;
  if (s.shutting) return stopping("stop");
  SVD_TRY(const auto chosen, select(s.apps, names, Use::change));
  // What is on its way down is waited for, too.
  const auto needs = [](const Slot& slot) { return slot.wanted || slot.phase() == Phase::stopping; };
  const auto tasks = tasks_for(chosen, needs, [](const App& app) { return app.wanted; });
  if (tasks.empty()) return Begun{};
  if (const auto* running = change_that_stops(tasks)) return Begun{running->view.id, 0};
  const auto* by = s.intern(who.name);
  const auto all = [](const Task& task) { return task.whole; };
  auto* const update = std::ranges::none_of(tasks, all) ? update_of(tasks) : nullptr;
  auto& change = update != nullptr ? *update : s.begin_change("stop", target_of(tasks), who);
  for (const auto& task : tasks) {
    auto& app = *task.app;
    if (task.whole || update_of(app) == nullptr) s.begin_part(change, app);
    const auto count = static_cast<std::uint32_t>(task.slots.size());
    change.view.steps.push_back(
        step_of(task, Action::stop, "stop " + plan::count_instances(count), "asked for by " + who.name));
    for (auto* slot : task.slots) {
      if (std::exchange(slot->wanted, false)) {
        slot->occupant->cause = Cause::stopped;
        slot->occupant->by = by;
      }
      s.track(*slot);
      s.touch(*slot);
      s.mark_changed(*slot);
    }
    app.wanted = !task.whole && any_wanted(app);
    s.touch(app);
    s.mark_changed(app);
  }
  s.unsaved(true);
  return Begun{change.view.id, 0};
}

namespace {

// A restart stops first, one instance after the other; a reload replaces them as a new generation would be.
Result<Begun> renew(Engine::State& s, const Names& names, const Actor& who, Renewal how) {
  const bool reload = how == Renewal::reload;
  const auto& summary = reload ? plan::replace_summary : plan::restart_summary;
  if (s.shutting) return stopping(reload ? "reload" : "restart");
  SVD_TRY(const auto chosen, select(s.apps, names, Use::change));
  const auto tasks = tasks_for(
      chosen, [](const Slot&) { return true; }, [](const App& app) { return !app.wanted; });
  if (tasks.empty()) return Begun{};
  const auto* by = s.intern(who.name);
  for (const auto& task : tasks)
    task.app->halted = task.app->paused = false;  // an update that stopped goes on
  auto* const update = update_of(tasks);
  auto& change =
      update != nullptr ? *update : s.begin_change(reload ? "reload" : "restart", target_of(tasks), who);
  for (const auto& task : tasks) {
    auto& app = *task.app;
    if (update_of(app) == nullptr) s.begin_part(change, app);
    const auto count = static_cast<std::uint32_t>(task.slots.size());
    change.view.steps.push_back(step_of(task, Action::replace,
                                        summary(count, app.version->spec.update, app.instances()),
                                        "asked for by " + who.name));
    for (auto* slot : task.slots) {
      if (is_up(*slot) && slot->wanted) {
        slot->renewal = how;
        slot->occupant->by = by;
        s.withdraw(*slot);
        slot->part = plan::Part::none;
        s.track(*slot);
      } else {
        s.resume(*slot, reload ? Cause::reloaded : Cause::restarted, by);
      }
    }
    app.wanted = true;
    app.rolling = true;
    app.progress = s.now.mono;
    s.touch(app);
    s.mark_changed(app);
  }
  s.unsaved(true);
  return Begun{change.view.id, 0};
}

}  // namespace

Result<Begun> Engine::restart(const Names& names, const Actor& who) {
  return renew(*state_, names, who, Renewal::restart);
}

Result<Begun> Engine::reload(const Names& names, const Actor& who) {
  return renew(*state_, names, who, Renewal::reload);
}

Result<Begun> Engine::remove(const Names& names, const Actor& who) {
  auto& s = *state_;
  if (s.shutting) return stopping("delete");
  SVD_TRY(const auto chosen, select(s.apps, names, Use::change));
  for (const auto& each : chosen)
    if (!each.whole)
      return fail(std::errc::invalid_argument,
                  "cannot delete an instance of " + each.app->id.str() +
                      ": only whole apps are deleted; scale takes instances away");
  const auto tasks = tasks_for(
      chosen, [](const Slot&) { return true; }, [](const App&) { return true; });
  if (tasks.empty()) return Begun{};
  const auto* by = s.intern(who.name);
  auto& change = s.begin_change("delete", target_of(tasks), who);
  for (const auto& task : tasks) {
    s.begin_part(change, *task.app);
    const auto count = static_cast<std::uint32_t>(task.slots.size());
    change.view.steps.push_back(step_of(task, Action::stop,
                                        "stop " + plan::count_instances(count) + " and remove",
                                        "asked for by " + who.name));
    s.ecosystems[task.app->id.ecosystem].deleted.insert(task.app->id.app);
    s.leave(*task.app, by);
  }
  s.unsaved(true);
  return Begun{change.view.id, 0};
}

Result<Begun> Engine::scale(const std::string& name, std::uint32_t instances, const Actor& who) {
  auto& s = *state_;
  if (s.shutting) return stopping("scale");
  if (instances > max_instances)
    return fail(std::errc::invalid_argument, "cannot scale to " + std::to_string(instances) +
                                                 " instances: at most " + std::to_string(max_instances) +
                                                 " are possible");
  SVD_TRY(const auto chosen, select(s.apps, {name}, Use::change));
  if (chosen.size() != 1 || !chosen.front().whole)
    return fail(std::errc::invalid_argument, "cannot scale '" + name + "': want the name of one app");
  auto& app = *chosen.front().app;
  const auto from = app.instances();
  if (from == instances) return Begun{};
  if (instances > app.width() && !app.version->spec.listen.empty())
    SVD_CHECK(s.ports.listeners.bind(app.version->spec, app.id, instances));
  auto* const update = update_of({Task{&app, true, {}}});
  auto& change = update != nullptr ? *update : s.begin_change("scale", app.id.str(), who);
  if (update_of(app) == nullptr) s.begin_part(change, app);
  change.view.steps.push_back(
      {Action::scale,
       app.id,
       from > instances ? from - instances : instances - from,
       "scale from " + std::to_string(from) + " to " + plan::count_instances(instances),
       {"asked for by " + who.name}});
  app.scale = instances;
  if (instances == app.version->spec.instances) app.scale.reset();
  for (const auto& slot : app.slots) {  // one that was on its way out, and is not any more
    if (!slot || slot->index < from || slot->index >= instances) continue;
    slot->wanted = app.wanted;
    if (app.wanted) s.resume(*slot, Cause::scaled, s.intern(who.name));
  }
  s.fit_slots(app, Cause::scaled, s.intern(who.name));
  s.touch(app);
  s.unsaved(true);
  return Begun{change.view.id, 0};
}

Result<std::uint32_t> Engine::signal(const Names& names, int number, KillTarget whom, const Actor& who) {
  auto& s = *state_;
  if (number < 1 || number > 64)
    return fail(std::errc::invalid_argument,
                "cannot send signal " + std::to_string(number) + ": want 1 to 64");
  SVD_TRY(const auto chosen, select(s.apps, names, Use::change));
  std::uint32_t count = 0;
  for (const auto& each : chosen)
    for (const auto index : each.slots) {
      const auto& slot = *each.app->slots[index];
      const auto& life = slot.occupant->life.state;
      if (lifecycle::pid_of(life) == 0) continue;
      s.outbox.push(lifecycle::Signal{lifecycle::start_of(life), number, whom});
      s.record("instance", SlotId{each.app->id, index}.str(),
               "signal " + std::to_string(number) + " sent by " + who.name);
      ++count;
    }
  return count;
}

void Engine::shutdown(const Actor& who, bool force) { state_->shut_down(who, force); }

void Engine::State::shut_down(const Actor& who, bool force) {
  const bool again = std::exchange(shutting, true);
  if (again && (!force || forced)) return;
  forced = force;
  if (!again) {
    auto& change =
        begin_change("shutdown", plan::count_instances(static_cast<std::uint32_t>(starts.size())), who);
    for (auto& [id, app] : apps) begin_part(change, app);
  }
  for (const auto& [id, one] : std::map{starts}) {  // one that is taken back leaves them
    if (one->is_up()) {
      one->cause = Cause::shutdown;
      one->by = nullptr;
    } else if (force) {
      advance(*one, lifecycle::Stop{.force = true});
    }
    track(*one->slot);
    touch(*one);
  }
  for (const auto& [when, one] : timers) touch(*one);  // nothing is retried any more
  unsaved(true);
}

}  // namespace svd
