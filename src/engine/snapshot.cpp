// SPDX-License-Identifier: Apache-2.0
// Memory → text.
#include "engine/persist.h"
#include "engine/state.h"

namespace svd {
namespace {

// Numbers may be given away after this save and before the next one; a new engine that knows only this one
// must not give them away again. (Starts that left a trace are also in the keeper's table.)
constexpr std::uint64_t reserve = 10'000;

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

SavedSlot saved(const Slot& slot, Now now) {
  const auto& occupant = slot.occupant;
  SavedSlot out;
  out.index = slot.index;
  out.phase = slot.phase();
  std::visit(RestSaver{out, now}, occupant.life.state);
  out.cause = static_cast<std::uint8_t>(slot.cause);
  if (slot.by != nullptr) out.by = *slot.by;
  out.wanted = slot.wanted;
  out.restart = slot.restart;
  out.late = slot.late;
  out.start = static_cast<std::uint64_t>(occupant.start);
  out.handled = static_cast<std::uint64_t>(slot.handled);
  if (occupant.version) {
    out.generation = occupant.version->spec.generation;
    out.version = occupant.version->revision;
  }
  out.revision = occupant.revision;
  out.restarts = slot.restarts;
  out.since = slot.since.micros;
  out.started = occupant.started.micros;
  out.streak = occupant.life.history.streak();
  for (const auto at : occupant.life.history.times()) out.recent.push_back(to_wall(at, now));
  out.last_exit = slot.last_exit;
  if (slot.failure) out.failure = *slot.failure;
  return out;
}

SavedApp saved(const App& app, Now now) {
  SavedApp out;
  out.id = app.id;
  out.generation = app.version->spec.generation;
  out.wanted = app.wanted;
  out.leaving = app.leaving;
  out.halted = app.halted;
  out.scale = app.scale;
  for (const auto& slot : app.slots)
    if (slot) out.slots.push_back(saved(*slot, now));
  return out;
}

SavedChange saved(const Change& change) {
  const auto& view = change.view;
  SavedChange out{static_cast<std::uint64_t>(view.id),
                  view.kind,
                  view.target,
                  change.who,
                  change.ecosystem,
                  view.revision,
                  view.started.micros,
                  {}};
  for (const auto& [id, part] : change.parts)
    if (part.open) out.apps.push_back(id);
  return out;
}

}  // namespace

std::string Engine::State::snapshot() const {
  const auto ahead = is_finished() ? 0 : reserve;
  SavedState out;
  out.next_start = next_start + ahead;
  out.next_change = next_change + ahead;
  out.next_event = next_event + ahead;
  for (const auto& [name, eco] : ecosystems)
    out.ecosystems.push_back({name, eco.current, eco.next, {eco.deleted.begin(), eco.deleted.end()}});
  for (const auto& [id, app] : apps) out.apps.push_back(saved(app, now));
  for (const auto& [id, change] : changes)
    if (change.running) out.changes.push_back(saved(change));
  return write_state(out);
}

}  // namespace svd
