// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/sockets.h"

#include <algorithm>

namespace svd {
namespace {

bool picks(const AppSpec& spec) {
  return std::ranges::any_of(
      spec.listen, [](const Listener& listener) { return listener.balance != Listener::Balance::shared; });
}

bool has_same_sockets(const AppSpec& a, const AppSpec& b) {
  return std::ranges::equal(a.listen, b.listen, is_same_socket);
}

bool is_same_address(const Listener& a, const Listener& b) {
  return a.name == b.name && a.kind == b.kind && a.address == b.address && a.port == b.port &&
         a.v6only == b.v6only;
}

// An address that both versions have is bound on the newer one's terms.
void drop_addresses_of(const AppSpec& newer, AppSpec& older) {
  std::erase_if(older.listen, [&](const Listener& mine) {
    return std::ranges::any_of(newer.listen, [&](const Listener& its) { return is_same_address(mine, its); });
  });
}

}  // namespace

// Those that have, or still have, what the file does not name for them; also what was lost with its revision.
std::vector<Giver> SocketOwner::givers(const Ecosystem& want) const {
  std::vector<Giver> all;
  for (const auto& [id, app] : world_.apps.of(want.name)) {
    const auto wanted = want.apps.find(id.app);
    const std::span<const Listener> keeps =
        wanted == want.apps.end() ? std::span<const Listener>{} : wanted->second.listen;
    const auto& has = app.version->spec.listen;
    if (app.sockets.releasing || app.removed || !std::ranges::equal(has, keeps, is_same_address))
      all.push_back({id, keeps});
  }
  for (const auto& id : listeners_.holders(want.name)) {
    const auto wanted = want.apps.find(id.app);
    if (world_.apps.find(id) == nullptr)
      all.push_back({id, wanted == want.apps.end() ? std::span<const Listener>{} : wanted->second.listen});
  }
  return all;
}

void SocketOwner::unbind_unknown(const Name& ecosystem) {
  for (const auto& id : listeners_.holders(ecosystem))
    if (world_.apps.find(id) == nullptr) listeners_.retain(id, {}, true);
}

Result<> SocketOwner::bind_all(const Ecosystem& want) {
  const auto given = givers(want);
  for (const auto& [name, spec] : want.apps) {
    if (spec.listen.empty()) continue;
    const AppId id{want.name, name};
    const auto* app = world_.apps.find(id);
    const auto width = app == nullptr ? spec.instances : std::max(app->width(), spec.instances);
    const auto bound = listeners_.bind(spec, id, width, given);
    if (bound) continue;
    unbind(want, name);
    return bound;
  }
  return {};
}

// Nothing comes of this file: what was bound for it, up to `last`, goes again, and what there was gets its
// own options back, also where somebody else was about to have it.
void SocketOwner::unbind(const Ecosystem& want, const Name& last) {
  for (auto entry = want.apps.begin(); entry != want.apps.end() && entry->first <= last; ++entry)
    if (const AppId id{want.name, entry->first};
        !entry->second.listen.empty() && world_.apps.find(id) == nullptr)
      listeners_.retain(id, {}, true);
  for (auto& [id, app] : world_.apps.of(want.name)) {
    const auto& listen = app.version->spec.listen;
    const auto wanted = want.apps.find(app.id.app);
    const bool asked = wanted != want.apps.end() && wanted->first <= last && !wanted->second.listen.empty();
    if (!asked && listen.empty()) continue;
    const Giver own{app.id, app.removed ? std::span<const Listener>{} : listen};
    if (!listen.empty())
      static_cast<void>(listeners_.bind(app.version->spec, app.id, app.width(), {&own, 1}));
    release(app);
  }
}

void SocketOwner::release(App& app) {
  app.sockets.picks = app.sockets.picks || picks(app.version->spec);
  app.sockets.releasing = true;
  world_.touch(app);
}

void SocketOwner::release_unused(App& app) {
  if (!app.sockets.releasing || app.removed || app.unreadable) return;  // what it runs with may not be known
  const auto& spec = app.version->spec;
  const bool unsettled = app.is_rolling() || app.is_halted();
  bool needed = false;
  app.each_instance([&](const Instance& one) {
    if (!one.version || (!one.version->lost && has_same_sockets(one.version->spec, spec))) return;
    needed = needed || unsettled || is_live(one.phase()) || one.phase() == Phase::backoff;
  });
  if (needed) return;
  app.sockets.releasing = false;
  app.sockets.picks = picks(spec);
  listeners_.retain(app.id, spec.listen, false);
}

Result<> SocketOwner::bind(App& app, const Version& version) {
  if (version.spec.listen.empty()) return {};
  AppSpec spec = version.spec;
  app.sockets.picks = app.sockets.picks || picks(spec);
  if (&version != app.version.get()) drop_addresses_of(app.version->spec, spec);
  return spec.listen.empty() ? Result<>{}
                             : bind_accepted(app, spec, &version == app.version.get() && !app.removed);
}

// Where an address was on its way from one app to another, both have it.
Result<> SocketOwner::bind_accepted(const App& app, const AppSpec& spec, bool keeps) {
  std::vector<Giver> all{
      {app.id, keeps ? std::span<const Listener>{spec.listen} : std::span<const Listener>{}}};
  const auto bound = listeners_.bind(spec, app.id, app.width(), all);
  if (bound) return bound;
  for (const auto& [id, other] : world_.apps.of(app.id.ecosystem))
    if (id != app.id) all.push_back({id});
  return listeners_.bind(spec, app.id, app.width(), all);
}

void SocketOwner::rebind(App& app) {
  std::vector<const Version*> versions{app.version.get()};
  app.each_instance([&](const Instance& one) {
    if (one.version && std::ranges::find(versions, one.version.get()) == versions.end())
      versions.push_back(one.version.get());
  });
  for (const auto* version : versions) {
    const auto bound = bind(app, *version);
    if (!bound && version == app.version.get() && !app.removed) await(app, bound.error().text);
  }
  app.sockets.releasing = true;
  world_.changed_readiness(app);
}

void SocketOwner::await(App& app, const std::string& why) {
  constexpr Millis pause{5000};
  if (app.sockets.unbound != why) world_.journal.app(app.id, why);
  app.sockets.unbound = why;
  world_.agenda.bindings.set(app.id, world_.now.mono + pause);
  app.each_slot([&](Slot& slot) { world_.mark_changed(slot); });
  world_.mark_changed(app);
  world_.touch_dependents(app);
}

void SocketOwner::admit(App& app) {
  app.sockets.unbound.clear();
  world_.agenda.bindings.set(app.id, {});
  app.each_slot([&](Slot& slot) {
    world_.touch(slot);
    world_.mark_changed(slot);
  });
  world_.mark_changed(app);
}

void SocketOwner::retry_binding() {
  if (world_.down.asked) return;
  auto due = world_.agenda.bindings.take_due(world_.now.mono);
  std::ranges::sort(due);
  for (const auto& id : due) {
    auto& app = *world_.apps.find(id);
    const auto bound = bind_accepted(app, app.version->spec, true);
    if (bound)
      admit(app);
    else
      await(app, bound.error().text);
  }
}

Result<> SocketOwner::bind(const App& app, const AppSpec& spec, std::uint32_t slots) {
  return listeners_.bind(spec, app.id, slots);
}

void SocketOwner::close(const AppId& id) {
  listeners_.retain(id, {}, true);
  world_.agenda.bindings.set(id, {});
}

void SocketOwner::close_unaccepted() {
  std::vector<AppId> all;
  for (const auto& [id, app] : world_.apps.all()) all.push_back(id);
  listeners_.retain_all(all);
}

void SocketOwner::tell_who_serves() {
  for (const auto& id : world_.agenda.serving.take()) {
    const auto* app = world_.apps.find(id);
    if (app == nullptr) continue;
    std::vector<std::pair<std::uint32_t, StartId>> ready;
    app->each_slot([&](const Slot& slot) {
      if (slot.phase() == Phase::ready) ready.emplace_back(slot.index, slot.main->start);
    });
    listeners_.serve(id, ready);
  }
}

}  // namespace svd
