// SPDX-License-Identifier: Apache-2.0
// The rows of org.svd1 as sdbus-c++ reads them, and the way to the model. Included by the D-Bus client alone.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/client.h"

namespace svd::cli::wire {

using Step = sdbus::Struct<std::string, std::string, std::uint32_t, std::string, std::vector<std::string>,
                           std::vector<std::string>>;
using App = sdbus::Struct<std::string, sdbus::ObjectPath, std::uint32_t, std::uint32_t, std::string,
                          std::string, bool, std::uint64_t, std::string>;
using Instance =
    sdbus::Struct<std::string, std::string, std::string, std::uint64_t, std::uint64_t, std::uint64_t,
                  std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t, std::string,
                  std::string, std::string, std::string, std::string, std::uint64_t, std::uint64_t>;
using Figures = std::map<std::string, std::uint64_t>;
using Pressures = std::map<std::string, double>;
using Measured = sdbus::Struct<std::string, std::uint64_t, Figures, Pressures>;
using Revision = sdbus::Struct<std::string, std::uint64_t, std::int64_t, std::string, std::string,
                               std::string, std::string, bool>;
using Event = sdbus::Struct<std::uint64_t, std::int64_t, std::string, std::string, std::string>;
using Failed = sdbus::Struct<std::string, std::string, std::string>;
using Properties = std::map<std::string, sdbus::Variant>;

// Errors: io_error, when the daemon's answer is not in the words of the contract.
[[nodiscard]] Result<PlanStep> to_step(const Step& row);
[[nodiscard]] Result<AppView> to_app(const App& row);
[[nodiscard]] Result<AppView> to_app(const Properties& properties);
[[nodiscard]] Result<InstanceView> to_instance(const Instance& row);
[[nodiscard]] Usage to_usage(const Figures& figures, const Pressures& pressures);
[[nodiscard]] Result<RevisionView> to_revision(const Revision& row);
[[nodiscard]] EventRecord to_event(const Event& row);
[[nodiscard]] Result<ChangeReport> to_change(ChangeId id, const Properties& properties);
[[nodiscard]] DaemonView to_daemon(const Properties& properties);

// /org/svd1/app/shop/web, each part as sd_bus_path_encode(3) escapes it.
[[nodiscard]] std::string app_path(const AppId& id);
[[nodiscard]] std::string change_path(ChangeId id);
// 0 for "/", "" and anything that is not a change.
[[nodiscard]] ChangeId change_of(std::string_view path);

}  // namespace svd::cli::wire
