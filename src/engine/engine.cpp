// SPDX-License-Identifier: Apache-2.0
// Construction, and what happens to a slot when the kernel tells something.
#include "engine/engine.h"

#include "engine/select.h"
#include "engine/state.h"

namespace svd {

// splitmix64 (Vigna): 8 bytes of state, enough for spreading restarts.
double Engine::State::draw() {
  seed += 0x9E3779B97F4A7C15ULL;
  auto z = seed;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  z ^= z >> 31U;
  return static_cast<double>(z >> 11U) * 0x1.0p-53;
}

void Engine::State::advance(Slot& slot, const lifecycle::Event& event) {
  auto& life = slot.occupant.life;
  const auto& spec = (slot.occupant.version ? slot.occupant.version : slot.app->version)->spec;
  const auto before = life.state;
  auto made = lifecycle::step(std::move(life), event, lifecycle::rules_of(spec), now.mono, draw());
  life = std::move(made.instance);
  if (made.command) outbox.push_back(*made.command);
  if (life.state == before) return;
  const auto from = lifecycle::phase(before), to = slot.phase();
  count_serving(slot);
  if (from != to) {
    slot.since = now.wall;
    const auto why =
        to == Phase::ready ? "pid " + std::to_string(lifecycle::pid_of(life.state)) : reason(slot);
    record("instance", SlotId{slot.app->id, slot.index}.str(),
           std::string{to_text(from)} + " → " + std::string{to_text(to)} + (why.empty() ? "" : ": " + why));
  }
  touch(slot);
  mark_changed(slot);
  unsaved();
}

void Engine::State::begin(Slot& slot) {
  auto& app = *slot.app;
  auto& occupant = slot.occupant;
  const bool as_it_was = app.halted && occupant.version && slot.part != plan::Part::replaced && !slot.restart;
  if (!as_it_was) {
    if (is_stale(slot)) {
      slot.part = plan::Part::replaced;  // it had no process to lose, so it need not wait for its turn
      touch(app);
    }
    occupant.version = app.version;
    slot.restart = false;
  }
  if (slot.phase() == Phase::backoff) {
    slot.cause = Cause::retried;
    ++slot.restarts;
  }
  const StartId id{next_start++};
  occupant.start = id;
  occupant.revision = occupant.version->revision;
  occupant.started = now.wall;
  starts.emplace(static_cast<std::uint64_t>(id), &slot);
  advance(slot, lifecycle::Begin{id});
}

void Engine::State::on_end(Slot& slot, const std::string& why) {
  if (is_stale(slot) && !slot.app->halted) return;  // what it ran with is on its way out
  if (slot.part == plan::Part::replaced) {
    slot.part = plan::Part::broken;
    touch(*slot.app);
  }
  fail_tracked(slot, why);
}

void Engine::State::count_serving(Slot& slot) {
  const bool serves = slot.phase() == Phase::ready;
  if (std::exchange(slot.serves, serves) == serves) return;
  slot.app->serving += serves ? 1 : -1;
  changed_readiness(*slot.app);
}

void Engine::State::run_out(Slot& slot) {
  const bool late = slot.phase() == Phase::starting;
  if (late) {
    slot.late = true;
    slot.cause = Cause::late;
  }
  advance(slot, lifecycle::Due{});
  if (late) on_end(slot, "cannot start " + slot_name(slot) + ": " + end_text(slot));
}

namespace {

bool is_up(Phase phase) { return phase == Phase::starting || phase == Phase::ready; }

// The end of this slot's process is not a failure: it did its work.
bool completes(const Slot& slot) {
  const auto* stopping = std::get_if<lifecycle::Stopping>(&slot.occupant.life.state);
  return lifecycle::phase(slot.occupant.life.state) == Phase::completed ||
         (stopping != nullptr && lifecycle::phase(stopping->next) == Phase::completed);
}

}  // namespace

// What each fact of the kernel does to the slot whose start it names.
struct Dispatcher {
  Engine::State& state;
  Slot& slot;

  void operator()(const Spawned& spawned) const {
    slot.failure.reset();
    slot.late = false;
    state.advance(slot, lifecycle::Spawned{spawned.pid});
    state.mark_changed(slot);
  }

