// SPDX-License-Identifier: Apache-2.0
// The kernel's tables of sockets: names in the one of unix sockets are anybody's.
#include <algorithm>
#include <string>

#include "fuzz/fuzz.h"
#include "kernel/address_owner.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(sockets) {
  const std::string table{bytes};
  const auto lines = static_cast<std::size_t>(std::ranges::count(table, '\n')) + 1;
  Listener listener;
  listener.port = 8080;
  for (const auto kind : {Listener::Kind::tcp, Listener::Kind::udp})
    for (const char* const address : {"", "127.0.0.1", "::1", "fe80::1%2"}) {
      listener.kind = kind;
      listener.address = address;
      require(find_in_inet_table(table, listener).size() <= lines);
    }
  require(find_in_unix_table(table, "/run/app.sock").size() <= lines);
  require(find_in_unix_table(table, "@app").size() <= lines);
}
