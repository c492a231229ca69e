// SPDX-License-Identifier: Apache-2.0
// What the engine after us needs to know. Numbers over 2^53 are written as strings, as JSON wants it.
#include <charconv>

#include "ipc/primary.h"

namespace svd::ipc {
namespace {

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(std::uint64_t value) { return std::to_string(value); }

template <class Range, class Write>
std::string array_of(const Range& range, Write&& write) {
  std::string out{"["};
  for (const auto& one : range) {
    if (out.size() > 1) out += ',';
    out += write(one);
  }
  return out + "]";
}

template <class Number>
Number number_of(const JsonView& from, std::string_view name) {
  return static_cast<Number>(from.integer(name).value_or(0));
}

bool truth_of(const JsonView& from, std::string_view name) { return from.boolean(name).value_or(false); }

std::uint64_t large_of(const JsonView& from, std::string_view name) {
  const auto text = from.string(name).value_or("");
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<JsonView> elements_of(const JsonView& from, std::string_view name) {
  const auto found = from.member(name);
  return found ? found->elements() : std::vector<JsonView>{};
}

std::string saved(const Listener& listener) {
  return R"({"name":)" + quote(listener.name.str()) + R"(,"kind":)" +
         text_of(static_cast<std::uint64_t>(listener.kind)) + R"(,"address":)" + quote(listener.address) +
         R"(,"port":)" + text_of(std::uint64_t{listener.port}) + R"(,"balance":)" +
         text_of(static_cast<std::uint64_t>(listener.balance)) + "}";
}

std::optional<Listener> read_listener(const JsonView& from) {
  auto name = Name::parse(from.string("name").value_or(""));
  if (!name) return std::nullopt;
  Listener listener;
  listener.name = std::move(*name);
  listener.kind = number_of<Listener::Kind>(from, "kind");
  listener.address = from.string("address").value_or("");
  listener.port = number_of<std::uint16_t>(from, "port");
  listener.balance = number_of<Listener::Balance>(from, "balance");
  listener.backlog = number_of<std::uint32_t>(from, "backlog");
  listener.v6only = truth_of(from, "v6only");
  return listener;
}

std::string saved(const Query& query) {
  std::string out = R"({"type":)" + text_of(static_cast<std::uint64_t>(query.type)) + R"(,"port":)" +
                    std::to_string(query.port) + R"(,"fd":)" + std::to_string(query.fd) + R"(,"index":)" +
                    std::to_string(query.index);
  if (query.address) out += R"(,"address":)" + quote(*query.address);
  if (query.flags != 0) out += R"(,"flags":)" + text_of(std::uint64_t{query.flags});
  if (query.readable_all) out += R"(,"readable":true)";
  if (query.writable_all) out += R"(,"writable":true)";
  return out + "}";
}

Query read_query(const JsonView& from) {
  Query query;
  query.type = number_of<Query::Type>(from, "type");
  query.port = number_of<std::int64_t>(from, "port");
  query.fd = from.integer("fd").value_or(-1);
  query.index = number_of<std::int64_t>(from, "index");
  query.address = from.string("address");
  query.flags = number_of<std::uint32_t>(from, "flags");
  query.readable_all = truth_of(from, "readable");
  query.writable_all = truth_of(from, "writable");
  return query;
}

}  // namespace

std::string Primary::save() const {
  const auto servers = array_of(servers_, [](const auto& entry) {
    const auto& [key, server] = entry;
    return R"({"key":)" + quote(key) + R"(,"generation":")" + text_of(server.generation) + R"(","own":)" +
           text_of(server.own) + R"(,"open":)" + text_of(server.open) + R"(,"data":)" + server.data + "}";
  });
  const auto sets = array_of(sets_, [](const auto& entry) {
    return R"({"slot":)" + text_of(std::uint64_t{entry.first}) + R"(,"has":)" +
           array_of(entry.second, [](const auto& key) { return quote(key); }) + "}";
  });
  return R"({"servers":)" + servers + R"(,"sets":)" + sets + R"(,"latest":)" +
         text_of(std::uint64_t{latest_slot_}) + "}";
}

bool Primary::restore(std::string_view text) {
  const auto from = JsonView::parse(text);
  if (!from) return false;
  for (const auto& one : elements_of(*from, "servers")) {
    auto& server = servers_[one.string("key").value_or("")];
    server.generation = large_of(one, "generation");
    server.own = truth_of(one, "own");
    server.open = truth_of(one, "open");
    if (const auto data = one.member("data")) server.data = data->text();
  }
  for (const auto& one : elements_of(*from, "sets")) {
    auto& set = sets_[number_of<std::uint32_t>(one, "slot")];
    for (const auto& key : elements_of(one, "has")) set.insert(key.string().value_or(""));
  }
  latest_slot_ = number_of<std::uint32_t>(*from, "latest");
  return true;
}

std::string Primary::save(StartId id) const {
  const auto found = members_.find(id);
  if (found == members_.end()) return {};
  const auto& [member, asked, ready, said_ready, draining, leaving, settles] = found->second;
  const auto sockets = array_of(asked, [](const Asked& one) {
    return R"({"key":)" + quote(one.key) + R"(,"query":)" + saved(one.query) + R"(,"request":)" +
           std::to_string(one.request) + R"(,"listening":)" + text_of(one.listening) + R"(,"own":)" +
           text_of(one.own) + "}";
  });
  return R"({"id":")" + text_of(static_cast<std::uint64_t>(member.id)) + R"(","slot":)" +
         text_of(std::uint64_t{member.slot}) + R"(,"generation":")" + text_of(member.generation) +
         R"(","channel":)" + text_of(static_cast<std::uint64_t>(member.channel)) + R"(,"ready":)" +
         text_of(ready) + R"(,"said":)" + text_of(said_ready) + R"(,"draining":)" + text_of(draining) +
         R"(,"leaving":)" + text_of(leaving) + R"(,"asked":)" + sockets + R"(,"listen":)" +
         array_of(member.listen, [](const Listener& listener) { return saved(listener); }) + "}";
}

bool Primary::restore_member(std::string_view text) {
  const auto from = JsonView::parse(text);
  const StartId id{from ? large_of(*from, "id") : 0};
  if (id == StartId{}) return false;
  auto& state = members_[id];
  state.member.id = id;
  state.member.slot = number_of<std::uint32_t>(*from, "slot");
  state.member.generation = large_of(*from, "generation");
  state.member.channel = number_of<ChannelKind>(*from, "channel");
  state.ready = truth_of(*from, "ready");
  state.said_ready = truth_of(*from, "said");
  state.draining = truth_of(*from, "draining");
  state.leaving = truth_of(*from, "leaving");
  for (const auto& one : elements_of(*from, "listen"))
    if (auto listener = read_listener(one)) state.member.listen.push_back(std::move(*listener));
  for (const auto& one : elements_of(*from, "asked")) {
    const auto query = one.member("query");
    state.asked.push_back({one.string("key").value_or(""), query ? read_query(*query) : Query{},
                           number_of<std::int64_t>(one, "request"), truth_of(one, "listening"),
                           truth_of(one, "own")});
  }
  return true;
}

}  // namespace svd::ipc
