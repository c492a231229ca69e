// SPDX-License-Identifier: Apache-2.0
// Who goes when there are too many connections: one of those that one client has in plenty, so that nobody
// can lock the others out by connecting.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "bus/connection.h"

namespace svd::bus {

struct Dispensable {
  Connection* connection = nullptr;
  std::size_t of = 0;  // how many its client has
};

// Among `connections`: the one that has been quiet for longest of the process that has the most; where each
// process has few, of the user that has the most. One that listens or waits for something goes only if its
// process has none but such. No connection: everybody has few, or all of them are in use.
[[nodiscard]] Dispensable dispensable(const std::vector<Connection*>& connections);

}  // namespace svd::bus
