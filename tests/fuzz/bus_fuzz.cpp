// SPDX-License-Identifier: Apache-2.0
// Match rules and object paths: text that any client can send.
#include "bus/match.h"
#include "bus/paths.h"
#include "fuzz/fuzz.h"

using svd::fuzz::require;

FUZZ_TARGET(bus) {
  if (const auto rule = svd::bus::parse_match(bytes)) {
    require(*svd::bus::parse_match(bytes) == *rule);
    const bool here = svd::bus::matches(*rule, {"org.svd1.Manager", "InstanceChanged", "/org/svd1"});
    const bool somewhere = svd::bus::matches(*rule, {"org.svd1.Manager", "InstanceChanged", {}});
    require(!here || somewhere);  // a rule that matches would not be counted as interest
  }
  if (const auto app = svd::bus::app_at(bytes)) require(svd::bus::path_of(*app) == bytes);
  if (const auto slot = svd::bus::slot_at(bytes)) require(svd::bus::path_of(*slot) == bytes);
  if (const auto change = svd::bus::change_at(bytes)) require(svd::bus::path_of(*change) == bytes);
}
