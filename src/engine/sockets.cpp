// SPDX-License-Identifier: Apache-2.0
// The sockets of apps: when they are bound, who serves them, and when they are let go.
//
// They belong to the app: neither a stop, a crash, a replacement nor a scale to 0 closes one. A file that
// names other ones binds those before anything is recorded, so that an address in use refuses the whole
// apply; the former ones are let go when nothing that runs, or may come back, was started with them.
#include <algorithm>

#include "engine/state.h"

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

std::uint32_t App::width() const {
  return std::max(static_cast<std::uint32_t>(slots.size()), leaving ? 0U : instances());
}

// Those that have, or still have, what the file does not name for them; also what was lost with its revision.
std::vector<Giver> Engine::State::givers(const Ecosystem& want) const {
  std::vector<Giver> all;
  for (auto entry = apps.lower_bound({want.name, {}});
       entry != apps.end() && entry->first.ecosystem == want.name; ++entry) {
    const auto& [id, app] = *entry;
    const auto wanted = want.apps.find(id.app);
    const std::span<const Listener> keeps =
        wanted == want.apps.end() ? std::span<const Listener>{} : wanted->second.listen;
    const auto& has = app.version->spec.listen;
    if (app.releasing || app.leaving || !std::ranges::equal(has, keeps, is_same_address))
      all.push_back({id, keeps});
  }
  for (const auto& id : ports.listeners.holders(want.name)) {
    const auto wanted = want.apps.find(id.app);
    if (!apps.contains(id))
      all.push_back({id, wanted == want.apps.end() ? std::span<const Listener>{} : wanted->second.listen});
  }
  return all;
}

// The file is accepted: of apps that nobody knows, nothing is held any more.
void Engine::State::unbind_unknown(const Name& ecosystem) {
  for (const auto& id : ports.listeners.holders(ecosystem))
    if (!apps.contains(id)) ports.listeners.retain(id, {}, true);
}

Result<> Engine::State::bind_all(const Ecosystem& want) {
  const auto given = givers(want);
  for (const auto& [name, spec] : want.apps) {
    if (spec.listen.empty()) continue;
    const AppId id{want.name, name};
    const auto app = apps.find(id);
    const auto width = app == apps.end() ? spec.instances : std::max(app->second.width(), spec.instances);
    const auto bound = ports.listeners.bind(spec, id, width, given);
    if (bound) continue;
    unbind(want, name);
    return bound;
  }
  return {};
}

// Nothing comes of this file: what was bound for it, up to `last`, goes again, and what there was gets its
// own options back, also where somebody else was about to have it.
void Engine::State::unbind(const Ecosystem& want, const Name& last) {
  for (auto entry = want.apps.begin(); entry != want.apps.end() && entry->first <= last; ++entry)
    if (const AppId id{want.name, entry->first}; !entry->second.listen.empty() && !apps.contains(id))
      ports.listeners.retain(id, {}, true);
  for (auto entry = apps.lower_bound({want.name, {}});
       entry != apps.end() && entry->first.ecosystem == want.name; ++entry) {
    auto& app = entry->second;
    const auto& listen = app.version->spec.listen;
    const auto wanted = want.apps.find(app.id.app);
    const bool asked = wanted != want.apps.end() && wanted->first <= last && !wanted->second.listen.empty();
    if (!asked && listen.empty()) continue;
    const Giver own{app.id, app.leaving ? std::span<const Listener>{} : listen};
    if (!listen.empty())
      static_cast<void>(ports.listeners.bind(app.version->spec, app.id, app.width(), {&own, 1}));
    release(app);
  }
}

// The app has another version: what that does not name is let go when it may.
void Engine::State::release(App& app) {
  app.picks = app.picks || picks(app.version->spec);
  app.releasing = true;
  touch(app);
}

