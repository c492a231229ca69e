// SPDX-License-Identifier: Apache-2.0
// The steps by which a child restricts itself (protocol.h, Op). As all of the child's side: system calls
// only.
#pragma once

#include "keeper/wire.h"

namespace svd::keeper {

// Each: 0, or an errno.
int drop_capabilities();  // all of them
int run_step(const Launch& launch, const Step& step);

}  // namespace svd::keeper
