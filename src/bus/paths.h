// SPDX-License-Identifier: Apache-2.0
// Object paths and what they name. A path has exactly one spelling: what decodes must encode to the same
// text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/names.h"

namespace svd::bus {

inline constexpr const char* root_path = "/org/svd1";
inline constexpr const char* app_prefix = "/org/svd1/app";
inline constexpr const char* instance_prefix = "/org/svd1/instance";
inline constexpr const char* change_prefix = "/org/svd1/change";

// /org/svd1/app/shop/web; characters that a path cannot hold are written _xx, as sd_bus_path_encode(3) does.
[[nodiscard]] std::string path_of(const AppId& id);
// /org/svd1/instance/shop/web/0
[[nodiscard]] std::string path_of(const SlotId& id);
// /org/svd1/change/12; "/" for 0, "nothing to do".
[[nodiscard]] std::string path_of(ChangeId id);

[[nodiscard]] std::optional<AppId> app_at(std::string_view path);
[[nodiscard]] std::optional<SlotId> slot_at(std::string_view path);
[[nodiscard]] std::optional<ChangeId> change_at(std::string_view path);

}  // namespace svd::bus
