// SPDX-License-Identifier: Apache-2.0
// What a worker asks for against what its file declares.
#include "ipc/primary.h"

namespace svd::ipc {
namespace {

std::string_view name_of(Query::Type type) {
  switch (type) {
    case Query::Type::tcp4:
      return "4";
    case Query::Type::tcp6:
      return "6";
    case Query::Type::unix_stream:
      return "-1";
    case Query::Type::udp4:
      return "udp4";
    case Query::Type::udp6:
      return "udp6";
  }
  return "";
}

Listener::Kind kind_of(Query::Type type) {
  switch (type) {
    case Query::Type::tcp4:
    case Query::Type::tcp6:
      return Listener::Kind::tcp;
    case Query::Type::unix_stream:
      return Listener::Kind::unix_stream;
    case Query::Type::udp4:
    case Query::Type::udp6:
      return Listener::Kind::udp;
  }
  return Listener::Kind::tcp;
}

bool is_any(const std::string& address) { return address.empty() || address == "0.0.0.0" || address == "::"; }

// A socket for every address takes this one's connections, too.
bool covers(const Listener& listener, const std::string& address) {
  if (!is_any(listener.address)) return false;
  const bool v6 = address.find(':') != std::string::npos;
  return v6 ? listener.address != "0.0.0.0" : listener.address == "0.0.0.0" || !listener.v6only;
}

// The better the higher; 0: not at all.
int fitness(const Listener& listener, const Query& query) {
  if (listener.kind != kind_of(query.type)) return 0;
  if (listener.kind == Listener::Kind::unix_stream) return query.address == listener.address ? 3 : 0;
  if (query.port == 0 || listener.port != query.port) return 0;
  const auto wanted = query.address.value_or("");
  if (is_any(wanted)) return is_any(listener.address) ? 3 : 1;
  if (wanted == listener.address) return 3;
  return covers(listener, wanted) ? 2 : 0;
}

}  // namespace

std::string key_of(const Query& query, bool again) {
  auto key =
      query.address.value_or("") + ":" + std::to_string(query.port) + ":" + std::string{name_of(query.type)};
  if (query.fd >= 0) key += ":" + std::to_string(query.fd);
  if (query.port == 0 || again) key += "#" + std::to_string(query.index);
  return key;
}

const Listener* find_listener(std::span<const Listener> listeners, const Query& query) {
  constexpr std::int64_t first = 3;  // SD_LISTEN_FDS_START
  if (query.fd >= 0) {
    const auto index = static_cast<std::size_t>(query.fd - first);
    return query.fd >= first && index < listeners.size() ? &listeners[index] : nullptr;
  }
  const Listener* best = nullptr;
  int found = 0;
  for (const auto& listener : listeners) {
    const int fits = fitness(listener, query);
    if (fits > found) best = &listener;
    found = std::max(found, fits);
  }
  return best;
}

}  // namespace svd::ipc
