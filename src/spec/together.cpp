// SPDX-License-Identifier: Apache-2.0
#include "spec/together.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace svd::spec {
namespace {

using ListenerKind = Listener::Kind;

// Who has which address of one protocol and port. What overlaps is what bind(2) and listen(2) refuse: an
// address with itself, and one that means all with every other of its family.
class Claims {
 public:
  // Who has it already; empty: nobody, and from now on `owner`.
  std::string claim(const Listener& listener, const std::string& owner) {
    const auto addresses = meant(listener);
    for (const auto& address : addresses)
      for (const auto& key : overlapping(address))
        if (const auto* other = find(key); other != nullptr && !(other->shares && listener.reuse_port))
          return other->owner;
    for (const auto& address : addresses) {
      note(address, {owner, listener.reuse_port});
      note(is_v6(address) ? any_v6 : any_v4, {owner, listener.reuse_port});
    }
    return "";
  }

 private:
  struct Claim {
    std::string owner;
    bool shares;
  };
  // Keys beside the addresses: the first one of a family, whatever it is.
  static constexpr const char* any_v4 = "any IPv4";
  static constexpr const char* any_v6 = "any:IPv6";

  static bool is_v6(const std::string& address) { return address.find(':') != std::string::npos; }

  static std::vector<std::string> meant(const Listener& listener) {
    const bool both = listener.address.empty() || (listener.address == "::" && !listener.v6only);
    if (both) return {"0.0.0.0", "::"};
    return {listener.address};
  }
  static std::vector<std::string> overlapping(const std::string& address) {
    if (address == "0.0.0.0") return {any_v4};
    if (address == "::") return {any_v6};
    return {address, is_v6(address) ? "::" : "0.0.0.0"};
  }
  [[nodiscard]] const Claim* find(const std::string& key) const {
    const auto found = all_.find(key);
    return found == all_.end() ? nullptr : &found->second;
  }
  void note(const std::string& key, Claim claim) {
    auto& present = all_.emplace(key, claim).first->second;
    if (present.shares && !claim.shares) present = std::move(claim);  // the stricter one decides
  }

  std::map<std::string, Claim> all_;
};

bool is_inet(const Listener& listener) {
  return listener.kind == ListenerKind::tcp || listener.kind == ListenerKind::udp;
}

std::string_view address_key(ListenerKind kind) {
  return kind == ListenerKind::tcp ? "tcp" : kind == ListenerKind::udp ? "udp" : "unix";
}

// Depth first, without recursion: a file may have a chain of 10,000 apps.
class CycleSearch {
 public:
  using Next = std::vector<std::string_view>;

  explicit CycleSearch(std::map<std::string_view, Next> edges) : edges_{std::move(edges)} {}

  // Each found cycle once, by the edge that closes it.
  template <class Report>
  void run(const Report& report) {
    for (const auto& [start, ignored] : edges_) {
      if (state_[start] != State::unseen) continue;
      enter(start);
      while (!path_.empty()) step(report);
    }
  }

 private:
  enum class State : std::uint8_t { unseen, on_path, done };
  struct Step {
    std::string_view app;
    std::size_t next;
  };

  void enter(std::string_view app) {
    state_[app] = State::on_path;
    path_.push_back({app, 0});
  }

  template <class Report>
  void step(const Report& report) {
    auto& [app, next] = path_.back();
    const auto& followers = edges_[app];
    if (next == followers.size()) {
      state_[app] = State::done;
      path_.pop_back();
      return;
    }
    const auto follower = followers[next++];
    if (state_[follower] == State::unseen)
      enter(follower);
    else if (state_[follower] == State::on_path)
      report(app, follower, cycle_text(follower));
  }

  // "web → redis → web"
  [[nodiscard]] std::string cycle_text(std::string_view first) const {
    constexpr std::size_t most_shown = 8;
    auto at = std::ranges::find(path_, first, &Step::app);
    std::string text;
    for (std::size_t shown = 0; at != path_.end(); ++at, ++shown) {
      if (shown == most_shown) {
        text += "… → ";
        break;
      }
      text += std::string{at->app} + " → ";
    }
    return text + std::string{first};
  }

  std::map<std::string_view, Next> edges_;
  std::map<std::string_view, State> state_;
  std::vector<Step> path_;
};

}  // namespace

void Together::add(const AppInFile& file, const AppSpec& app) {
  if (app.name.empty()) return;  // complained about
  apps_.emplace(app.name, Member{&file.settings, app.listen, app.depends_on,
                                 app.restart.policy == RestartPolicy::When::always});
}

void Together::check(Complaints& complaints) const {
  check_addresses(complaints);
  for (const auto& [name, app] : apps_)
    for (const auto& [other, wanted] : app.depends_on) check_dependency(name, other, wanted, complaints);
  check_cycles(complaints);
}

void Together::check_addresses(Complaints& complaints) const {
  std::map<std::pair<ListenerKind, std::uint16_t>, Claims> inet;
  std::map<std::pair<ListenerKind, std::string>, std::string> unix_names;
  for (const auto& [app, member] : apps_) {
    for (const auto& listener : member.listen) {
      const auto* node = member.settings->find("listen")->value->find(listener.name.str())->value;
      if (listener.address.empty() && listener.port == 0) continue;  // complained about
      const auto owner = "apps." + app.str() + ".listen." + listener.name.str();
      // A path is one file, whatever the type; abstract names are apart for each type.
      const bool is_file = !listener.address.starts_with('@');
      const std::pair unix_key{is_file ? ListenerKind::unix_stream : listener.kind, listener.address};
      const auto taken = is_inet(listener) ? inet[{listener.kind, listener.port}].claim(listener, owner)
                                           : unix_names.emplace(unix_key, owner).first->second;
      if (taken.empty() || taken == owner) continue;
      const std::string key{address_key(listener.kind)};
      complaints.add(node->find(key)->value->mark, owner + "." + key, "this address is taken by " + taken);
    }
  }
}

void Together::complain(const Name& app, const Name& other, std::string text, Complaints& complaints) const {
  const auto* entry = apps_.at(app).settings->find("depends_on")->value->find(other.str());
  complaints.add(entry->key->mark, "apps." + app.str() + ".depends_on." + other.str(), std::move(text));
}

void Together::check_dependency(const Name& app, const Name& other, Dependency wanted,
                                Complaints& complaints) const {
  const auto found = apps_.find(other);
  if (found == apps_.end()) {
    std::vector<std::string> known;
    for (const auto& [name, ignored] : apps_)
      if (name != app) known.push_back(name.str());
    const auto near = nearest(other.str(), known);
    complain(app, other, "no such app in this file" + (near ? ", did you mean '" + *near + "'?" : ""),
             complaints);
  } else if (wanted == Dependency::completed && found->second.restarts_always) {
    complain(app, other,
             "it is started again whenever it ends, so it never completes: give it 'restart: { policy: "
             "on-failure }'",
             complaints);
  }
}

void Together::check_cycles(Complaints& complaints) const {
  std::map<std::string_view, CycleSearch::Next> edges;
  for (const auto& [name, app] : apps_) {
    auto& next = edges[name.str()];
    for (const auto& [other, ignored] : app.depends_on)
      if (apps_.contains(other)) next.emplace_back(other.str());
  }
  CycleSearch{std::move(edges)}.run(
      [&](std::string_view app, std::string_view other, const std::string& cycle) {
        complain(*Name::parse(app), *Name::parse(other),
                 "a cycle, " + cycle + ": each would wait for the other", complaints);
      });
}

}  // namespace svd::spec
