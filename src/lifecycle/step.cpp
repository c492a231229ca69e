// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "lifecycle/instance.h"

namespace svd::lifecycle {
namespace {

State as_state(const Rest& rest) {
  return std::visit([](const auto& value) { return State{value}; }, rest);
}

// One step under construction: the instance so far, and the command that goes with it.
class Step {
 public:
  Step(Instance instance, const Rules& rules, TimePoint now, double random)
      : out_{std::move(instance), {}}, rules_{rules}, now_{now}, random_{random} {}

  Transition take() && { return std::move(out_); }
  [[nodiscard]] const State& state() const { return out_.instance.state; }

  void on(const Begin& begin);
  void on(const Stop& stop);
  void on(const Renew& renew);
  void on(const Due& due);
  void on(const Spawned& spawned);
  void on(const SpawnFailed& failed);
  void on(const ToldReady& told);
  void on(const Drained& drained);
  void on(const Exited& exited);
  void on(const Gone& gone);

 private:
  void enter(State next) { out_.instance.state = std::move(next); }
  // The steps of a stop.
  void stop_ready(const Ready& ready, const Stop& stop, Rest next);
  void leave(StartId id, std::int64_t pid, Rest next);
  void ask(StartId id, std::int64_t pid, TimePoint deadline, Rest next);
  void kill(StartId id, std::int64_t pid, Rest next);
  void ask_about(StartId id, Rest next);
  // What follows an end that nobody asked for.
  Rest judge(bool clean);
  Rest judge_end(const ExitStatus& status);

