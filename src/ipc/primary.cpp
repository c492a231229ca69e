// SPDX-License-Identifier: Apache-2.0
#include "ipc/primary.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace svd::ipc {
namespace {

constexpr const char* ready_message = "ready";  // in a set of what an instance listens on: it has said so

bool is_for_each_slot(const Listener& listener) {
  return listener.balance == Listener::Balance::even || listener.balance == Listener::Balance::sticky;
}

bool is_stream(Query::Type type) { return type != Query::Type::udp4 && type != Query::Type::udp6; }

// Round robin: the supervisor accepts.
bool is_passed_on(const Listener& listener, const Query& query) {
  return listener.balance == Listener::Balance::round_robin && is_stream(query.type);
}

Shared shared_of(const Listener& listener, std::uint32_t slot) {
  return {listener.name, is_for_each_slot(listener) ? slot : 0, {}};
}

std::optional<SocketAddress> address_of(const Listener& listener) {
  if (listener.kind != Listener::Kind::tcp) return std::nullopt;
  const bool v6 = listener.address.empty() || listener.address.find(':') != std::string::npos;
  return SocketAddress{listener.address.empty() ? "::" : listener.address, v6, listener.port};
}

// A path that the worker made absolute: an abstract name begins behind its NUL.
void set_right(Query& query) {
  if (query.type != Query::Type::unix_stream || !query.address) return;
  if (const auto nul = query.address->find('\0'); nul != std::string::npos) {
    query.address->erase(0, nul);
    query.address->front() = '@';
  }
}

}  // namespace

void Primary::enter(Member member) {
  const auto id = member.id;
  members_[id].member = std::move(member);
  touch(id);
}

void Primary::leave(StartId id) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  for (const auto& asked : found->second.asked) effects_.emplace_back(Leaves{id, asked.key});
  members_.erase(found);
  std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.id == id; });
  sweep();
}

void Primary::hear(StartId id, const FromWorker& message, TimePoint now) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  auto& worker = found->second;
  if (message.ack) effects_.emplace_back(Answered{id, *message.ack, message.accepted});
  switch (message.act) {
    case FromWorker::Act::none:
    case FromWorker::Act::online:
      return;
    case FromWorker::Act::query_server:
      return query(worker, message);
    case FromWorker::Act::listening:
      if (message.query) listens(worker, *message.query, now);
      return;
    case FromWorker::Act::close:
      return closes(worker, message.key, now);
    case FromWorker::Act::exited_after_disconnect:
      worker.leaving = true;
      touch(id);
      return write(worker, write_acknowledgement(message.seq.value_or(0), ++seq_));
    case FromWorker::Act::idle:
      effects_.emplace_back(Idle{id});
      return;
  }
}

// As Node's primary: one that is leaving gets no answer any more.
void Primary::query(State& worker, const FromWorker& message) {
  if (worker.leaving || !message.seq) return;
  const auto request = *message.seq;
  // Heard once more by the engine after the one that heard it.
  if (const auto known = std::ranges::find(worker.asked, request, &Asked::request);
      known != worker.asked.end())
    return answer(worker, known->key, request);
  if (!message.query) return write(worker, write_failure(EINVAL, "", "null", request, ++seq_));
  if (message.query->address.value_or("").size() > max_address)
    return write(worker, write_failure(ENAMETOOLONG, "", "null", request, ++seq_));
  Asked asked{{}, *message.query, request, false, false};
  set_right(asked.query);
  const auto has = [&](const std::string& key) {
    return std::ranges::find(worker.asked, key, &Asked::key) != worker.asked.end();
  };
  asked.key = key_of(asked.query, has(key_of(asked.query, false)));
  if (has(asked.key)) return write(worker, write_failure(EADDRINUSE, asked.key, "null", request, ++seq_));
  const auto* const listener = find_listener(worker.member.listen, asked.query);
  if (listener == nullptr && asked.query.fd >= 0)
    return write(worker, write_failure(EINVAL, asked.key, "null", request, ++seq_));
  if (const int refused = refusal_of(asked); refused != 0)
    return write(worker, write_failure(refused, asked.key, "null", request, ++seq_));
  asked.own = listener == nullptr;
  remember(worker, asked);
  asked.query.data = "null";  // the server has it
  const auto key = asked.key;
  worker.asked.push_back(std::move(asked));
  touch(worker.member.id);
  if (listener != nullptr || servers_[key].open) return answer(worker, key, request);
  ask_for(worker, worker.asked.back());
}

void Primary::ask_for(const State& worker, const Asked& asked) {
  const bool is_first = std::ranges::find(waiting_, asked.key, &Waiting::key) == waiting_.end();
  waiting_.push_back({worker.member.id, asked.key, asked.request});
  if (is_first) effects_.emplace_back(Open{asked.key, asked.query, worker.member.id});
}

