// SPDX-License-Identifier: Apache-2.0
// Memory → text.
#include "engine/saving/saver.h"

namespace svd {
namespace {

std::int64_t to_wall(TimePoint at, Now now) {
  return now.wall.micros + std::chrono::duration_cast<std::chrono::microseconds>(at - now.mono).count();
}

// What a state without a process needs besides its phase.
struct RestSaver {
  SavedSlot& out;
  Now now;

  void operator()(const lifecycle::Backoff& backoff) const {
    out.until = to_wall(backoff.until, now);
    out.delay = backoff.delay.count();
  }
  void operator()(const lifecycle::Failed& failed) const {
    out.limit = failed.why == lifecycle::Failed::Why::limit;
  }
  void operator()(const lifecycle::Stopping& stopping) const {
    out.next = lifecycle::phase(stopping.next);
    std::visit(*this, stopping.next);
  }
  template <class Other>
  void operator()(const Other&) const {}
};

SavedSlot saved(const Instance& one, Now now) {
  SavedSlot out;
  out.index = one.slot->index;
  out.role = static_cast<std::uint8_t>(one.role);
  out.phase = one.phase();
  std::visit(RestSaver{out, now}, one.life.state);
  out.cause = static_cast<std::uint8_t>(one.cause);
  if (one.by != nullptr) out.by = *one.by;
  out.late = one.end.late;
  out.start = static_cast<std::uint64_t>(one.start);
  out.handled = static_cast<std::uint64_t>(one.handled);
  if (one.version) {
    out.generation = one.version->spec.generation;
    out.version = one.version->revision;
  }
  out.revision = one.revision;
  out.since = one.since.micros;
  out.started = one.started.micros;
  out.streak = one.life.history.streak();
  for (const auto at : one.life.history.times()) out.recent.push_back(to_wall(at, now));
  out.last_exit = one.end.exit;
  if (one.end.failure) out.failure = *one.end.failure;
  return out;
}

SavedSlot saved(const Slot& slot, Now now) {
  auto out = saved(*slot.main, now);
  out.wanted = slot.wanted;
  out.stage = static_cast<std::uint8_t>(slot.stage);
  out.renewal = static_cast<std::uint8_t>(slot.renewal);
  out.last = static_cast<std::uint64_t>(slot.last);
  out.restarts = slot.restarts;
  return out;
}

SavedApp saved(const App& app, std::uint64_t current, Now now) {
  SavedApp out;
  out.id = app.id;
  out.generation = app.version->spec.generation;
  if (app.version->revision != current) out.version = app.version->revision;
  if (app.stable) out.stable = app.stable->revision;
  out.wanted = app.wanted;
  out.removed = app.removed;
  out.halted = app.is_halted();
  out.rolling = app.is_rolling();
  out.paused = app.is_paused();
  out.going_back = app.is_going_back();
  out.scale = app.scale;
  app.each_slot([&](const Slot& slot) { out.slots.push_back(saved(slot, now)); });
  app.each_instance([&](const Instance& one) {
    if (one.role != Role::main) out.besides.push_back(saved(one, now));
  });
  return out;
}

SavedChange saved(const Change& change) {
  const auto& view = change.view;
  SavedChange out;
  out.id = static_cast<std::uint64_t>(view.id);
  out.kind = to_text(change.kind);
  out.target = view.target;
  out.who = change.who;
  out.ecosystem = change.ecosystem;
  out.revision = view.revision;
  out.started = view.started.micros;
  for (const auto& [id, part] : change.parts) {
    if (part.open) out.apps.push_back(id);
    for (const auto& [slot, why] : part.failures) {
      out.failed.push_back(slot.str());
      out.why.push_back(why);
    }
  }
  return out;
}

}  // namespace

SavedState Saver::snapshot(std::uint64_t ahead) const {
  SavedState out;
  out.next_start = world_.starts.next() + ahead;
  out.next_change = changes_.next() + ahead;
  out.next_event = world_.journal.next() + ahead;
  for (const auto& [name, eco] : revisions_.all())
    out.ecosystems.push_back({name, eco.current, eco.next, {eco.deleted.begin(), eco.deleted.end()}});
  for (const auto& [id, app] : world_.apps.all())
    out.apps.push_back(saved(app, revisions_.current(id.ecosystem), world_.now));
  for (const auto& [id, change] : changes_.all())
    if (change.is_running()) out.changes.push_back(saved(change));
  return out;
}

}  // namespace svd
