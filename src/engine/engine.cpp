// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <utility>

#include "engine/owners.h"

namespace svd {

Engine::Engine(Ports ports, std::uint64_t seed)
    : Frontend{std::make_unique<Owners>(std::move(ports), seed)} {}
Engine::~Engine() = default;

void Engine::set_now(Now now) { owners_->world.now = now; }

void Engine::dispatch(const Event& event, Now now) {
  set_now(now);
  owners_->converge.supervisor.observe(event);
}

std::optional<TimePoint> Engine::reconcile(Now now) {
  set_now(now);
  return owners_->reconciler.run();
}

std::vector<std::string> Engine::restore(Restored from, Now now) {
  set_now(now);
  auto& own = *owners_;
  auto& converge = own.converge;
  return Takeover{own.world,        own.changes,       own.revisions,       converge.slots,
                  converge.sockets, converge.handover, converge.supervisor, own.ports.decode}
      .restore(std::move(from));
}

void Engine::happened(std::string subject, std::string text, Now now) {
  set_now(now);
  owners_->world.journal.daemon(std::move(subject), std::move(text));
  owners_->world.outbox.tell_all(owners_->ports.observer);
}

void Engine::end_with_apps() { owners_->converge.shutdown.end_with_apps(); }
bool Engine::finished() const { return owners_->saver.is_finished(); }
int Engine::exit_code() const { return owners_->converge.shutdown.exit_code(); }
const World& Engine::world() const { return owners_->world; }

}  // namespace svd