void Engine::State::let_go(App& app) {
  if (!app.releasing || app.leaving || app.unreadable) return;  // what it runs with may not be known
  const auto& spec = app.version->spec;
  const bool unsettled = app.rolling || app.halted;
  bool needed = false;
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    slot->each_occupant([&](const Occupant& one) {
      if (!one.version || (!one.version->lost && has_same_sockets(one.version->spec, spec))) return;
      needed = needed || unsettled || is_live(one.phase()) || one.phase() == Phase::backoff;
    });
  }
  if (needed) return;
  app.releasing = false;
  app.picks = picks(spec);
  ports.listeners.retain(app.id, spec.listen, false);
}

// The sockets of its version, or what a former version has besides. Those are bound when the version is
// accepted; but when the machine comes up again somebody else may have an address, and of a former version
// nobody waits for it: it is asked for when it is needed.
Result<> Engine::State::bind(App& app, const Version& version) {
  if (version.spec.listen.empty()) return {};
  AppSpec spec = version.spec;
  app.picks = app.picks || picks(spec);
  if (&version != app.version.get()) drop_addresses_of(app.version->spec, spec);
  return spec.listen.empty() ? Result<>{}
                             : bind_accepted(app, spec, &version == app.version.get() && !app.leaving);
}

// Where an address was on its way from one app to another, both have it.
Result<> Engine::State::bind_accepted(const App& app, const AppSpec& spec, bool keeps) {
  std::vector<Giver> all{
      {app.id, keeps ? std::span<const Listener>{spec.listen} : std::span<const Listener>{}}};
  const auto bound = ports.listeners.bind(spec, app.id, app.width(), all);
  if (bound) return bound;
  for (auto entry = apps.lower_bound({app.id.ecosystem, {}});
       entry != apps.end() && entry->first.ecosystem == app.id.ecosystem; ++entry)
    if (entry->first != app.id) all.push_back({entry->first});
  return ports.listeners.bind(spec, app.id, app.width(), all);
}

// After a former engine. An app whose sockets cannot be had waits, and nobody waits for it.
void Engine::State::rebind(App& app) {
  std::vector<const Version*> versions{app.version.get()};
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    slot->each_occupant([&](const Occupant& one) {
      if (one.version && std::ranges::find(versions, one.version.get()) == versions.end())
        versions.push_back(one.version.get());
    });
  }
  for (const auto* version : versions) {
    const auto bound = bind(app, *version);
    if (!bound && version == app.version.get() && !app.leaving) await_sockets(app, bound.error().text);
  }
  app.releasing = true;
  changed_readiness(app);
}

void Engine::State::await_sockets(App& app, const std::string& why) {
  constexpr Millis pause{5000};
  if (app.unbound != why) record("instance", app.id.str(), why);
  app.unbound = why;
  app.bind_at = now.mono + pause;
  unbound.insert(&app);
  for (const auto& slot : app.slots)
    if (slot) mark_changed(*slot);
  mark_changed(app);
  touch_dependents(app);
}

// The app's own sockets are there: from now on it may start.
void Engine::State::admit(App& app) {
  app.unbound.clear();
  unbound.erase(&app);
  for (const auto& slot : app.slots) {
    if (!slot) continue;
    touch(*slot);
    mark_changed(*slot);
  }
  mark_changed(app);
}

void Engine::State::retry_binding() {
  for (auto* app : std::set<App*, InOrder>{unbound}) {
    if (now.mono < app->bind_at || shutting) continue;
    const auto bound = bind_accepted(*app, app->version->spec, true);
    if (bound)
      admit(*app);
    else
      await_sockets(*app, bound.error().text);
  }
}

void Engine::State::changed_readiness(App& app) {
  if (app.picks && !std::exchange(app.unserved, true)) unserved.push_back(app.id);
}

void Engine::State::tell_who_serves() {
  for (const auto& id : std::exchange(unserved, {})) {
    const auto found = apps.find(id);
    if (found == apps.end()) continue;
    auto& app = found->second;
    app.unserved = false;
    std::vector<std::pair<std::uint32_t, StartId>> ready;
    for (const auto& slot : app.slots)
      if (slot && slot->phase() == Phase::ready) ready.emplace_back(slot->index, slot->occupant->start);
    ports.listeners.serve(id, ready);
  }
}

}  // namespace svd
