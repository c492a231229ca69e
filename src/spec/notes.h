// SPDX-License-Identifier: Apache-2.0
// What is allowed, and hardly meant.
#pragma once

#include "spec/rules.h"
#include "spec/spec.h"

namespace svd::spec {

void note_app(const AppInFile& file, const AppSpec& app, const Inputs& inputs, Complaints& notes);

}  // namespace svd::spec
