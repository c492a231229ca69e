// SPDX-License-Identifier: Apache-2.0
// The sd-bus vtable macros, in a form that C++ with all warnings takes, and the glue of objects below
// /org/svd1.
#pragma once

#include <systemd/sd-bus.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bus/guard.h"

// A property that is announced with its value, one that never changes, one that is not announced, and one
// whose value is for insiders: to everybody else it is only announced that it has changed, so that those of
// them who may act ask for it and no cache keeps "(hidden)". `audience` is the vtable's template parameter.
#define SVD_LIVE(name, type, getter) \
  SD_BUS_PROPERTY(name, type, getter, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define SVD_INSIDE(name, type, getter)                                                 \
  SD_BUS_PROPERTY(name, type, getter, 0,                                               \
                  audience == Audience::insiders ? SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE \
                                                 : SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION)
#define SVD_CONSTANT(name, type, getter) SD_BUS_PROPERTY(name, type, getter, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define SVD_SILENT(name, type, getter) SD_BUS_PROPERTY(name, type, getter, 0, 0)

namespace svd::bus {

// Every method is open to whoever got this far: those who may not use the daemon never reach an object
// (connection.cpp).
inline constexpr std::uint64_t for_all = SD_BUS_VTABLE_UNPRIVILEGED;

// A list as an sd-bus enumerator returns it: malloc(3)ed strings behind a malloc(3)ed array. Null when memory
// is out.
inline char** to_strv(const std::vector<std::string>& paths) {
  auto** list = static_cast<char**>(std::calloc(paths.size() + 1, sizeof(char*)));
  if (list == nullptr) return nullptr;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    list[i] = ::strdup(paths[i].c_str());
    if (list[i] != nullptr) continue;
    for (std::size_t made = 0; made < i; ++made) std::free(list[made]);
    std::free(list);
    return nullptr;
  }
  return list;
}

// sd_bus_object_find_t: what `Look(Sight, path)` finds (an optional view) is kept until the next look-up,
// which is as long as sd-bus needs it: one message is handled after the other, one object after the other.
template <class View, auto Look>
int find_object(sd_bus*, const char* path, const char*, void* userdata, void** found,
                sd_bus_error* error) noexcept {
  try {
    auto& connection = *static_cast<Connection*>(userdata);
    auto view = Look(connection.sight(), path);
    if (!view) return 0;
    static Found<View> last;
    last.connection = &connection;
    last.view = std::move(*view);
    *found = &last;
    return 1;
  } catch (const std::exception& exception) {
    return set_internal_error(error, exception.what());
  }
}

// sd_bus_node_enumerator_t: the paths that `List(Sight)` returns, all below `prefix`. sd-bus asks for the
// children of each object that is introspected, too; those have none, and listing everything for each would
// be quadratic.
template <const char* const& prefix, auto List>
int enumerate(sd_bus*, const char* path, void* userdata, char*** nodes, sd_bus_error* error) noexcept {
  if (std::string_view{path}.size() > std::string_view{prefix}.size()) return 0;
  try {
    auto& connection = *static_cast<Connection*>(userdata);
    const std::vector<std::string> paths = List(connection.sight());
    for (const auto& child : paths) connection.charge(child.size() + 64);
    *nodes = to_strv(paths);
    return *nodes == nullptr ? -ENOMEM : 1;
  } catch (const std::exception& exception) {
    return set_internal_error(error, exception.what());
  }
}

}  // namespace svd::bus
