// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace svd {

// A file that a person named: symbolic links are followed (a Kubernetes volume is made of them). Never waits
// (a fifo, a device). Error file_too_large: more than `limit` bytes.
[[nodiscard]] Result<std::string> read_chosen_file(const std::string& path, std::size_t limit);

}  // namespace svd
