// SPDX-License-Identifier: Apache-2.0
// org.freedesktop.DBus as far as client libraries need it on a socket without a message bus.
#pragma once

#include <systemd/sd-bus.h>

namespace svd::bus {

class Connection;

// Answers a call to the destination org.freedesktop.DBus. Returns 0 for what sd-bus answers by itself (Peer),
// else 1.
int answer_as_bus(Connection& connection, sd_bus_message* message);

}  // namespace svd::bus
