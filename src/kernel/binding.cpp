// SPDX-License-Identifier: Apache-2.0
#include "kernel/binding.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "kernel/address_owner.h"

namespace svd {

Binding::Binding(Holder& holder, ListenerTable& table, AppId app, std::uint32_t slots, StartId last)
    : holder_{holder}, table_{table}, id_{std::move(app)}, app_{table[id_]}, slots_{slots}, last_{last} {}

Binding::~Binding() {
  if (done_) return;
  for (auto draft = drafts_.rbegin(); draft != drafts_.rend(); ++draft) undo(*draft);
  if (app_.bound.empty()) table_.erase(id_);
}

BoundListener* Binding::bound_of(const Draft& draft) const {
  return draft.at ? &app_.bound[*draft.at] : nullptr;
}

// Up to which start the balance is another one than from now on. A change that is taken back before anything
// was started was none.
StartId Binding::since(const BoundListener& bound, const Listener& listener) const {
  if (!bound.known || is_grouped(bound.terms.listener) == is_grouped(listener)) return bound.since;
  return bound.since == last_ ? StartId{} : last_;
}

Binding::Draft Binding::draft_for(const BindRequest& request) const {
  const auto& listener = request.listener;
  Draft draft{.terms = request};
  const BoundListener* const bound = app_.find(listener);
  if (bound != nullptr) {
    draft.at = static_cast<std::size_t>(bound - app_.bound.data());
    draft.since = since(*bound, listener);
    // A socket whose file was removed is of no use to anybody.
    const bool lost = is_path(listener) && !has_own_file(bound->held.front(), listener.address);
    draft.present = lost ? 0 : bound->held.size();
  }
  draft.terms.in_group = std::max(draft.present, sockets_wanted(listener, slots_)) > 1;
  return draft;
}

Result<> Binding::add(const BindRequest& request) {
  auto draft = draft_for(request);
  const auto* const bound = bound_of(draft);
  const auto wanted = sockets_wanted(request.listener, slots_);
  const bool same = bound != nullptr && bound->known && bound->terms == draft.terms;
  if (same && draft.present >= wanted) return {};
  drafts_.push_back(std::move(draft));
  auto failed = same ? std::nullopt : change(drafts_.back(), drafts_.back().terms);
  if (!failed) failed = fill(drafts_.back(), wanted);
  if (failed) return tl::make_unexpected(explain(request.listener, *failed));
  return {};
}

std::optional<BindFailure> Binding::change(const Draft& draft, const BindRequest& terms) const {
  const BoundListener* const bound = bound_of(draft);
  if (bound == nullptr || draft.present == 0) return std::nullopt;
  for (const auto& name : bound->held) {
    const int fd = holder_.borrow(name);
    if (auto failed = apply_options(fd, terms)) return failed;
    // Never the other way: running instances may have chosen so.
    if (!terms.blocking) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  return apply_file(terms);
}

std::optional<BindFailure> Binding::fill(Draft& draft, std::size_t wanted) const {
  for (auto index = draft.present; index < wanted; ++index) {
    auto fd = make(draft.terms, index == 0);
    if (!fd) return fd.error();
    draft.made.push_back(std::move(*fd));
  }
  return std::nullopt;
}

// The first socket of a group must find the address free: else it would join a group of somebody else's. What
// the app itself has bound is in nobody's way, since it goes when the last instance that uses it has gone.
tl::expected<UniqueFd, BindFailure> Binding::make(BindRequest terms, bool is_first) const {
  if (is_first && terms.in_group && !terms.listener.reuse_port)
    if (auto taken = find_taken(terms.listener); taken && !make_way(terms.listener))
      return tl::make_unexpected(*taken);
  auto fd = bind_socket(terms);
  if (fd || fd.error().err != EADDRINUSE || !make_way(terms.listener)) return fd;
  terms.in_group = true;
  return bind_socket(terms);
}

// An address of this app overlaps with another one that it had until now. Sockets share; a file is given up.
bool Binding::make_way(const Listener& listener) const {
  const int on = 1;
  bool found = false;
  for (const auto& bound : app_.bound) {
    if (!bound.known || bound.held.empty() || !overlap(bound.terms.listener, listener)) continue;
    for (const auto& name : bound.held) {
      if (is_path(listener) && has_own_file(name, listener.address)) ::unlink(listener.address.c_str());
      if (!is_unix(listener)) ::setsockopt(holder_.borrow(name), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    found = true;
  }
  return found;
}

std::string Binding::who_has(const Listener& listener) const {
  for (const auto& [id, app] : table_)
    for (const auto& bound : app.bound)
      if (bound.known && overlap(bound.terms.listener, listener))
        return id.str() + " (" + bound.name.str() + ")";
  return address_owner(listener);
}

Error Binding::explain(const Listener& listener, const BindFailure& why) const {
  const auto owner = why.err == EADDRINUSE ? who_has(listener) : "";
  return {static_cast<std::errc>(why.err),
          "cannot bind " + address_text(listener) + " for " + id_.str() + " (" + listener.name.str() +
              "): " + (owner.empty() ? why.reason : "it is in use by " + owner)};
}

std::string Binding::name_for(const Draft& draft, std::size_t index) const {
  const auto& listener = draft.terms.listener;
  return to_held_name(
      {id_, listener.name, listener_identity(listener), static_cast<std::uint32_t>(index),
       is_path(listener) ? file_mark(listener.address) : static_cast<std::uint64_t>(draft.since)});
}

Result<> Binding::hold(Draft& draft) {
  for (const auto& fd : draft.made) {
    auto name = name_for(draft, draft.present + draft.held.size());
    SVD_CHECK(holder_.hold(name, fd.get()));
    draft.held.push_back(std::move(name));
  }
  return {};
}

Result<> Binding::commit() {
  for (auto& draft : drafts_) SVD_CHECK(hold(draft));
  for (auto& draft : drafts_) enter(draft);
  app_.slots = slots_;
  done_ = true;
  return {};
}

void Binding::enter(Draft& draft) {
  BoundListener* bound = bound_of(draft);
  if (bound == nullptr) {
    const auto& listener = draft.terms.listener;
    bound = &app_.bound.emplace_back(
        BoundListener{.name = listener.name, .identity = listener_identity(listener)});
  }
  if (draft.present == 0) drop(holder_, *bound, 0);
  if (draft.present > 0 && bound->since != draft.since) {
    // So that the next engine knows it, too.
    const auto name = name_for(draft, 0);
    if (holder_.hold(name, holder_.borrow(bound->held.front()))) {
      holder_.release(bound->held.front());
      bound->held.front() = name;
    }
  }
  bound->known = true;
  bound->since = draft.since;
  bound->terms = std::move(draft.terms);
  bound->held.insert(bound->held.end(), draft.held.begin(), draft.held.end());
}

// The sockets of a group from the back: see bound_listener.h.
void Binding::undo(Draft& draft) const {
  for (auto name = draft.held.rbegin(); name != draft.held.rend(); ++name) holder_.release(*name);
  if (is_path(draft.terms.listener) && !draft.made.empty()) ::unlink(draft.terms.listener.address.c_str());
  while (!draft.made.empty()) draft.made.pop_back();
  if (const auto* const bound = bound_of(draft); bound != nullptr && bound->known)
    (void)change(draft, bound->terms);
}

}  // namespace svd
