// SPDX-License-Identifier: Apache-2.0
// The way back from the texts of the model: what its str() and to_text() write.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "model/names.h"
#include "model/phase.h"
#include "model/plan_step.h"

namespace svd::cli {

// "shop:web". Error invalid_argument otherwise.
[[nodiscard]] Result<AppId> parse_app_id(std::string_view text);
// "shop:web/0".
[[nodiscard]] Result<SlotId> parse_slot_id(std::string_view text);
[[nodiscard]] std::optional<Phase> parse_phase(std::string_view text);
[[nodiscard]] std::optional<PlanStep::Action> parse_action(std::string_view text);
// What to_text(ExitStatus) wrote; kind unknown for what it cannot have written.
[[nodiscard]] ExitStatus parse_exit_status(std::string_view text);

}  // namespace svd::cli
