// SPDX-License-Identifier: Apache-2.0
// One call of ListenerPort::bind(): everything or nothing. add() binds what is new and changes what is not as
// it should be; commit() gives it to the keeper. Without commit() all is as it was.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/ports.h"
#include "kernel/bound_listener.h"

namespace svd {

class Binding {
 public:
  // `last`: no start was given a socket after this one.
  Binding(Holder& holder, ListenerTable& table, AppId app, std::uint32_t slots, StartId last,
          std::span<const Giver> givers);
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;
  ~Binding();

  Result<> add(const BindRequest& request);
  Result<> commit();

 private:
  struct Draft {
    BindRequest terms;
    std::optional<std::size_t> at{};   // in ListeningApp::bound; nullopt: it is new
    std::vector<std::string> taken{};  // names of sockets that another one has, which follow upon its own
    std::size_t present = 0;           // sockets that it has and keeps, with those
    StartId since{};
    std::vector<UniqueFd> made{};         // those that it does not have yet
    std::vector<std::string> held{};      // names of those and of what is taken, once the keeper has them
    std::optional<BindRequest> former{};  // the terms of what is present
    bool borrowed = false;                // its options are those of another listener
  };

  [[nodiscard]] StartId since(const BoundListener& bound, const Listener& listener) const;
  [[nodiscard]] Draft draft_for(const BindRequest& request) const;
  [[nodiscard]] BoundListener* bound_of(const Draft& draft) const;
  [[nodiscard]] bool gives(const AppId& app, const Name& name, std::uint64_t identity) const;
  [[nodiscard]] std::vector<BoundListener*> given() const;
  [[nodiscard]] const BoundListener* donor_for(const Listener& listener, BoundListener* own) const;
  [[nodiscard]] bool is_borrowed(const BoundListener& bound) const;
  void look_at_own(Draft& draft, BoundListener& bound) const;
  [[nodiscard]] std::vector<std::string> present_names(const Draft& draft) const;
  std::optional<BindFailure> change(const Draft& draft, const BindRequest& terms) const;
  std::optional<BindFailure> fill(Draft& draft, std::size_t wanted) const;
  [[nodiscard]] tl::expected<UniqueFd, BindFailure> make(BindRequest terms, bool is_first) const;
  [[nodiscard]] bool make_way(const Listener& listener) const;
  [[nodiscard]] bool is_given(const Listener& listener) const;
  [[nodiscard]] std::string who_has(const Listener& listener) const;
  [[nodiscard]] Error explain(const Listener& listener, const BindFailure& why) const;
  [[nodiscard]] std::string name_for(const Draft& draft, std::size_t index) const;
  Result<> hold(Draft& draft);
  void enter(Draft& draft);
  void share(BoundListener& bound, bool borrowed);
  void undo(Draft& draft) const;

  Holder& holder_;
  ListenerTable& table_;
  AppId id_;
  ListeningApp& app_;
  std::uint32_t slots_;
  StartId last_;
  std::span<const Giver> givers_;
  std::vector<Draft> drafts_;
  bool done_ = false;
};

}  // namespace svd
