// SPDX-License-Identifier: Apache-2.0
// Where an instance's standard output and error go, ready to be handed to the keeper.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/app_spec.h"
#include "model/names.h"

namespace svd {

struct Stdio {
  enum class Kind {
    null,
    path,
    fd,
    inherit
  };  // path: the child opens it itself, append, 0640; inherit: the keeper's own
  Kind kind = Kind::null;
  std::string path;
  UniqueFd fd;  // a journald stream, or the write end of a log writer's pipe
};

// Implemented by the logs adapter; called for each start, with the revision that it is of. Must not block.
// Error: the start fails at stage log.
class StdioSource {
 public:
  virtual ~StdioSource() = default;
  virtual Result<Stdio> open(const SlotId& slot, const LogPolicy& policy, std::uint64_t revision) = 0;
};

}  // namespace svd
