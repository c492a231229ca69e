// SPDX-License-Identifier: Apache-2.0
// Construction, and what happens to an instance when the kernel tells something.
#include "engine/engine.h"

#include <algorithm>
#include <cerrno>

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

namespace {

constexpr Millis while_accepting{500};  // a handshake that has begun is over by then

std::string_view role_prefix(Role role) {
  switch (role) {
    case Role::main:
      return "";
    case Role::replacement:
    case Role::withdrawn:
      return "replacement: ";
    case Role::leaving:
      return "leaving: ";
  }
  return "";
}

}  // namespace

// A slot that goes takes its own socket along. The kernel sends nothing to it from now on; what it has begun
// to send it is accepted first, and so is all that waits in its queue, for as long as its stop may take.
lifecycle::Rules Engine::State::rules_for(const Occupant& one) {
  auto rules = lifecycle::rules_of(spec_of(one));
  const auto& app = *one.slot->app;
  if (app.picks && app.is_surplus(*one.slot)) {
    rules.accepting = while_accepting;
    rules.drain = std::max(rules.drain, while_accepting);
  }
  return rules;
}

bool Engine::State::goes_on_accepting(Occupant& one) {
  auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state);
  const auto& slot = *one.slot;
  if (stopping == nullptr || stopping->step != lifecycle::Stopping::Step::draining || !slot.app->picks ||
      !slot.app->is_surplus(slot) || now.mono < stopping->deadline)
    return false;
  const auto rules = rules_for(one);
  const auto taken = std::chrono::microseconds{now.wall.micros - one.since.micros};
  if (taken >= rules.drain + rules.stop.timeout ||
      !ports.listeners.has_waiting(slot.app->id, slot.index, one.start))
    return false;
  stopping->deadline = now.mono + while_accepting;
  touch(one);
  return true;
}

void Engine::State::advance(Occupant& one, const lifecycle::Event& event) {
  const auto before = one.life.state;
  auto made = lifecycle::step(std::move(one.life), event, rules_for(one), now.mono, draw());
  one.life = std::move(made.instance);
  if (made.command) outbox.push(*made.command);
  if (one.life.state == before) return;
  auto& slot = *one.slot;
  const auto from = lifecycle::phase(before), to = one.phase();
  const bool born = lifecycle::pid_of(before) == 0 && lifecycle::pid_of(one.life.state) != 0;
  count_serving(one);
  if (from != to) {
    one.since = now.wall;
    const auto why =
        to == Phase::ready ? "pid " + std::to_string(lifecycle::pid_of(one.life.state)) : reason(one);
    record("instance", SlotId{slot.app->id, slot.index}.str(),
           std::string{role_prefix(one.role)} + std::string{to_text(from)} + " → " +
               std::string{to_text(to)} + (why.empty() ? "" : ": " + why),
           &one);
    if (one.role != Role::main || slot.part != plan::Part::none) slot.app->progress = now.mono;
    if (one.goes() && !is_live(to) && !std::exchange(one.rested, true)) rested.push_back(&one);
  }
  if ((from != to || born) && !dependents.empty()) touch_dependents(*slot.app);
  may_have_ended = may_have_ended || to == Phase::completed || to == Phase::failed;
  touch(one);
  mark_changed(slot);
  unsaved();
  take_back(one);
}

// A start that was decided on, and stopped again before it was sent to anybody, never happens.
void Engine::State::take_back(Occupant& one) {
  const auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state);
  if (stopping == nullptr || stopping->step != lifecycle::Stopping::Step::unborn) return;
  if (!outbox.withdraw(lifecycle::Command{lifecycle::Spawn{stopping->id}})) return;
  starts.erase(static_cast<std::uint64_t>(stopping->id));
  advance(one, lifecycle::SpawnFailed{});
}

// While a rollout has not reached it, or has stopped, a slot is restarted as it was.
void Engine::State::choose_version(Occupant& one) {
  auto& slot = *one.slot;
  auto& app = *slot.app;
  const bool stale = one.version && one.version->spec.generation != app.version->spec.generation;
  const bool as_it_was =
      stale && !one.version->lost && slot.part != plan::Part::replaced && (app.rolling || app.halted);
  if (as_it_was || slot.replacement) return;
  if (is_stale(slot) && app.rolling) {
    slot.part = plan::Part::replaced;  // it had no process to lose, so it need not wait for its turn
    touch(app);
  }
  one.version = app.version;
  slot.renewal = Renewal::none;
}

void Engine::State::begin(Occupant& one) {
  auto& slot = *one.slot;
  if (one.role == Role::main) choose_version(one);
  if (!one.version) one.version = slot.app->version;
  if (one.phase() == Phase::backoff) {
    one.cause = Cause::retried;
    ++slot.restarts;
  }
  const StartId id{next_start++};
  one.start = slot.last = id;
  one.revision = one.version->revision;
  one.started = now.wall;
  starts.emplace(static_cast<std::uint64_t>(id), &one);
  advance(one, lifecycle::Begin{id});
}

