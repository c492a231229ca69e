// SPDX-License-Identifier: Apache-2.0
// What an ecosystem is called whose file does not say it.
#pragma once

#include <string_view>

#include "model/names.h"

namespace svd::spec {

// The name of the last directory of an absolute path, as compose has it; of `current`, which is what
// deployment tools call the link to the newest release, the one above. What no name may hold becomes '-'.
// "default" for the root directory. Error: nothing of it can be in a name.
[[nodiscard]] Result<Name> default_name(std::string_view directory);

}  // namespace svd::spec