  Transition out_;
  const Rules& rules_;
  TimePoint now_;
  double random_;
};

void Step::stop_ready(const Ready& ready, const Stop& stop, Rest next) {
  if (stop.force) {
    kill(ready.id, ready.pid, std::move(next));
  } else if (stop.drain && rules_.drain.count() > 0) {
    enter(Stopping{
        ready.id, ready.pid, Stopping::Step::draining, false, now_ + rules_.drain, {}, std::move(next)});
    out_.command = Drain{ready.id};
  } else {
    leave(ready.id, ready.pid, std::move(next));
  }
}

void Step::leave(StartId id, std::int64_t pid, Rest next) {
  const auto end = now_ + rules_.stop.timeout;
  if (!rules_.channel) return ask(id, pid, end, std::move(next));
  enter(Stopping{id, pid, Stopping::Step::disconnecting, false, end - signal_share(rules_.stop), end,
                 std::move(next)});
  out_.command = Disconnect{id};
}

void Step::ask(StartId id, std::int64_t pid, TimePoint deadline, Rest next) {
  enter(Stopping{id, pid, Stopping::Step::asked, false, deadline, {}, std::move(next)});
  out_.command = Signal{id, rules_.stop.signal, rules_.stop.kill};
}

void Step::kill(StartId id, std::int64_t pid, Rest next) {
  enter(Stopping{id, pid, Stopping::Step::killed, false, {}, {}, std::move(next)});
  out_.command = Kill{id};
}

// Nobody has said what became of its start: whatever it was, it is to end.
void Step::ask_about(StartId id, Rest next) {
  enter(Stopping{id, 0, Stopping::Step::unanswered, true, now_ + answer_within, {}, std::move(next)});
  out_.command = Kill{id};
}

Rest Step::judge(bool clean) {
  using When = RestartPolicy::When;
  const auto& policy = rules_.restart;
  const bool again = policy.policy == When::always || (policy.policy == When::on_failure && !clean);
  if (!again && clean) return Completed{};
  if (!again) return Failed{Failed::Why::policy};
  auto& history = out_.instance.history;
  const auto delay = backoff_delay(policy, history.streak(), random_);
  if (!history.admit(policy, now_)) return Failed{Failed::Why::limit};
  return Backoff{now_ + delay, delay};
}

Rest Step::judge_end(const ExitStatus& status) {
  const auto* ready = std::get_if<Ready>(&state());
  if (ready != nullptr && now_ - ready->since >= rules_.restart.reset_after) out_.instance.history.forget();
  return judge(is_clean(status, rules_.restart));
}

void Step::on(const Begin& begin) {
  switch (phase(state())) {
    case Phase::waiting:
    case Phase::backoff:
    case Phase::stopped:
      enter(Starting{begin.id, 0, now_ + answer_within});
      out_.command = Spawn{begin.id};
      return;
    case Phase::starting:
    case Phase::ready:
    case Phase::stopping:
    case Phase::completed:
    case Phase::failed:
      return;
  }
}

void Step::on(const Stop& stop) {
  const Rest next = stop.again ? Rest{Waiting{}} : Rest{Stopped{}};
  switch (phase(state())) {
    case Phase::starting: {
      const auto starting = std::get<Starting>(state());
      if (starting.pid == 0) {
        enter(Stopping{starting.id, 0, Stopping::Step::unanswered, stop.force, starting.deadline, {}, next});
        out_.command = Cancel{starting.id};
      } else if (stop.force) {
        kill(starting.id, starting.pid, next);
      } else {
        ask(starting.id, starting.pid, now_ + rules_.stop.timeout, next);
      }
      return;
    }
    case Phase::ready:
      stop_ready(Ready{std::get<Ready>(state())}, stop, next);
      return;
    case Phase::stopping: {
      auto stopping = std::get<Stopping>(state());
      stopping.next = next;
      stopping.force = stopping.force || stop.force;
      const bool born =
          stopping.step != Stopping::Step::unanswered && stopping.step != Stopping::Step::killed;
      if (stop.force && born)
        kill(stopping.id, stopping.pid, next);
      else if (stopping.step == Stopping::Step::draining && !stop.drain)
        leave(stopping.id, stopping.pid, next);
      else
        enter(std::move(stopping));
      return;
    }
    case Phase::waiting:
    case Phase::backoff:
    case Phase::completed:
    case Phase::stopped:
    case Phase::failed:
      out_.instance.history.forget();
      enter(as_state(next));
      return;
  }
}

void Step::on(const Renew&) {
  switch (phase(state())) {
    case Phase::stopping: {
      auto stopping = std::get<Stopping>(state());
      stopping.next = Waiting{};
      enter(std::move(stopping));
      break;
    }
    case Phase::backoff:
    case Phase::completed:
    case Phase::stopped:
    case Phase::failed:
      enter(Waiting{});
      break;
    case Phase::waiting:
      break;
    case Phase::starting:
    case Phase::ready:
      return;  // it is up already
  }
  out_.instance.history.forget();
}

void Step::on(const Due&) {
  if (const auto* starting = std::get_if<Starting>(&state())) {
    if (now_ < starting->deadline) return;
    const auto late = *starting;
    return late.pid == 0 ? ask_about(late.id, judge(false)) : kill(late.id, late.pid, judge(false));
  }
  const auto* stopping = std::get_if<Stopping>(&state());
  if (stopping == nullptr || now_ < stopping->deadline) return;
  const auto was = *stopping;
  switch (was.step) {
    case Stopping::Step::draining:
      return leave(was.id, was.pid, was.next);
    case Stopping::Step::disconnecting:
      return ask(was.id, was.pid, was.end, was.next);
    case Stopping::Step::asked:
      return kill(was.id, was.pid, was.next);
    case Stopping::Step::unanswered:
      return ask_about(was.id, was.next);
    case Stopping::Step::killed:
      return;
  }
}

void Step::on(const Spawned& spawned) {
  if (const auto* starting = std::get_if<Starting>(&state())) {
    if (starting->pid != 0) return;
    if (rules_.ready)
      enter(Starting{starting->id, spawned.pid, now_ + *rules_.ready});
    else
      enter(Ready{starting->id, spawned.pid, now_});
  } else if (const auto* stopping = std::get_if<Stopping>(&state());
             stopping != nullptr && stopping->step == Stopping::Step::unanswered) {
    const auto was = *stopping;
    if (was.force)
      kill(was.id, spawned.pid, was.next);
    else
      ask(was.id, spawned.pid, now_ + rules_.stop.timeout, was.next);
  }
}

void Step::on(const ToldReady&) {
  const auto* starting = std::get_if<Starting>(&state());
  if (starting != nullptr && starting->pid != 0) enter(Ready{starting->id, starting->pid, now_});
}

void Step::on(const Drained&) {
  const auto* stopping = std::get_if<Stopping>(&state());
  if (stopping == nullptr) return;
  auto was = *stopping;
  const auto earliest = was.deadline - rules_.drain + rules_.accepting;
  const bool too_early = rules_.accepting.count() > 0 && now_ < earliest;
  if (was.step == Stopping::Step::draining && too_early) {
    was.deadline = earliest;
    enter(std::move(was));
  } else if (was.step == Stopping::Step::draining) {
    leave(was.id, was.pid, std::move(was.next));
  } else if (was.step == Stopping::Step::disconnecting) {
    was.deadline = std::min<TimePoint>(was.deadline, now_ + farewell);
    enter(std::move(was));
  }
}

void Step::on(const SpawnFailed&) {
  if (std::holds_alternative<Starting>(state())) {
    enter(as_state(judge(false)));
  } else if (const auto* stopping = std::get_if<Stopping>(&state());
             stopping != nullptr && stopping->step == Stopping::Step::unanswered) {
    enter(as_state(Rest{stopping->next}));
  }
}

void Step::on(const Exited& exited) {
  switch (phase(state())) {
    case Phase::starting:
    case Phase::ready: {
      const auto id = start_of(state());
      kill(id, 0, judge_end(exited.status));
      return;
    }
    case Phase::stopping: {
      auto stopping = std::get<Stopping>(state());
      if (stopping.step == Stopping::Step::killed) {
        stopping.pid = 0;
        enter(std::move(stopping));
      } else if (stopping.step == Stopping::Step::asked && rules_.stop.kill == KillTarget::group) {
        stopping.pid = 0;  // a shell or npm is often gone before the program behind it, which was asked, too
        out_.command = Await{stopping.id};
        enter(std::move(stopping));
      } else {
        kill(stopping.id, 0, stopping.next);  // nobody has asked its strays
      }
      return;
    }
    case Phase::waiting:
    case Phase::backoff:
    case Phase::completed:
    case Phase::stopped:
    case Phase::failed:
      return;
  }
}

void Step::on(const Gone&) {
  switch (phase(state())) {
    case Phase::starting:
    case Phase::ready:
      enter(as_state(judge_end({ExitStatus::Kind::unknown, 0, false})));
      return;
    case Phase::stopping:
      enter(as_state(Rest{std::get<Stopping>(state()).next}));
      return;
    case Phase::waiting:
    case Phase::backoff:
    case Phase::completed:
    case Phase::stopped:
    case Phase::failed:
      return;
  }
}

// Tells the phase of a state by overload, so that a new alternative does not compile without one.
struct ToPhase {
  Phase operator()(const Waiting&) const { return Phase::waiting; }
  Phase operator()(const Starting&) const { return Phase::starting; }
  Phase operator()(const Ready&) const { return Phase::ready; }
  Phase operator()(const Stopping&) const { return Phase::stopping; }
  Phase operator()(const Backoff&) const { return Phase::backoff; }
  Phase operator()(const Completed&) const { return Phase::completed; }
  Phase operator()(const Stopped&) const { return Phase::stopped; }
  Phase operator()(const Failed&) const { return Phase::failed; }
};

}  // namespace

Rules rules_of(const AppSpec& spec) {
  Rules rules{spec.restart, spec.stop};
  if (spec.ready.kind != ReadyGate::Kind::exec) rules.ready = spec.ready.timeout;
  rules.channel = spec.channel != ChannelKind::none;
  constexpr Millis node{6000};  // Node's keepAliveTimeout, and a second
  rules.drain = spec.update.drain.value_or(spec.channel == ChannelKind::node ? node : Millis{0});
  return rules;
}

Nanos signal_share(const StopPolicy& stop) {
  return std::min<Nanos>(stop.timeout / 4, std::chrono::seconds{2});
}

Phase phase(const State& state) { return std::visit(ToPhase{}, state); }
Phase phase(const Rest& rest) { return std::visit(ToPhase{}, rest); }

StartId start_of(const State& state) {
  if (const auto* starting = std::get_if<Starting>(&state)) return starting->id;
  if (const auto* ready = std::get_if<Ready>(&state)) return ready->id;
  if (const auto* stopping = std::get_if<Stopping>(&state)) return stopping->id;
  return {};
}

std::int64_t pid_of(const State& state) {
  if (const auto* starting = std::get_if<Starting>(&state)) return starting->pid;
  if (const auto* ready = std::get_if<Ready>(&state)) return ready->pid;
  if (const auto* stopping = std::get_if<Stopping>(&state)) return stopping->pid;
  return 0;
}

Transition step(Instance instance, const Event& event, const Rules& rules, TimePoint now, double random) {
  Step step{std::move(instance), rules, now, random};
  std::visit([&](const auto& what) { step.on(what); }, event);
  return std::move(step).take();
}

}  // namespace svd::lifecycle
