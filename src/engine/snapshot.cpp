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

SavedSlot saved(const Occupant& one, Now now) {
  SavedSlot out;
  out.index = one.slot->index;
  out.role = static_cast<std::uint8_t>(one.role);
  out.phase = one.phase();
  std::visit(RestSaver{out, now}, one.life.state);
  out.cause = static_cast<std::uint8_t>(one.cause);
  if (one.by != nullptr) out.by = *one.by;
  out.late = one.late;
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
  out.last_exit = one.last_exit;
  if (one.failure) out.failure = *one.failure;
  return out;
}

SavedSlot saved(const Slot& slot, Now now) {
  auto out = saved(*slot.occupant, now);
  out.wanted = slot.wanted;
  out.part = static_cast<std::uint8_t>(slot.part);
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
  out.leaving = app.leaving;
  out.halted = app.halted;
  out.rolling = app.rolling;
  out.paused = app.paused;
  out.reverting = app.reverting;
  out.scale = app.scale;
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    out.slots.push_back(saved(*slot, now));
    slot->each_occupant([&](const Occupant& one) {
      if (one.role != Role::main) out.besides.push_back(saved(one, now));
    });
  }
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
                  {},
                  {},
                  {}};
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

std::string Engine::State::snapshot() const {
  const auto ahead = is_finished() ? 0 : reserve;
  SavedState out;
  out.next_start = next_start + ahead;
  out.next_change = next_change + ahead;
  out.next_event = next_event + ahead;
  for (const auto& [name, eco] : ecosystems)
    out.ecosystems.push_back({name, eco.current, eco.next, {eco.deleted.begin(), eco.deleted.end()}});
  for (const auto& [id, app] : apps) {
    const auto eco = ecosystems.find(id.ecosystem);
    out.apps.push_back(saved(app, eco == ecosystems.end() ? 0 : eco->second.current, now));
  }
  for (const auto& [id, change] : changes)
    if (change.running) out.changes.push_back(saved(change));
  return write_state(out);
}

}  // namespace svd
