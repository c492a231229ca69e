// SPDX-License-Identifier: Apache-2.0
#include "kernel/listeners.h"

#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "kernel/binding.h"

namespace svd {
namespace {

struct Found {
  HeldListener socket;
  std::string name;
  [[nodiscard]] auto place() const {
    return std::tie(socket.app, socket.listener, socket.identity, socket.index);
  }
};

std::string_view balance_text(Listener::Balance balance) {
  switch (balance) {
    case Listener::Balance::shared:
      return "shared";
    case Listener::Balance::even:
      return "even";
    case Listener::Balance::round_robin:
      return "round-robin";
    case Listener::Balance::sticky:
      return "sticky";
  }
  return "";
}

// Whoever takes part in an event loop of Node's, or in ours, must never wait in accept(2). Others get their
// sockets as service managers pass them, and choose for themselves.
bool is_blocking(const AppSpec& spec, const Listener& listener) {
  return spec.channel != ChannelKind::node && listener.balance != Listener::Balance::round_robin;
}

// By app, listener and index. What nobody understands is let go: nobody would ever find it.
std::vector<Found> find_held(Holder& holder) {
  std::vector<Found> found;
  for (auto& name : holder.held_names()) {
    if (!is_listener_name(name)) continue;
    if (auto socket = parse_held_name(name))
      found.push_back({std::move(*socket), std::move(name)});
    else
      holder.release(name);
  }
  std::ranges::sort(found, [](const Found& a, const Found& b) {
    return std::pair{a.place(), a.socket.mark} < std::pair{b.place(), b.socket.mark};
  });
  return found;
}

// Two for one place: a former engine ended between giving a socket its new name, or putting a new one into
// its place, and letting the old one go. Of two names the later one is right, of two files the present one.
bool is_outdated(const Found& earlier, const Holder& holder) {
  const auto path = socket_path(holder.borrow(earlier.name));
  return path.empty() || !has_own_file(earlier.name, path);
}

}  // namespace

void Listeners::take_over(Holder& holder, StartId last) {
  holder_ = &holder;
  last_ = last;
  std::vector<Found> sockets;
  for (auto& one : find_held(holder)) {
    if (sockets.empty() || sockets.back().place() != one.place()) {
      sockets.push_back(std::move(one));
    } else if (is_outdated(sockets.back(), holder)) {
      holder.release(std::exchange(sockets.back(), std::move(one)).name);
    } else {
      holder.release(one.name);
    }
  }
  std::vector<std::string> stray;
  for (auto& one : sockets) {
    const auto& socket = one.socket;
    auto& name = one.name;
    auto& app = table_[socket.app];
    auto found = std::ranges::find_if(app.bound, [&](const BoundListener& bound) {
      return bound.identity == socket.identity && bound.name == socket.listener;
    });
    if (found == app.bound.end())
      found = app.bound.insert(found, {.name = socket.listener, .identity = socket.identity});
    // One is missing below it: those above have lost their order, and go (from the back).
    if (socket.index != found->held.size()) {
      stray.push_back(std::move(name));
      continue;
    }
    if (socket_path(holder.borrow(name)).empty()) found->since = std::max(found->since, StartId{socket.mark});
    found->held.push_back(std::move(name));
  }
  for (auto name = stray.rbegin(); name != stray.rend(); ++name) holder.release(*name);
  find_shared();
}

// Among those of one address; sharers() tells whether it is so.
void Listeners::find_shared() {
  std::map<std::pair<Name, std::uint64_t>, BoundListener*> first;
  for (auto& [id, app] : table_)
    for (auto& bound : app.bound) {
      const auto [entry, fresh] = first.try_emplace({id.ecosystem, bound.identity}, &bound);
      if (!fresh) bound.shared = entry->second->shared = true;
    }
}

Result<BindRequest> Listeners::request_for(const AppSpec& spec, const AppId& id,
                                           const Listener& listener) const {
  BindRequest request{.listener = listener, .blocking = is_blocking(spec, listener)};
  if (!is_path(listener) && !is_reserved(listener)) return request;
  const auto refuse = [&](const StartFailure& why) {
    return fail(std::errc::invalid_argument, "cannot bind " + address_text(listener) + " for " + id.str() +
                                                 " (" + listener.name.str() + "): " + to_text(why));
  };
  const auto app = users_.resolve(spec.user, spec.group, {});
  if (!app) return refuse(app.error());
  request.uid = app->uid;
  request.gid = app->gid;
  request.groups = app->groups.value_or(std::vector<std::uint32_t>{});
  // A number need not be in the database, but then a group is asked for, which does not matter here.
  if (!listener.user.empty()) {
    const auto user = users_.resolve(listener.user, "0", {});
    if (!user) return refuse(user.error());
    request.uid = user->uid;
    request.groups = user->groups.value_or(std::vector<std::uint32_t>{});
  }
  if (!listener.group.empty()) {
    const auto group = users_.resolve("", listener.group, {});
    if (!group) return refuse(group.error());
    request.gid = group->gid;
  }
  return request;
}

Result<> Listeners::bind(const AppSpec& spec, const AppId& app, std::uint32_t slots,
                         std::span<const Giver> givers) {
  std::vector<BindRequest> requests;
  for (const auto& listener : spec.listen) {
    SVD_TRY(auto request, request_for(spec, app, listener));
    requests.push_back(std::move(request));
  }
  Binding binding{*holder_, table_, app, slots, last_, givers};
  for (const auto& request : requests) SVD_CHECK(binding.add(request));
  SVD_CHECK(binding.commit());
  steer_all(app, table_[app]);
  return {};
}

void Listeners::retain(const AppId& app, std::span<const Listener> keep, bool gone) {
  if (gone && gone_) gone_(app);
  const auto found = table_.find(app);
  if (found == table_.end()) return;
  std::vector<std::uint64_t> let_go;
  std::erase_if(found->second.bound, [&](BoundListener& one) {
    const bool kept = std::ranges::any_of(keep, [&](const Listener& listener) {
      return listener.name == one.name && listener_identity(listener) == one.identity;
    });
    (void)sharers(*holder_, table_, app.ecosystem, one);
    if (kept) {
      settle(*holder_, one);
    } else {
      if (one.shared) let_go.push_back(one.identity);
      drop(*holder_, one, 0);
    }
    return !kept;
  });
  if (gone) table_.erase(found);
  if (!let_go.empty()) unshare(app.ecosystem, let_go);
}

// Somebody has let go of his names of these.
void Listeners::unshare(const Name& ecosystem, std::span<const std::uint64_t> identities) {
  for (auto entry = table_.lower_bound({ecosystem, {}});
       entry != table_.end() && entry->first.ecosystem == ecosystem; ++entry) {
    bool any = false;
    for (auto& bound : entry->second.bound) {
      if (!bound.shared || std::ranges::find(identities, bound.identity) == identities.end()) continue;
      any = true;
      (void)sharers(*holder_, table_, ecosystem, bound);
      hold_again(*holder_, bound);
      if (bound.unsettled) settle(*holder_, bound);
    }
    if (any) steer_all(entry->first, entry->second);
  }
}

void Listeners::retain_all(std::span<const AppId> apps) {
  std::vector<AppId> others;
  for (const auto& [id, app] : table_)
    if (!std::ranges::binary_search(apps, id)) others.push_back(id);
  for (const auto& id : others) retain(id, {}, true);
}

std::vector<AppId> Listeners::holders(const Name& ecosystem) const {
  std::vector<AppId> all;
  for (auto entry = table_.lower_bound({ecosystem, {}});
       entry != table_.end() && entry->first.ecosystem == ecosystem; ++entry)
    if (!entry->second.bound.empty()) all.push_back(entry->first);
  return all;
}

void Listeners::serve(const AppId& app, std::span<const std::pair<std::uint32_t, StartId>> ready) {
  auto& state = table_[app];
  state.ready.assign(ready.begin(), ready.end());
  steer_all(app, state);
}

// A group that several have is steered by the one that is to keep it.
void Listeners::steer_all(const AppId& id, ListeningApp& app) {
  for (auto& bound : app.bound) {
    if (bound.held.size() < 2) continue;
    auto others = sharers(*holder_, table_, id.ecosystem, bound);
    Sharer chief{&app, &bound};
    if (bound.foreign)
      for (auto& other : others)
        if (!other.bound->foreign) std::swap(chief, other);
    const auto steered = steer(*holder_, *chief.app, *chief.bound, others);
    if (!steered && std::ranges::find(notes_, steered.error().text) == notes_.end())
      notes_.push_back(steered.error().text);
  }
}

bool Listeners::has_waiting(const AppId& app, std::uint32_t slot, StartId id) const {
  const auto* const state = find(app);
  if (state == nullptr) return false;
  return std::ranges::any_of(state->bound, [&](const BoundListener& bound) {
    if (!is_grouped(bound.terms.listener) || bound.held.size() < 2) return false;
    const auto index = index_of(bound, slot, id);
    return index < bound.held.size() && queue_length(holder_->borrow(bound.held[index])) > 0;
  });
}

std::vector<std::string> Listeners::describe(const AppId& app) const {
  std::vector<std::string> lines;
  const auto* const state = find(app);
  if (state == nullptr) return lines;
  for (const auto& bound : state->bound) {
    if (!bound.known) continue;
    const auto& listener = bound.terms.listener;
    lines.push_back(address_text(listener) + " (" + listener.name.str() + ", " +
                    std::string{is_reserved(listener) ? "reserved" : balance_text(listener.balance)} + ")");
  }
  return lines;
}

const ListeningApp* Listeners::find(const AppId& app) const {
  const auto found = table_.find(app);
  return found == table_.end() ? nullptr : &found->second;
}

Result<std::vector<std::string>> Listeners::held_for(const LaunchPlan& plan) {
  last_ = std::max(last_, plan.id);
  const auto* const app = find(plan.slot.app);
  std::vector<std::string> names;
  for (const auto& listener : plan.listen) {
    const auto* const bound = app == nullptr ? nullptr : app->find(listener);
    // What a former engine bound for a version that is no more current: as that version has it.
    const auto index = bound == nullptr       ? 0
                       : bound->known         ? index_of(*bound, plan.slot.slot, plan.id)
                       : is_grouped(listener) ? plan.slot.slot
                                              : 0;
    if (bound == nullptr || index >= bound->held.size())
      return fail(std::errc::not_connected, "cannot pass on " + listener.name.str() + ": it is not bound");
    mend(*holder_, *bound, index);
    names.push_back(bound->held[index]);
  }
  return names;
}

int Listeners::first_socket(const AppId& app, const Listener& listener) const {
  const auto* const state = find(app);
  const auto* const bound = state == nullptr ? nullptr : state->find(listener);
  return bound == nullptr ? -1 : holder_->borrow(bound->held.front());
}

int Listeners::socket(const AppId& app, const Listener& listener, std::uint32_t slot, StartId id) const {
  const auto* const state = find(app);
  const auto* const bound = state == nullptr ? nullptr : state->find(listener);
  if (bound == nullptr) return -1;
  const auto index = index_of(*bound, slot, id);
  return index < bound->held.size() ? holder_->borrow(bound->held[index]) : -1;
}

void Listeners::relisten(const AppId& app, const Listener& listener, std::uint32_t slot, StartId id) {
  const int fd = socket(app, listener, slot, id);
  if (fd >= 0 && is_stream(listener)) ::listen(fd, static_cast<int>(listener.backlog));
}

}  // namespace svd
