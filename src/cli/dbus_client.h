// SPDX-License-Identifier: Apache-2.0
// The Client that talks to a daemon over D-Bus, with sdbus-c++. One connection, no thread: signals are taken
// in by wait(), and calls block for at most call_timeout.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cli/client.h"
#include "cli/context.h"

namespace svd::cli {

// Generous: applying 10,000 apps is one call.
inline constexpr std::chrono::seconds call_timeout{60};

// The address is in D-Bus syntax ("unix:path=/run/svd/bus"). Error connection_refused: nobody listens there;
// permission_denied; operation_not_permitted: it is a stranger's, and was sent nothing (cli/peer.h).
[[nodiscard]] Result<std::unique_ptr<Client>> connect_dbus(const Endpoint& where);

}  // namespace svd::cli
