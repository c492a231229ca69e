// SPDX-License-Identifier: Apache-2.0
// Taking over after a former engine: the changes that were under way go on, under their numbers, so that who
// waits for one hears of its end.
#pragma once

#include <vector>

#include "engine/changes/changes.h"
#include "engine/saving/saved.h"

namespace svd {

void resume_changes(World& world, Changes& changes, Revisions& revisions,
                    const std::vector<SavedChange>& all);

}  // namespace svd
