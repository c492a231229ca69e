// SPDX-License-Identifier: Apache-2.0
#include "engine/frontend.h"

#include <utility>

#include "engine/owners.h"

namespace svd {

Frontend::Frontend(std::unique_ptr<Owners> owners) : owners_{std::move(owners)} {}
Frontend::~Frontend() = default;

Result<Begun> Frontend::apply(Source source, const Actor& who) {
  return owners_->applying.apply(std::move(source), who);
}
Result<std::vector<PlanStep>> Frontend::plan(Source source) {
  return owners_->applying.plan(std::move(source));
}
Result<Begun> Frontend::rollback(const std::string& ecosystem, std::uint64_t revision, const Actor& who) {
  return owners_->applying.rollback(ecosystem, revision, who);
}

Result<Begun> Frontend::start(const Names& names, const Actor& who) {
  return owners_->actions.start(names, who);
}
Result<Begun> Frontend::stop(const Names& names, const Actor& who) {
  return owners_->actions.stop(names, who);
}
Result<Begun> Frontend::restart(const Names& names, const Actor& who) {
  return owners_->actions.renew(names, who, Renewal::restart);
}
Result<Begun> Frontend::reload(const Names& names, const Actor& who) {
  return owners_->actions.renew(names, who, Renewal::reload);
}
Result<Begun> Frontend::remove(const Names& names, const Actor& who) {
  return owners_->actions.remove(names, who);
}
Result<Begun> Frontend::scale(const std::string& app, std::uint32_t instances, const Actor& who) {
  return owners_->actions.scale(app, instances, who);
}
Result<std::uint32_t> Frontend::signal(const Names& names, int number, KillTarget whom, const Actor& who) {
  return owners_->actions.signal(names, number, whom, who);
}
Result<std::uint32_t> Frontend::send(const Names& names, const std::string& json, const Actor&) {
  return owners_->actions.send(names, json);
}

Result<Begun> Frontend::pause(const std::string& app, const Actor& who) {
  return owners_->steering.pause(app, who);
}
Result<Begun> Frontend::resume(const std::string& app, const Actor& who) {
  return owners_->steering.resume(app, who);
}
Result<Begun> Frontend::abort(const std::string& app, const Actor& who) {
  return owners_->steering.abort(app, who);
}

void Frontend::shutdown(const Actor& who, bool force) { owners_->converge.shutdown.begin(who, force); }

Result<std::vector<AppView>> Frontend::apps(const Names& names) const { return owners_->views.apps(names); }
Result<std::vector<InstanceView>> Frontend::instances(const Names& names) const {
  return owners_->views.instances(names);
}
std::optional<AppView> Frontend::app(const AppId& id) const { return owners_->views.app(id); }
std::optional<InstanceView> Frontend::instance(const SlotId& id) const { return owners_->views.instance(id); }
Usage Frontend::usage(const AppId& id, Figures figures) const { return owners_->views.usage(id, figures); }
Usage Frontend::usage(const SlotId& id, StartId start, Figures figures) const {
  return owners_->views.usage(id, start, figures);
}
Result<std::vector<RevisionView>> Frontend::history(const std::string& ecosystem) const {
  return owners_->views.history(ecosystem);
}

std::optional<ChangeView> Frontend::change(ChangeId id) const { return owners_->changes.view(id); }
std::vector<ChangeId> Frontend::changes() const {
  std::vector<ChangeId> out;
  for (const auto& [id, change] : owners_->changes.all()) out.push_back(id);
  return out;
}
std::vector<EventRecord> Frontend::events(std::uint64_t after, std::uint32_t limit) const {
  return owners_->world.journal.since(after, limit);
}

}  // namespace svd