void Primary::answer(State& worker, const std::string& key, std::int64_t request) {
  const auto asked = std::ranges::find(worker.asked, key, &Asked::key);
  if (asked != worker.asked.end())
    lend(worker, *asked, find_listener(worker.member.listen, asked->query), request);
}

void Primary::lend(State& worker, const Asked& asked, const Listener* listener, std::int64_t request) {
  const auto& data = servers_[asked.key].data;
  if (listener != nullptr && is_passed_on(*listener, asked.query)) {
    write(worker, write_round_robin(address_of(*listener), asked.key, data, request, ++seq_));
    effects_.emplace_back(Serves{worker.member.id, asked.key, listener->name});
    return;
  }
  auto line = write_shared(asked.query, asked.key, data, request, ++seq_);
  effects_.emplace_back(Write{worker.member.id, std::move(line), shared(worker.member.id, asked.key)});
}

std::optional<Shared> Primary::shared(StartId id, const std::string& key) const {
  const auto found = members_.find(id);
  if (found == members_.end()) return std::nullopt;
  const auto& worker = found->second;
  const auto asked = std::ranges::find(worker.asked, key, &Asked::key);
  if (asked == worker.asked.end()) return std::nullopt;
  const auto* const listener = find_listener(worker.member.listen, asked->query);
  return listener != nullptr ? shared_of(*listener, worker.member.slot) : Shared{{}, 0, key};
}

void Primary::opened(const std::string& key, int err) {
  const auto answered = std::exchange(waiting_, {});
  const auto server = servers_.find(key);
  if (server != servers_.end()) server->second.open = err == 0;
  for (const auto& waiting : answered) {
    if (waiting.key != key) {
      waiting_.push_back(waiting);
      continue;
    }
    auto& worker = members_.at(waiting.id);
    if (err == 0) {
      answer(worker, key, waiting.request);
      continue;
    }
    write(worker, write_failure(err, key, server == servers_.end() ? "null" : server->second.data,
                                waiting.request, ++seq_));
    std::erase_if(worker.asked, [&](const Asked& asked) { return asked.key == key; });
    touch(waiting.id);
  }
  touch(StartId{});
  if (err != 0)
    servers_.erase(key);
  else if (!is_used(key))
    shut(key);  // who asked has gone meanwhile
}

void Primary::listens(State& worker, const Query& heard, TimePoint now) {
  Query query = heard;
  set_right(query);
  const auto is_it = [&](const Asked& asked) {
    return !asked.listening && asked.query.type == query.type && asked.query.address == query.address &&
           asked.query.fd == query.fd && (asked.query.port == query.port || asked.query.port == 0) &&
           asked.query.index == query.index;
  };
  const auto asked = std::ranges::find_if(worker.asked, is_it);
  if (asked == worker.asked.end()) return;
  asked->listening = true;
  touch(worker.member.id);
  if (const auto* const listener = find_listener(worker.member.listen, asked->query);
      listener != nullptr && is_stream(query.type) && !is_passed_on(*listener, query))
    effects_.emplace_back(Relisten{worker.member.id, shared_of(*listener, worker.member.slot)});
  judge(worker, now);
}

void Primary::closes(State& worker, const std::string& key, TimePoint now) {
  const auto asked = std::ranges::find(worker.asked, key, &Asked::key);
  if (asked == worker.asked.end()) return;
  effects_.emplace_back(Leaves{worker.member.id, key});
  const bool was_own = asked->own;
  worker.asked.erase(asked);
  touch(worker.member.id);
  // While it is leaving that says nothing about those after it.
  if (was_own && !worker.leaving && !worker.draining && !is_used(key)) servers_[key].shuts = now + linger;
}

void Primary::says_ready(StartId id, TimePoint now) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  found->second.said_ready = true;
  touch(id);
  judge(found->second, now);
}

std::set<std::string> Primary::servers_of(const State& worker) {
  std::set<std::string> set;
  for (const auto& asked : worker.asked)
    if (asked.listening) set.insert(asked.key);
  if (worker.said_ready) set.insert(ready_message);
  return set;
}

const std::set<std::string>* Primary::expected(std::uint32_t slot) const {
  for (const auto which : {slot, latest_slot_})
    if (const auto found = sets_.find(which); found != sets_.end()) return &found->second;
  return nullptr;
}

void Primary::judge(State& worker, TimePoint now) {
  if (worker.leaving || worker.draining) return;
  if (worker.ready || worker.said_ready) return becomes_ready(worker);
  const auto has = servers_of(worker);
  const auto* const wanted = expected(worker.member.slot);
  if (wanted == nullptr || std::ranges::includes(has, *wanted)) return becomes_ready(worker);
  if (!wanted->contains(ready_message)) worker.settles = now + settle;
}