void Engine::State::on_end(Occupant& one, const std::string& why) {
  auto& slot = *one.slot;
  if (one.goes() || is_ending(slot)) return;
  if (one.role == Role::main) {
    if (is_stale(slot) && !slot.app->halted) return;  // what it ran with is on its way out
    if (slot.part == plan::Part::proven) return;      // that it works has been seen: it is restarted
  }
  if (one.role == Role::replacement || slot.part == plan::Part::replaced) {
    slot.part = plan::Part::broken;
    touch(*slot.app);
  }
  fail_tracked(slot, why);
}

void Engine::State::count_serving(Occupant& one) {
  const bool serves = one.role == Role::main && one.phase() == Phase::ready;
  if (std::exchange(one.serves, serves) == serves) return;
  one.slot->app->serving += serves ? 1 : -1;
  changed_readiness(*one.slot->app);
}

void Engine::State::run_out(Occupant& one) {
  if (goes_on_accepting(one)) return;
  const bool late = one.phase() == Phase::starting;
  if (late && lifecycle::pid_of(one.life.state) == 0) {
    one.failure = std::make_unique<StartFailure>(StartFailure{StartStage::keeper, ETIMEDOUT, ""});
    one.cause = Cause::refused;
  } else if (late) {
    one.late = true;
    one.cause = Cause::late;
  }
  advance(one, lifecycle::Due{});
  if (late) on_end(one, "cannot start " + slot_name(*one.slot) + ": " + end_text(one));
}

namespace {

// The end of this process is not a failure: it did its work.
bool completes(const Occupant& one) {
  const auto* stopping = std::get_if<lifecycle::Stopping>(&one.life.state);
  return one.phase() == Phase::completed ||
         (stopping != nullptr && lifecycle::phase(stopping->next) == Phase::completed);
}

}  // namespace

// What each fact of the kernel does to the occupant whose start it names.
struct Dispatcher {
  Engine::State& state;
  Occupant& one;

  void operator()(const Spawned& spawned) const {
    one.failure.reset();
    one.late = false;
    state.advance(one, lifecycle::Spawned{spawned.pid});
    state.mark_changed(*one.slot);
  }

  void operator()(const SpawnFailed& failed) const {
    state.starts.erase(static_cast<std::uint64_t>(failed.id));
    const bool unasked = one.is_up();
    one.failure = std::make_unique<StartFailure>(failed.why);
    one.late = false;
    if (unasked) one.cause = Cause::refused;
    state.advance(one, lifecycle::SpawnFailed{});
    if (unasked) state.on_end(one, "cannot start " + slot_name(*one.slot) + ": " + to_text(failed.why));
  }

  void operator()(const Exited& exited) const { end(exited.status); }
  // It is told once. A new engine that does not know it would wait for it in vain, and then kill a program
  // that runs well: so it is saved at once, unless that costs much.
  void operator()(const ToldReady&) const {
    constexpr std::size_t much = 64U << 10U;
    state.advance(one, lifecycle::ToldReady{});
    state.unsaved(state.saved_bytes < much);
  }
  void operator()(const Drained&) const { state.advance(one, lifecycle::Drained{}); }

  void operator()(const Gone& gone) const {
    if (one.is_up()) end({ExitStatus::Kind::unknown, 0, false});
    state.starts.erase(static_cast<std::uint64_t>(gone.id));
    state.gone.push_back(gone.id);
    state.advance(one, lifecycle::Gone{});
  }

 private:
  void end(const ExitStatus& status) const {
    if (!is_live(one.phase()) || one.handled == one.start) return;  // told twice
    one.handled = one.start;
    one.last_exit = status;
    one.failure.reset();
    const bool unasked = one.is_up();
    if (unasked) {
      one.cause = Cause::ended;
      one.late = false;
    }
    state.advance(one, lifecycle::Exited{status});
    state.mark_changed(*one.slot);
    if (unasked && !completes(one))
      state.on_end(one, "cannot keep " + slot_name(*one.slot) + " running: " + to_text(status));
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

namespace {

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

// Who refuses it does not keep it from the others. Where all are meant, those that have a channel are.
Result<std::uint32_t> Engine::send(const Names& names, const std::string& json, const Actor&) {
  SVD_TRY(const auto chosen, select(state_->apps, names, Use::change));
  std::uint32_t sent = 0;
  std::vector<std::pair<std::string, Error>> refused;
  std::optional<Error> unreachable;
  for (const auto& one : chosen)
    for (const auto index : one.slots) {
      const auto& slot = *one.app->slots[index];
      const auto done = state_->ports.channels.send(slot.occupant->start, json);
      if (done)
        ++sent;
      else if (!one.named && done.error().code == std::errc::not_connected)
        unreachable = done.error();
      else
        refused.emplace_back(slot_name(slot), done.error());
    }
  if (refused.empty() && sent == 0 && unreachable) return tl::make_unexpected(*unreachable);
  if (refused.empty()) return sent;
  return tl::unexpected{refusal(refused, sent)};
}

void Engine::happened(std::string subject, std::string text, Now now) {
  state_->now = now;
  state_->record("daemon", std::move(subject), std::move(text));
  state_->outbox.tell_all(state_->ports.observer);
}

void Engine::set_now(Now now) { state_->now = now; }
bool Engine::finished() const { return state_->is_finished(); }

}  // namespace svd
