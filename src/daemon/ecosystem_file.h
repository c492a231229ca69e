// SPDX-License-Identifier: Apache-2.0
// The file of `svd FILE`, as svctl would send it.
#pragma once

#include "base/result.h"
#include "daemon/options.h"
#include "model/app_spec.h"

namespace svd {

// Reads options.file, an absolute path, as it is now. It is not decoded: the text may be anything.
[[nodiscard]] Result<Source> read_ecosystem_file(const Options& options);

// The path as it will be found whatever the working directory is; symbolic links stay what they are, so that
// "current/ecosystem.yaml" is the next deployment's after the next deployment.
[[nodiscard]] std::string absolute_path(const std::string& path);

}  // namespace svd