void Primary::becomes_ready(State& worker) {
  const bool is_new = !worker.ready;
  worker.ready = true;
  worker.settles.reset();
  auto has = servers_of(worker);
  auto& known = sets_[worker.member.slot];
  if (known != has || latest_slot_ != worker.member.slot) touch(StartId{});
  known = std::move(has);
  latest_slot_ = worker.member.slot;
  if (!is_new) return;
  touch(StartId{});
  touch(worker.member.id);
  effects_.emplace_back(Ready{worker.member.id});
  sweep();
}

std::optional<TimePoint> Primary::wake() const {
  std::optional<TimePoint> first;
  const auto add = [&](const std::optional<TimePoint>& when) {
    if (when && (!first || *when < *first)) first = when;
  };
  for (const auto& [id, worker] : members_) add(worker.settles);
  for (const auto& [key, server] : servers_) add(server.shuts);
  return first;
}

void Primary::tick(TimePoint now) {
  for (auto& [id, worker] : members_)
    if (worker.settles && *worker.settles <= now) becomes_ready(worker);
  std::vector<std::string> unwanted;
  for (const auto& [key, server] : servers_)
    if (server.shuts && *server.shuts <= now) unwanted.push_back(key);
  for (const auto& key : unwanted) shut(key);
}

bool Primary::is_used(const std::string& key) const {
  return std::ranges::any_of(members_, [&](const auto& entry) {
    return std::ranges::find(entry.second.asked, key, &Asked::key) != entry.second.asked.end();
  });
}

// Sockets of a generation that is gone, when one that does without them is ready.
void Primary::sweep() {
  std::set<std::uint64_t> generations;
  bool is_served = false;
  for (const auto& [id, worker] : members_) {
    generations.insert(worker.member.generation);
    is_served = is_served || worker.ready;
  }
  if (!is_served) return;
  std::vector<std::string> unwanted;
  for (const auto& [key, server] : servers_)
    if (!generations.contains(server.generation) && !is_used(key)) unwanted.push_back(key);
  for (const auto& key : unwanted) shut(key);
}

void Primary::shut(const std::string& key) {
  const auto server = servers_.find(key);
  if (server == servers_.end()) return;
  if (server->second.own) effects_.emplace_back(Shut{key});
  servers_.erase(server);
  touch(StartId{});
}

void Primary::write(const State& worker, std::string line) {
  effects_.emplace_back(Write{worker.member.id, std::move(line), std::nullopt});
}

void Primary::drain(StartId id) {
  const auto found = members_.find(id);
  if (found == members_.end() || found->second.draining || found->second.leaving) return;
  auto& worker = found->second;
  worker.draining = true;
  touch(id);
  for (const auto& asked : worker.asked) effects_.emplace_back(Leaves{id, asked.key});
  write(worker, worker.member.channel == ChannelKind::node ? write_drain() : "{\"svd\":\"drain\"}\n");
}

void Primary::disconnect(StartId id) {
  const auto found = members_.find(id);
  if (found == members_.end() || found->second.leaving) return;
  auto& worker = found->second;
  worker.leaving = true;
  worker.settles.reset();
  touch(id);
  for (const auto& asked : worker.asked) effects_.emplace_back(Leaves{id, asked.key});
  write(worker,
        worker.member.channel == ChannelKind::node ? write_disconnect(++seq_) : "{\"svd\":\"stop\"}\n");
}

void Primary::resume(TimePoint now) {
  for (auto& [id, worker] : members_) {
    if (!worker.ready && !servers_of(worker).empty()) judge(worker, now);
    if (worker.leaving || worker.draining) continue;
    for (const auto& asked : worker.asked) {
      const auto* const listener = find_listener(worker.member.listen, asked.query);
      if (listener != nullptr && is_passed_on(*listener, asked.query))
        effects_.emplace_back(Serves{id, asked.key, listener->name});
      if (listener == nullptr && !servers_[asked.key].open) ask_for(worker, asked);
    }
  }
}

std::vector<Effect> Primary::take() { return std::exchange(effects_, {}); }
std::set<StartId> Primary::changed() { return std::exchange(changed_, {}); }

const Primary::Member* Primary::find(StartId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second.member;
}

bool Primary::is_ready(StartId id) const {
  const auto found = members_.find(id);
  return found != members_.end() && found->second.ready;
}

bool Primary::is_leaving(StartId id) const {
  const auto found = members_.find(id);
  return found != members_.end() && (found->second.leaving || found->second.draining);
}

bool Primary::is_asked_to_end(StartId id) const {
  const auto found = members_.find(id);
  return found != members_.end() && found->second.leaving;
}

std::vector<StartId> Primary::members() const {
  std::vector<StartId> ids;
  for (const auto& [id, worker] : members_) ids.push_back(id);
  return ids;
}

std::vector<std::string> Primary::opened_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, server] : servers_)
    if (server.own && server.open) keys.push_back(key);
  return keys;
}

}  // namespace svd::ipc
