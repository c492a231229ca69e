// SPDX-License-Identifier: Apache-2.0
#include "bus/crowd.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

namespace svd::bus {
namespace {

constexpr std::size_t few = 8;  // as many as one program may have good use for

// A process, or a user: kinds of numbers that must not meet.
using Client = std::pair<bool, std::int64_t>;
using Clients = std::map<Client, std::vector<Connection*>>;

Client user_of(const Connection& connection) { return {false, connection.peer().uid}; }
Client process_of(const Connection& connection) {
  // A process of another pid namespace has no number here.
  return connection.peer().pid > 0 ? Client{true, connection.peer().pid} : user_of(connection);
}

// All connections of who has the most; none when that is few.
std::vector<Connection*> largest(const std::vector<Connection*>& connections,
                                 Client (*owner)(const Connection&)) {
  Clients clients;
  for (auto* connection : connections) clients[owner(*connection)].push_back(connection);
  const auto most =
      std::ranges::max_element(clients, {}, [](const auto& entry) { return entry.second.size(); });
  if (most == clients.end() || most->second.size() <= few) return {};
  return std::move(most->second);
}

// `all` is not empty. Those in use come after all that are not.
Connection* quietest(const std::vector<Connection*>& all) {
  return *std::ranges::min_element(all, {}, [](const Connection* c) {
    return std::tuple{c->in_use(), c->last_heard(), c->number()};
  });
}

}  // namespace

Dispensable dispensable(const std::vector<Connection*>& connections) {
  if (const auto all = largest(connections, process_of); !all.empty()) return {quietest(all), all.size()};
  if (const auto all = largest(connections, user_of); !all.empty())
    if (auto* const found = quietest(all); !found->in_use()) return {found, all.size()};
  return {};
}

}  // namespace svd::bus
