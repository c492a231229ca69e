// SPDX-License-Identifier: Apache-2.0
#include "ipc/cluster.h"

#include <array>
#include <utility>

namespace svd::ipc {
namespace {

using Act = FromWorker::Act;

constexpr std::array<std::pair<std::string_view, Act>, 5> acts{
    {{"online", Act::online},
     {"queryServer", Act::query_server},
     {"listening", Act::listening},
     {"close", Act::close},
     {"exitedAfterDisconnect", Act::exited_after_disconnect}}};

Act act_named(std::string_view name) {
  for (const auto& [text, act] : acts)
    if (text == name) return act;
  return Act::none;
}

std::optional<Query::Type> type_of(const JsonView& message) {
  const auto type = message.member("addressType");
  if (!type) return std::nullopt;
  if (const auto name = type->string()) {
    if (*name == "udp4") return Query::Type::udp4;
    if (*name == "udp6") return Query::Type::udp6;
    return std::nullopt;
  }
  switch (type->integer().value_or(0)) {
    case 4:
      return Query::Type::tcp4;
    case 6:
      return Query::Type::tcp6;
    case -1:
      return Query::Type::unix_stream;
    default:
      return std::nullopt;
  }
}

// A worker that listens on a descriptor says only which.
std::optional<Query> read_query(const JsonView& message) {
  Query query;
  query.fd = message.integer("fd").value_or(-1);
  const auto type = type_of(message);
  if (!type && query.fd < 0) return std::nullopt;
  query.type = type.value_or(Query::Type::tcp4);
  query.address = message.string("address");
  if (query.address && query.address->empty()) query.address.reset();
  query.port = message.integer("port").value_or(0);
  query.index = message.integer("index").value_or(0);
  query.flags = static_cast<std::uint32_t>(message.integer("flags").value_or(0));
  query.readable_all = message.boolean("readableAll").value_or(false);
  query.writable_all = message.boolean("writableAll").value_or(false);
  if (const auto data = message.member("data")) query.data = data->text();
  const bool is_path = query.type == Query::Type::unix_stream;
  if (query.fd >= 0) return query;
  if (is_path ? !query.address : query.port < 0 || query.port > 65535) return std::nullopt;
  return query;
}

// Node's own are below a kilobyte. One that is far above is somebody's to keep us busy: who asks is answered,
// and the rest is not looked at.
constexpr std::size_t max_cluster_message = 128U << 10U;

FromWorker read_cluster(const JsonView& message) {
  FromWorker read;
  if (message.text().size() > max_cluster_message) {
    read.seq = message.integer("seq");
    if (message.string("act") == "queryServer") read.act = Act::query_server;
    return read;
  }
  read.seq = message.integer("seq");
  read.ack = message.integer("ack");
  read.accepted = message.boolean("accepted").value_or(false);
  read.key = message.string("key").value_or("");
  read.act = act_named(message.string("act").value_or(""));
  if (read.act == Act::query_server || read.act == Act::listening) read.query = read_query(message);
  return read;
}

FromWorker read_private(const JsonView& message) {
  FromWorker read;
  if (message.string("act") == "idle") read.act = Act::idle;
  return read;
}

std::string command_of(const JsonView& message) {
  constexpr std::string_view prefix = "NODE_";
  if (message.kind() != JsonView::Kind::object) return {};
  auto command = message.string("cmd").value_or("");
  return command.size() > prefix.size() && command.starts_with(prefix) ? command : std::string{};
}

void sort_in(Line& line) {
  const auto command = command_of(line.body);
  if (command.empty()) return;
  line.lane = Line::Lane::internal;
  if (command == "NODE_HANDLE_ACK") line.lane = Line::Lane::handle_ack;
  if (command == "NODE_HANDLE_NACK") line.lane = Line::Lane::handle_nack;
  if (command != "NODE_CLUSTER" && command != "NODE_SVD") return;
  line.lane = Line::Lane::cluster;
  line.message = command == "NODE_SVD" ? read_private(line.body) : read_cluster(line.body);
}

std::string cluster(std::string_view members, std::uint64_t seq) {
  return R"({"cmd":"NODE_CLUSTER",)" + std::string{members} + R"(,"seq":)" + std::to_string(seq) + "}";
}

std::string reply(int err, const std::string& key, const std::string& data, std::int64_t request) {
  return R"("errno":)" + std::to_string(err == 0 ? 0 : -err) + R"(,"key":)" + quote(key) + R"(,"ack":)" +
         std::to_string(request) + R"(,"data":)" + data;
}

std::string_view native_type(const Query& query) {
  const bool udp = query.type == Query::Type::udp4 || query.type == Query::Type::udp6;
  return udp ? "dgram.Native" : "net.Native";
}

constexpr std::string_view handle_begin = R"({"cmd":"NODE_HANDLE",)";

}  // namespace

std::optional<Line> read_line(std::string_view text) {
  const auto whole = JsonView::parse(text);
  if (!whole) return std::nullopt;
  Line line{Line::Lane::program, false, {}, *whole, {}};
  if (text.find("NODE_") == text.npos && text.find('\\') == text.npos) return line;
  if (command_of(*whole) == "NODE_HANDLE") {
    line.with_handle = true;
    line.handle_type = whole->string("type").value_or("");
    line.body = whole->member("msg").value_or(*JsonView::parse("null"));
  }
  sort_in(line);
  return line;
}

bool is_internal(const JsonView& message) { return !command_of(message).empty(); }

std::string write_shared(const Query& query, const std::string& key, const std::string& data,
                         std::int64_t request, std::uint64_t seq) {
  return write_handle(native_type(query), cluster(reply(0, key, data, request), seq));
}

std::string write_round_robin(const std::optional<SocketAddress>& address, const std::string& key,
                              const std::string& data, std::int64_t request, std::uint64_t seq) {
  auto members = reply(0, key, data, request);
  if (address)
    members += R"(,"sockname":{"address":)" + quote(address->address) + R"(,"family":")" +
               (address->v6 ? "IPv6" : "IPv4") + R"(","port":)" + std::to_string(address->port) + "}";
  return cluster(members, seq) + "\n";
}

std::string write_failure(int err, const std::string& key, const std::string& data, std::int64_t request,
                          std::uint64_t seq) {
  return cluster(reply(err, key, data, request), seq) + "\n";
}

std::string write_connection(const std::string& key, std::uint64_t seq) {
  return write_handle("net.Native", cluster(R"("act":"newconn","key":)" + quote(key), seq));
}

std::string write_acknowledgement(std::int64_t request, std::uint64_t seq) {
  return cluster(R"("ack":)" + std::to_string(request), seq) + "\n";
}

std::string write_disconnect(std::uint64_t seq) { return cluster(R"("act":"disconnect")", seq) + "\n"; }

std::string write_drain() { return "{\"cmd\":\"NODE_SVD\",\"act\":\"drain\"}\n"; }

std::string write_handle_answer(bool arrived) {
  return arrived ? "{\"cmd\":\"NODE_HANDLE_ACK\"}\n" : "{\"cmd\":\"NODE_HANDLE_NACK\"}\n";
}

std::string write_handle(std::string_view type, std::string_view body) {
  return std::string{handle_begin} + R"("type":)" + quote(type) + R"(,"msg":)" + std::string{body} + "}\n";
}

std::optional<std::string> lent_key(std::string_view line) {
  if (!line.starts_with(handle_begin)) return std::nullopt;
  const auto whole = JsonView::parse(line);
  const auto body = whole ? whole->member("msg") : std::nullopt;
  if (!body || !body->member("errno")) return std::nullopt;
  return body->string("key");
}

}  // namespace svd::ipc
