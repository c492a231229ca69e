// SPDX-License-Identifier: Apache-2.0
// spec::decode as the engine's Decoder.
#pragma once

#include "engine/ports.h"

namespace svd {

// Env files that the client did not send are read here; pass_env names it did not send are looked up in the
// environment of the daemon (in a container, that is the container's). Error invalid_argument: the rendered
// diagnostics.
[[nodiscard]] Decoder make_decoder();

}  // namespace svd
