// SPDX-License-Identifier: Apache-2.0
#include "engine/requests/actions.h"

#include <algorithm>
#include <utility>

#include "plan/diff.h"

namespace svd {
namespace {

using Action = PlanStep::Action;

bool is_any(const Slot&) { return true; }

bool any_wanted(const App& app) {
  return app.any_slot([&](const Slot& slot) { return !app.is_surplus(slot) && slot.wanted; });
}

// "web/0: cannot send: it has no channel; 3 instances got it".
Error refusal(const std::vector<std::pair<std::string, Error>>& refused, std::uint32_t sent) {
  constexpr std::size_t shown = 5;
  const auto& first = refused.front().second;
  const bool alike = std::ranges::all_of(refused, [&](const auto& one) { return one.second == first; });
  if (sent == 0 && alike) return first;
  Error out{first.code, ""};
  for (std::size_t i = 0; i < refused.size() && i < shown; ++i)
    out.text += (i == 0 ? "" : "; ") + refused[i].first + ": " + refused[i].second.text;
  if (refused.size() > shown) out.text += "; and " + std::to_string(refused.size() - shown) + " more";
  if (sent > 0) out.text += "; " + plan::count_instances(sent) + " got it";
  return out;
}

}  // namespace

Result<std::vector<Chosen>> Actions::choose(const Names& names, const char* verb) {
  if (world_.down.asked)
    return fail(std::errc::operation_canceled, std::string{"cannot "} + verb + ": the daemon is stopping");
  return select(world_.apps.all(), names, Use::change);
}

Change& Actions::change_for(Change* update, Kind kind, const std::vector<Task>& tasks, const Actor& who) {
  return update != nullptr ? *update : changes_.begin(kind, target_of(tasks), who);
}

void Actions::join(Change& change, App& app) {
  if (update_of(changes_, app) == nullptr) changes_.begin_part(change, app);
}

Begun Actions::done(const Change& change) {
  world_.unsaved_wish();
  return {change.view.id, 0};
}

Result<Begun> Actions::start(const Names& names, const Actor& who) {
  SVD_TRY(const auto chosen, choose(names, "start"));
  const auto needs = [](const Slot& slot) { return !slot.wanted || !slot.main->is_up(); };
  const auto tasks = tasks_for(chosen, needs, [](const App& app) { return !app.wanted; });
  if (tasks.empty()) return Begun{};
  const auto* by = world_.journal.intern(who.name);
  auto& change = change_for(update_of(changes_, tasks), Kind::start, tasks, who);
  for (const auto& task : tasks) {
    join(change, *task.app);
    change.view.steps.push_back(
        step_of(task, Action::start, "start " + plan::count_instances(task.count()), who));
    for (auto* slot : task.slots) slots_.resume(*slot, Cause::started, by);
    task.app->wanted = true;
    world_.mark_changed(*task.app);
  }
  return done(change);
}

Result<Begun> Actions::stop(const Names& names, const Actor& who) {
  SVD_TRY(const auto chosen, choose(names, "stop"));
  // What is on its way down is waited for, too.
  const auto needs = [](const Slot& slot) { return slot.wanted || slot.phase() == Phase::stopping; };
  const auto tasks = tasks_for(chosen, needs, [](const App& app) { return app.wanted; });
  if (tasks.empty()) return Begun{};
  if (const auto* running = change_that_stops(changes_, tasks)) return Begun{running->view.id, 0};
  const auto* by = world_.journal.intern(who.name);
  auto* const update = std::ranges::none_of(tasks, &Task::whole) ? update_of(changes_, tasks) : nullptr;
  auto& change = change_for(update, Kind::stop, tasks, who);
  for (const auto& task : tasks) {
    if (task.whole)
      changes_.begin_part(change, *task.app);
    else
      join(change, *task.app);
    change.view.steps.push_back(
        step_of(task, Action::stop, "stop " + plan::count_instances(task.count()), who));
    stop(task, by);
  }
  return done(change);
}

void Actions::stop(const Task& task, const std::string* by) {
  auto& app = *task.app;
  for (auto* slot : task.slots) {
    if (std::exchange(slot->wanted, false)) {
      slot->main->cause = Cause::stopped;
      slot->main->by = by;
    }
    changes_.track(*slot);
    world_.touch(*slot);
    world_.mark_changed(*slot);
  }
  app.wanted = !task.whole && any_wanted(app);
  world_.touch(app);
  world_.mark_changed(app);
}

Result<Begun> Actions::renew(const Names& names, const Actor& who, Renewal how) {
  const bool reload = how == Renewal::reload;
  const auto& summary = reload ? plan::replace_summary : plan::restart_summary;
  SVD_TRY(const auto chosen, choose(names, reload ? "reload" : "restart"));
  const auto tasks = tasks_for(chosen, is_any, [](const App& app) { return !app.wanted; });
  if (tasks.empty()) return Begun{};
  const auto* by = world_.journal.intern(who.name);
  for (const auto& task : tasks) {  // an update that stopped goes on
    world_.rollout(*task.app, plan::Accepted{});
    world_.rollout(*task.app, plan::Resumed{});
  }
  auto& change = change_for(update_of(changes_, tasks), reload ? Kind::reload : Kind::restart, tasks, who);
  for (const auto& task : tasks) {
    auto& app = *task.app;
    join(change, app);
    change.view.steps.push_back(step_of(
        task, Action::replace, summary(task.count(), app.version->spec.update, app.instances()), who));
    renew(task, how, by);
  }
  return done(change);
}

void Actions::renew(const Task& task, Renewal how, const std::string* by) {
  auto& app = *task.app;
  for (auto* slot : task.slots) {
    if (slot->main->is_up() && slot->wanted) {
      slot->renewal = how;
      slot->main->by = by;
      handover_.withdraw(*slot);
      slot->stage = plan::Stage::none;
      changes_.track(*slot);
    } else {
      slots_.resume(*slot, how == Renewal::reload ? Cause::reloaded : Cause::restarted, by);
    }
  }
  app.wanted = true;
  world_.rollout(app, plan::Renewed{});
  world_.touch(app);
  world_.mark_changed(app);
}

Result<Begun> Actions::remove(const Names& names, const Actor& who) {
  SVD_TRY(const auto chosen, choose(names, "delete"));
  for (const auto& each : chosen)
    if (!each.whole)
      return fail(std::errc::invalid_argument,
                  "cannot delete an instance of " + each.app->id.str() +
                      ": only whole apps are deleted; scale takes instances away");
  const auto tasks = tasks_for(chosen, is_any, [](const App&) { return true; });
  if (tasks.empty()) return Begun{};
  const auto* by = world_.journal.intern(who.name);
  auto& change = changes_.begin(Kind::remove, target_of(tasks), who);
  for (const auto& task : tasks) {
    const auto& id = task.app->id;
    changes_.begin_part(change, *task.app);
    const auto summary = "stop " + plan::count_instances(task.count()) + " and remove";
    change.view.steps.push_back(step_of(task, Action::stop, summary, who));
    revisions_.all()[id.ecosystem].deleted.insert(id.app);
    slots_.remove(*task.app, by);
  }
  return done(change);
}

Result<Begun> Actions::scale(const std::string& name, std::uint32_t instances, const Actor& who) {
  if (!world_.down.asked && instances > max_instances)
    return fail(std::errc::invalid_argument, "cannot scale to " + std::to_string(instances) +
                                                 " instances: at most " + std::to_string(max_instances) +
                                                 " are possible");
  SVD_TRY(const auto chosen, choose({name}, "scale"));
  if (chosen.size() != 1 || !chosen.front().whole)
    return fail(std::errc::invalid_argument, "cannot scale '" + name + "': want the name of one app");
  auto& app = *chosen.front().app;
  const auto from = app.instances();
  if (from == instances) return Begun{};
  if (instances > app.width() && !app.version->spec.listen.empty())
    SVD_CHECK(sockets_.bind(app, app.version->spec, instances));
  const std::vector<Task> tasks{{&app, true, {}}};
  auto& change = change_for(update_of(changes_, tasks), Kind::scale, tasks, who);
  join(change, app);
  const auto summary = "scale from " + std::to_string(from) + " to " + plan::count_instances(instances);
  auto step = step_of(tasks.front(), Action::scale, summary, who);
  step.instances = from > instances ? from - instances : instances - from;
  change.view.steps.push_back(std::move(step));
  set_scale(app, instances, world_.journal.intern(who.name));
  return done(change);
}

void Actions::set_scale(App& app, std::uint32_t instances, const std::string* by) {
  const auto from = app.instances();
  app.scale = instances;
  if (instances == app.version->spec.instances) app.scale.reset();
  app.each_slot([&](Slot& slot) {  // one that was on its way out, and is not any more
    if (slot.index < from || slot.index >= instances) return;
    slot.wanted = app.wanted;
    if (app.wanted) slots_.resume(slot, Cause::scaled, by);
  });
  slots_.fit(app, Cause::scaled, by);
  world_.touch(app);
}

Result<std::uint32_t> Actions::signal(const Names& names, int number, KillTarget whom, const Actor& who) {
  if (number < 1 || number > 64)
    return fail(std::errc::invalid_argument,
                "cannot send signal " + std::to_string(number) + ": want 1 to 64");
  SVD_TRY(const auto chosen, select(world_.apps.all(), names, Use::change));
  std::uint32_t count = 0;
  for (const auto& each : chosen)
    for (const auto index : each.slots) {
      const auto& slot = *each.app->slots[index];
      if (slot.main->pid() == 0) continue;
      world_.outbox.push(lifecycle::Signal{lifecycle::start_of(slot.main->life.state), number, whom});
      EventRecord event;
      event.subject = slot.id().str();
      event.text = "signal " + std::to_string(number) + " sent by " + who.name;
      world_.journal.instance(std::move(event));
      ++count;
    }
  return count;
}

// Who refuses it does not keep it from the others. Where all are meant, those that have a channel are.
Result<std::uint32_t> Actions::send(const Names& names, const std::string& json) {
  SVD_TRY(const auto chosen, select(world_.apps.all(), names, Use::change));
  std::uint32_t sent = 0;
  std::vector<std::pair<std::string, Error>> refused;
  std::optional<Error> unreachable;
  for (const auto& one : chosen)
    for (const auto index : one.slots) {
      const auto& slot = *one.app->slots[index];
      const auto done = channels_.send(slot.main->start, json);
      if (done)
        ++sent;
      else if (!one.named && done.error().code == std::errc::not_connected)
        unreachable = done.error();
      else
        refused.emplace_back(slot.name(), done.error());
    }
  if (refused.empty() && sent == 0 && unreachable) return tl::make_unexpected(*unreachable);
  if (refused.empty()) return sent;
  return tl::unexpected{refusal(refused, sent)};
}

}  // namespace svd
