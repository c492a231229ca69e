// SPDX-License-Identifier: Apache-2.0
// What an app can make its primary remember.
#include <cerrno>
#include <tuple>

#include "ipc/primary.h"

namespace svd::ipc {

std::size_t Primary::kept() const {
  std::size_t bytes = 0;
  for (const auto& [key, server] : servers_) bytes += key.size() + server.data.size();
  return bytes;
}

int Primary::refusal_of(const Asked& asked) const {
  const auto server = servers_.find(asked.key);
  if (server == servers_.end() && servers_.size() >= max_servers) return EMFILE;
  const auto key = server == servers_.end() ? asked.key.size() : 0;
  const auto data = server == servers_.end() || server->second.data == "null" ? asked.query.data.size() : 0;
  return kept() + key + data > max_kept ? ENOBUFS : 0;
}

void Primary::remember(const State& worker, const Asked& asked) {
  const bool is_new = !servers_.contains(asked.key);
  auto& server = servers_[asked.key];
  const auto before = std::tuple{server.generation, server.own, server.data.size()};
  if (server.data == "null") server.data = asked.query.data;
  server.generation = worker.member.generation;
  server.shuts.reset();
  if (asked.own) server.own = true;
  if (is_new || before != std::tuple{server.generation, server.own, server.data.size()}) touch(StartId{});
}

}  // namespace svd::ipc
