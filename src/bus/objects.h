// SPDX-License-Identifier: Apache-2.0
// The vtables of schemas/org.svd1.xml. Nothing is kept for an object: what a path names is looked up when it
// is asked for.
#pragma once

#include <systemd/sd-bus.h>

#include "base/result.h"

namespace svd::bus {

class Connection;

// Everything below, and the ObjectManager.
Result<> export_objects(Connection& connection);

int export_manager(Connection& connection);
int export_apps(Connection& connection);
int export_instances(Connection& connection);
int export_changes(Connection& connection);

}  // namespace svd::bus