  void operator()(const SpawnFailed& failed) const {
    state.starts.erase(static_cast<std::uint64_t>(failed.id));
    const bool unasked = is_up(slot.phase());
    slot.failure = std::make_unique<StartFailure>(failed.why);
    slot.late = false;
    if (unasked) slot.cause = Cause::refused;
    state.advance(slot, lifecycle::SpawnFailed{});
    if (unasked) state.on_end(slot, "cannot start " + slot_name(slot) + ": " + to_text(failed.why));
  }

  void operator()(const Exited& exited) const { end(exited.status); }
  // It is told once. A new engine that does not know it would wait for it in vain, and then kill a program
  // that runs well: so it is saved at once, unless that costs much.
  void operator()(const ToldReady&) const {
    constexpr std::size_t much = 64U << 10U;
    state.advance(slot, lifecycle::ToldReady{});
    state.unsaved(state.saved_bytes < much);
  }
  void operator()(const Drained&) const { state.advance(slot, lifecycle::Drained{}); }

  void operator()(const Gone& gone) const {
    if (is_up(slot.phase())) end({ExitStatus::Kind::unknown, 0, false});
    state.starts.erase(static_cast<std::uint64_t>(gone.id));
    state.gone.push_back(gone.id);
    state.advance(slot, lifecycle::Gone{});
  }

 private:
  void end(const ExitStatus& status) const {
    const auto phase = slot.phase();
    if (!is_live(phase) || slot.handled == slot.occupant.start) return;  // told twice
    slot.handled = slot.occupant.start;
    slot.last_exit = status;
    slot.failure.reset();
    const bool unasked = is_up(phase);
    if (unasked) {
      slot.cause = Cause::ended;
      slot.late = false;
    }
    state.advance(slot, lifecycle::Exited{status});
    state.mark_changed(slot);
    if (unasked && !completes(slot))
      state.on_end(slot, "cannot keep " + slot_name(slot) + " running: " + to_text(status));
  }
};

void Engine::State::dispatch(const Event& event) {
  const auto id = std::visit([](const auto& what) { return what.id; }, event);
  const auto found = starts.find(static_cast<std::uint64_t>(id));
  if (found == starts.end()) {  // told twice, or of a start that was given up
    if (std::holds_alternative<Gone>(event) && strays.erase(static_cast<std::uint64_t>(id)) > 0) {
      gone.push_back(id);
      unsaved();
    }
    return;
  }
  std::visit(Dispatcher{*this, *found->second}, event);
}

Engine::Engine(Ports ports, std::uint64_t seed) : state_{std::make_unique<State>(std::move(ports), seed)} {}
Engine::~Engine() = default;

void Engine::dispatch(const Event& event, Now now) {
  state_->now = now;
  state_->dispatch(event);
}

std::optional<TimePoint> Engine::reconcile(Now now) {
  state_->now = now;
  return state_->reconcile();
}

std::vector<std::string> Engine::restore(Restored from, Now now) {
  state_->now = now;
  return state_->restore(std::move(from));
}

Result<Begun> Engine::reload(const Names& names, const Actor& who) { return restart(names, who); }

Result<Begun> Engine::pause(const std::string&, const Actor&) {
  return fail(std::errc::invalid_argument, "cannot pause: no update is running");
}
Result<Begun> Engine::resume(const std::string&, const Actor&) {
  return fail(std::errc::invalid_argument, "cannot resume: no update is running");
}
Result<Begun> Engine::abort(const std::string&, const Actor&) {
  return fail(std::errc::invalid_argument, "cannot abort: no update is running");
}

Result<std::uint32_t> Engine::send(const Names& names, const std::string& json, const Actor&) {
  SVD_TRY(const auto chosen, select(state_->apps, names, Use::change));
  std::uint32_t sent = 0;
  for (const auto& one : chosen)
    for (const auto index : one.slots) {
      SVD_CHECK(state_->ports.channels.send(one.app->slots[index]->occupant.start, json));
      ++sent;
    }
  return sent;
}

void Engine::set_now(Now now) { state_->now = now; }
bool Engine::finished() const { return state_->is_finished(); }

}  // namespace svd
