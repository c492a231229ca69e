// SPDX-License-Identifier: Apache-2.0
#include "bus/hub.h"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "bus/crowd.h"

namespace svd::bus {
namespace {

constexpr Millis accept_pause{1000};          // after the machine ran out of descriptors or memory
constexpr Millis refusal_line_every{10'000};  // a flood of connections is not a flood of log lines
constexpr Millis longest_turn{20};            // then signals are sent although the loop was never idle

std::string random_id() {
  sd_id128_t id{};
  std::array<char, SD_ID128_STRING_MAX> text{};
  if (sd_id128_randomize(&id) < 0) return std::string(32, '0');
  return sd_id128_to_string(id, text.data());
}

// From the kernel's generator, which never fails for so few bytes once it is seeded (getrandom(2)).
SipKey random_key() {
  std::array<std::uint64_t, 2> halves{};
  while (::getrandom(halves.data(), sizeof halves, 0) < 0 && errno == EINTR) continue;
  return {halves[0], halves[1]};
}

std::string client_text(const Peer& peer) {
  return "a client (pid " + std::to_string(peer.pid) + ", uid " + std::to_string(peer.uid) + ")";
}

TimePoint clock_now() { return Loop::now().mono; }

}  // namespace

Hub::Hub(const Loop& loop, Host& host, AccessRules rules, Limits limits)
    : loop_{loop},
      host_{host},
      rules_{std::move(rules)},
      limits_{limits},
      id_{random_id()},
      key_{random_key()} {}

Result<> Hub::serve(int listening, Control& control) {
  control_ = &control;
  listening_ = listening;
  SVD_CHECK(authentication_.arm(loop_, Priority::bus, [this] { check_authentication(); }));
  SVD_CHECK(pause_.arm(loop_, Priority::bus, [this] {
    if (const auto resumed = watch_.set_events(EPOLLIN); !resumed) host_.log(resumed.error().text);
  }));
  SVD_CHECK(turn_end_.arm(loop_, [this] { end_turn(); }));
  SVD_CHECK(handshakes_.arm(loop_, Priority::bus, [this] { finish_handshakes(); }));
  return watch_.arm(loop_, listening, EPOLLIN, Priority::bus, [this](std::uint32_t) { accept_all(); });
}

void Hub::shut() {
  if (control_ == nullptr) return;
  end_turn();
  watch_.disarm();
  system_bus_.reset();
  connections_.clear();
}

void Hub::received() {
  host_.before_request();
  if (turn_end_owed_ != TimePoint{} && clock_now() - turn_end_owed_ > longest_turn)
    signals_.send(connections_, sight(Audience::everybody));  // connections are closed by end_turn() alone:
                                                              // one of them is being served
}

void Hub::request_turn_end() {
  if (turn_end_owed_ != TimePoint{}) return;
  turn_end_owed_ = clock_now();
  turn_end_.request();
}

void Hub::drop(Connection& connection, const std::string& why) {
  if (connection.doomed()) return;
  connection.doom();
  if (!why.empty()) host_.log("disconnected " + client_text(connection.peer()) + ": it " + why);
  request_turn_end();
}

void Hub::interest_changed() { signals_.interest_changed(connections_, sight(Audience::everybody)); }

// Not more than a few at once: others wait for the loop, too.
void Hub::accept_all() {
  for (int i = 0; i < 16; ++i) {
    UniqueFd socket{::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!socket) {
      const int err = errno;
      if (err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS) pause_accepting(err);
      return;  // EAGAIN: that was all; others: that client has gone again (accept(2))
    }
    accept_one(std::move(socket));
  }
}

void Hub::accept_one(UniqueFd socket) {
  auto peer = peer_of(socket.get());
  if (!peer) return report_refusal(peer.error().text);
  const Access access = access_of(*peer, rules_);
  const auto who = client_text(*peer);
  if (access == Access::none) report_refusal("refused " + who + ": it may not use this daemon");
  if (const auto others = crowd(access); !others.empty()) {
    if (access == Access::none) return;
    if (!make_room(others)) return report_refusal("closed the connection of " + who + ": there are too many");
  }
  auto made = Connection::make(loop_, *this, {std::move(socket), std::move(*peer), access, ++last_number_});
  if (!made && made.error().code == std::errc::connection_reset) return;  // it only looked who listens
  if (!made) return report_refusal(made.error().text);
  connections_.push_back(std::move(*made));
  check_authentication();
}

Result<> Hub::adopt(UniqueFd socket, Peer peer, Access access, bool hears_signals) {
  SVD_TRY(auto made, Connection::make(loop_, *this,
                                      {std::move(socket), std::move(peer), access, ++last_number_, false}));
  if (hears_signals) SVD_CHECK(made->rules().add(MatchRule{"signal", "", "", "", "", "", ""}));
  connections_.push_back(std::move(made));
  if (hears_signals) interest_changed();
  check_authentication();
  return {};
}

Result<> Hub::join(const std::string& address) {
  system_bus_ = std::make_unique<SystemBus>(loop_, *this, address);
  auto joined = system_bus_->start();
  if (!joined) system_bus_.reset();
  return joined;
}

std::vector<Connection*> Hub::crowd(Access access) const {
  std::vector<Connection*> refused, members, all;
  for (const auto& connection : connections_) {
    if (!connection->local()) continue;
    if (connection->access() == Access::member) members.push_back(connection.get());
    (connection->access() == Access::none ? refused : all).push_back(connection.get());
  }
  if (access == Access::none) return refused.size() < limits_.refused_connections ? decltype(all){} : refused;
  if (access == Access::member && members.size() >= limits_.member_connections) return members;
  return all.size() < limits_.connections ? decltype(all){} : all;
}

// At once, not at the end of the turn: a flood of newcomers could keep that from ever coming. None of them is
// being served here.
bool Hub::make_room(const std::vector<Connection*>& crowd) {
  const auto [leaving, of] = dispensable(crowd);
  if (leaving == nullptr) return false;
  report_refusal("closed a connection of " + client_text(leaving->peer()) + ": it has " + std::to_string(of) +
                 " of " + std::to_string(crowd.size()) + " and others want one");
  const bool listened = !leaving->rules().empty();
  std::erase_if(connections_, [&](const auto& connection) { return connection.get() == leaving; });
  if (listened) interest_changed();
  return true;
}

// The socket stays readable while nothing can be accepted, so watching it would spin.
void Hub::pause_accepting(int err) {
  host_.log("cannot accept a client: " + errno_text(err));
  if (watch_.set_events(0) && pause_.set(clock_now() + accept_pause)) return;
  host_.log("cannot pause accepting clients");
}

void Hub::end_turn() {
  turn_end_owed_ = {};
  signals_.send(connections_, sight(Audience::everybody));
  sweep();
}

void Hub::sweep() {
  const auto gone = std::erase_if(connections_, [](const auto& connection) { return connection->doomed(); });
  if (gone == 0) return;
  interest_changed();
  check_authentication();
}

void Hub::finish_handshakes() {
  for (const auto& connection : connections_) connection->read_on();
  check_authentication();  // there may be nobody left to wait for
}

// Closes who did not finish the handshake in time, and sets the timer for the next; none is set when all
// have.
void Hub::check_authentication() {
  const auto now = clock_now();
  std::optional<TimePoint> next;
  for (const auto& connection : connections_) {
    if (connection->doomed() || connection->authenticated()) continue;
    const auto deadline = connection->accepted() + limits_.authentication;
    if (deadline <= now) {
      drop(*connection, "did not authenticate in time");
    } else {
      next = std::min(next.value_or(deadline), deadline);
    }
  }
  if (const auto set = authentication_.set(next); !set) host_.log(set.error().text);
}

void Hub::report_refusal(const std::string& why) {
  const auto now = clock_now();
  if (last_refusal_line_ != TimePoint{} && now - last_refusal_line_ < refusal_line_every) {
    ++silent_refusals_;
    return;
  }
  last_refusal_line_ = now;
  const auto more = std::exchange(silent_refusals_, 0);
  host_.log(why + (more == 0 ? "" : "; " + std::to_string(more) + " more like it since the last line"));
}

BusServer::BusServer(const Loop& loop, Host& host, AccessRules rules, Limits limits)
    : hub_{std::make_unique<Hub>(loop, host, std::move(rules), limits)} {}
BusServer::~BusServer() = default;

Result<> BusServer::serve(int listening, Control& control) { return hub_->serve(listening, control); }
Result<> BusServer::join(const std::string& address) { return hub_->join(address); }
std::string BusServer::bus_problem() const { return hub_->bus_problem(); }
void BusServer::shut() { hub_->shut(); }

void BusServer::instance_changed(const SlotId& id) {
  if (hub_->signals().instance_changed(id)) hub_->request_turn_end();
}
void BusServer::instance_removed(const SlotId& id) {
  if (hub_->signals().instance_removed(id)) hub_->request_turn_end();
}
void BusServer::app_changed(const AppId& id) {
  if (hub_->signals().app_changed(id)) hub_->request_turn_end();
}
void BusServer::app_removed(const AppId& id) {
  if (hub_->signals().app_removed(id)) hub_->request_turn_end();
}
void BusServer::change_started(ChangeId id) {
  if (hub_->signals().change_started(id)) hub_->request_turn_end();
}
void BusServer::change_changed(ChangeId id) {
  if (hub_->signals().change_changed(id)) hub_->request_turn_end();
}
void BusServer::change_finished(ChangeId id) {
  if (hub_->signals().change_finished(id)) hub_->request_turn_end();
}
void BusServer::event(const EventRecord& record) {
  if (hub_->signals().event(record)) hub_->request_turn_end();
}
void BusServer::message(const SlotId& from, const std::string& text) {
  hub_->signals().message(hub_->connections(), from, text);
}

}  // namespace svd::bus
