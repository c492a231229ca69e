// SPDX-License-Identifier: Apache-2.0
#include "plan/want.h"

namespace svd::plan {

Want want(const WantFacts& facts) {
  if (facts.needed) return Want::hold;  // those go first
  if (facts.removed || !facts.wanted) return Want::rest;
  if (facts.surplus) return facts.shutting || facts.last ? Want::rest : Want::drain;
  if (facts.shutting) return facts.main ? Want::pause : Want::rest;
  if (facts.retired) return Want::drain;
  return facts.blocked || facts.awaits ? Want::hold : Want::run;
}

}  // namespace svd::plan
