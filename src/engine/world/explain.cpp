// SPDX-License-Identifier: Apache-2.0
#include "engine/world/explain.h"

#include "spec/spec.h"

namespace svd {

std::vector<FieldChange> compare_specs(const AppSpec& have, const AppSpec& want) {
  return spec::compare(have, want);
}
std::vector<std::string> settings_of(const AppSpec& spec) { return spec::settings(spec); }

}  // namespace svd
