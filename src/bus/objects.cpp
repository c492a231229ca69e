// SPDX-License-Identifier: Apache-2.0
#include "bus/objects.h"

#include "bus/connection.h"
#include "bus/paths.h"

namespace svd::bus {

Result<> export_objects(Connection& connection) {
  int r = export_manager(connection);
  if (r >= 0) r = export_apps(connection);
  if (r >= 0) r = export_instances(connection);
  if (r >= 0) r = export_changes(connection);
  if (r >= 0) r = sd_bus_add_object_manager(connection.bus(), nullptr, root_path);
  if (r < 0) return fail_errno(-r, "cannot export the objects");
  return {};
}

}  // namespace svd::bus
