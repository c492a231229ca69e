// SPDX-License-Identifier: Apache-2.0
// The lines of a channel, read and written: Node's internal messages (an object whose `cmd` begins with
// NODE_), among them those of its cluster protocol, and our own private lane in it (NODE_SVD). All else
// belongs to the program.
//
// The worker's half of the protocol is the same from Node 16 to 26; what is unknown is never an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ipc/json.h"

namespace svd::ipc {

// What a worker wants to listen on: `queryServer`, and once more `listening`, then with the real port.
struct Query {
  enum class Type : std::uint8_t { tcp4, tcp6, unix_stream, udp4, udp6 };
  Type type = Type::tcp4;
  std::optional<std::string> address{};  // resolved, or a path; nullopt: any
  std::int64_t port = 0;
  std::int64_t fd = -1;  // of the worker's listen({fd}); -1: none
  std::int64_t index = 0;
  std::uint32_t flags = 0;  // 1: IPv6 only, 4: udp with SO_REUSEADDR
  bool readable_all = false, writable_all = false;
  std::string data = "null";  // JSON: what the first worker gave goes to all (TLS tickets)
  bool operator==(const Query&) const = default;
};

struct FromWorker {
  enum class Act : std::uint8_t {
    none,
    online,
    query_server,
    listening,
    close,                    // of `key`
    exited_after_disconnect,  // wants an acknowledgement, then leaves
    idle,                     // the preload: no client is left
  };
  Act act = Act::none;
  std::optional<std::int64_t> seq{}, ack{};  // ack: it answers that message of ours
  bool accepted = false;
  std::string key{};
  std::optional<Query> query{};  // absent where it makes no sense
};

// Where a line goes.
struct Line {
  enum class Lane : std::uint8_t {
    program,      // not for us; `body` is what the program said
    cluster,      // NODE_CLUSTER or NODE_SVD: `message`
    handle_ack,   // it got the descriptor
    handle_nack,  // it did not
    internal,     // of Node's, and nothing that we know
  };
  Lane lane = Lane::program;
  bool with_handle =
      false;  // it came in a NODE_HANDLE: a descriptor belongs to it, and wants an acknowledgement
  std::string handle_type;
  JsonView body;
  FromWorker message;
};

// nullopt: no JSON.
[[nodiscard]] std::optional<Line> read_line(std::string_view text);
// Whether Node would take it for one of its own messages.
[[nodiscard]] bool is_internal(const JsonView& message);

// The answers and orders, each with its line feed. `seq` numbers what we send; `request` is the seq that is
// answered.
[[nodiscard]] std::string write_shared(const Query& query, const std::string& key, const std::string& data,
                                       std::int64_t request, std::uint64_t seq);
struct SocketAddress {  // of a TCP server
  std::string address;
  bool v6 = false;
  std::int64_t port = 0;
};
[[nodiscard]] std::string write_round_robin(const std::optional<SocketAddress>& address,
                                            const std::string& key, const std::string& data,
                                            std::int64_t request, std::uint64_t seq);
[[nodiscard]] std::string write_failure(int err, const std::string& key, const std::string& data,
                                        std::int64_t request, std::uint64_t seq);
[[nodiscard]] std::string write_connection(const std::string& key, std::uint64_t seq);
[[nodiscard]] std::string write_acknowledgement(std::int64_t request, std::uint64_t seq);
[[nodiscard]] std::string write_disconnect(std::uint64_t seq);
[[nodiscard]] std::string write_drain();
[[nodiscard]] std::string write_handle_answer(bool arrived);
// Something of the program's, with a descriptor.
[[nodiscard]] std::string write_handle(std::string_view type, std::string_view body);

// The key of the socket that a reply which is still waiting to be sent was about, for the engine that finds
// it there; nullopt: not such a reply. What is behind a NODE_HANDLE line without a descriptor is refused by
// the worker.
[[nodiscard]] std::optional<std::string> lent_key(std::string_view line);

}  // namespace svd::ipc
