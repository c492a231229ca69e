// SPDX-License-Identifier: Apache-2.0
#include "kernel/binding.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "kernel/address_owner.h"

namespace svd {

Binding::Binding(Holder& holder, ListenerTable& table, AppId app, std::uint32_t slots, StartId last,
                 std::span<const Giver> givers)
    : holder_{holder},
      table_{table},
      id_{std::move(app)},
      app_{table[id_]},
      slots_{slots},
      last_{last},
      givers_{givers} {}

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

bool Binding::gives(const AppId& app, const Name& name, std::uint64_t identity) const {
  const auto giver = std::ranges::find(givers_, app, &Giver::app);
  return giver != givers_.end() && std::ranges::none_of(giver->keeps, [&](const Listener& kept) {
           return kept.name == name && listener_identity(kept) == identity;
         });
}

std::vector<BoundListener*> Binding::given() const {
  std::vector<BoundListener*> all;
  for (const auto& giver : givers_) {
    const auto app = table_.find(giver.app);
    if (app == table_.end()) continue;
    for (auto& bound : app->second.bound)
      if (!bound.held.empty() && gives(giver.app, bound.name, bound.identity)) all.push_back(&bound);
  }
  return all;
}

// Who has the sockets that the app is to have, and more of them than it has itself.
const BoundListener* Binding::donor_for(const Listener& listener, BoundListener* own) const {
  std::vector<BoundListener*> all;
  if (own != nullptr)
    for (const auto& other : sharers(holder_, table_, id_.ecosystem, *own)) all.push_back(other.bound);
  else
    all = given();
  const BoundListener* most = nullptr;
  for (const auto* one : all)
    if (one != own && one->identity == listener_identity(listener) &&
        (!is_path(listener) || has_own_file(one->held.front(), listener.address)) &&
        one->held.size() > (most != nullptr  ? most->held.size()
                            : own != nullptr ? own->held.size()
                                             : 0))
      most = one;
  return most;
}

// Its options are the business of somebody else who has it, too.
bool Binding::is_borrowed(const BoundListener& bound) const {
  return bound.shared && (givers_.empty() ? bound.foreign : gives(id_, bound.name, bound.identity));
}

void Binding::look_at_own(Draft& draft, BoundListener& bound) const {
  const auto& listener = draft.terms.listener;
  draft.at = static_cast<std::size_t>(&bound - app_.bound.data());
  draft.since = since(bound, listener);
  // A socket whose file was removed is of no use to anybody.
  const bool lost = is_path(listener) && !has_own_file(bound.held.front(), listener.address);
  draft.present = lost ? 0 : bound.held.size();
  if (bound.known && !bound.foreign) draft.former = bound.terms;
  if (lost) return;
  for (const auto& other : sharers(holder_, table_, id_.ecosystem, bound))
    if (other.bound->known && !other.bound->foreign) draft.former = other.bound->terms;
  draft.borrowed = is_borrowed(bound);
}

Binding::Draft Binding::draft_for(const BindRequest& request) const {
  const auto& listener = request.listener;
  Draft draft{.terms = request};
  BoundListener* const own = app_.find(listener);
  if (own != nullptr) look_at_own(draft, *own);
  if (const auto* const donor = own != nullptr && draft.present == 0 ? nullptr : donor_for(listener, own)) {
    draft.taken.assign(donor->held.begin() + static_cast<std::ptrdiff_t>(draft.present), donor->held.end());
    draft.present = donor->held.size();
    if (donor->known && !draft.former) draft.former = donor->terms;
    draft.borrowed = draft.borrowed || gives(id_, listener.name, listener_identity(listener));
  }
  draft.terms.in_group = std::max(draft.present, sockets_wanted(listener, slots_)) > 1;
  return draft;
}

Result<> Binding::add(const BindRequest& request) {
  auto draft = draft_for(request);
  const auto* const bound = bound_of(draft);
  const auto wanted = sockets_wanted(request.listener, slots_);
  const bool same =
      bound != nullptr && bound->known && bound->terms == draft.terms && bound->foreign == draft.borrowed;
  if (same && draft.present >= wanted && draft.taken.empty()) return {};
  drafts_.push_back(std::move(draft));
  auto failed = same || drafts_.back().borrowed ? std::nullopt : change(drafts_.back(), drafts_.back().terms);
  if (!failed) failed = fill(drafts_.back(), wanted);
  if (failed) return tl::make_unexpected(explain(request.listener, *failed));
  return {};
}

std::vector<std::string> Binding::present_names(const Draft& draft) const {
  std::vector<std::string> names;
  if (const BoundListener* const bound = bound_of(draft); bound != nullptr && draft.present > 0)
    names = bound->held;
  names.insert(names.end(), draft.taken.begin(), draft.taken.end());
  return names;
}

std::optional<BindFailure> Binding::change(const Draft& draft, const BindRequest& terms) const {
  if (draft.present == 0) return std::nullopt;
  for (const auto& name : present_names(draft)) {
    const int fd = holder_.borrow(name);
    if (auto failed = apply_options(fd, terms)) return failed;
    // Never the other way: running instances may have chosen so.
    if (!terms.blocking) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (auto failed = apply_sharing(fd, terms)) return failed;
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

// An address overlaps with another one that this app had until now, or that somebody gives up. Sockets share;
// a file is given up, if it is the app's own.
bool Binding::make_way(const Listener& listener) const {
  const int on = 1;
  bool found = false;
  const auto make = [&](const BoundListener& bound, bool own) {
    if (!bound.known || bound.held.empty() || !overlap(bound.terms.listener, listener)) return;
    if (is_path(listener) && (!own || bound.shared)) return;
    for (const auto& name : bound.held) {
      if (is_path(listener)) remove_own_file(name, listener.address);
      if (!is_unix(listener)) ::setsockopt(holder_.borrow(name), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    found = true;
  };
  for (const auto& bound : app_.bound) make(bound, true);
  for (const auto* bound : given()) make(*bound, false);
  return found;
}

bool Binding::is_given(const Listener& listener) const {
  return std::ranges::any_of(given(), [&](const BoundListener* bound) {
    return bound->known && overlap(bound->terms.listener, listener);
  });
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
  return {
      static_cast<std::errc>(why.err),
      "cannot bind " + address_text(listener) + " for " + id_.str() + " (" + listener.name.str() +
          "): " + (owner.empty() ? why.reason : "it is in use by " + owner) +
          (why.err == EADDRINUSE && is_given(listener) ? ", which gives it up, but to nothing of another "
                                                         "type: apply the file without this listener first"
                                                       : "")};
}

std::string Binding::name_for(const Draft& draft, std::size_t index) const {
  const auto& listener = draft.terms.listener;
  return to_held_name(
      {id_, listener.name, listener_identity(listener), static_cast<std::uint32_t>(index),
       is_path(listener) ? file_mark(listener.address) : static_cast<std::uint64_t>(draft.since)});
}

Result<> Binding::hold(Draft& draft) {
  std::vector<int> fds;
  for (const auto& name : draft.taken) fds.push_back(holder_.borrow(name));
  for (const auto& fd : draft.made) fds.push_back(fd.get());
  for (const int fd : fds) {
    auto name = name_for(draft, draft.present - draft.taken.size() + draft.held.size());
    SVD_CHECK(holder_.hold(name, fd));
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
  if (!bound->held.empty() && bound->since != draft.since) {
    // So that the next engine knows it, too.
    const auto name = name_for(draft, 0);
    if (holder_.hold(name, holder_.borrow(bound->held.front()))) {
      holder_.release(bound->held.front());
      bound->held.front() = name;
      hold_again(holder_, *bound);
    }
  }
  bound->known = true;
  bound->since = draft.since;
  bound->terms = std::move(draft.terms);
  bound->held.insert(bound->held.end(), draft.held.begin(), draft.held.end());
  bound->shared = bound->shared || !draft.taken.empty();
  share(*bound, draft.borrowed);
}

// Who else has it keeps it as it is now; whoever steers it has to do so anew.
void Binding::share(BoundListener& bound, bool borrowed) {
  const auto others = sharers(holder_, table_, id_.ecosystem, bound);
  bound.foreign = borrowed && bound.shared;
  if (!others.empty()) bound.steered.reset();
  for (const auto& other : others) {
    other.bound->shared = true;
    other.bound->foreign = other.bound->foreign || !bound.foreign;
    other.bound->steered.reset();
  }
}

// The sockets of a group from the back: see bound_listener.h.
void Binding::undo(Draft& draft) const {
  for (auto name = draft.held.rbegin(); name != draft.held.rend(); ++name) holder_.release(*name);
  if (is_path(draft.terms.listener) && !draft.made.empty())
    remove_socket_file(draft.terms.listener.address, 0);
  while (!draft.made.empty()) draft.made.pop_back();
  if (draft.former && !draft.borrowed) (void)change(draft, *draft.former);
}

}  // namespace svd
