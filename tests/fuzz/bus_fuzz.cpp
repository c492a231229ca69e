// SPDX-License-Identifier: Apache-2.0
// Match rules and object paths: text that any client can send.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "bus/match.h"
#include "bus/paths.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto rule = svd::bus::parse_match(text)) {
    const auto again = svd::bus::parse_match(text);
    if (!again || *again != *rule) std::abort();
    const bool here = svd::bus::matches(*rule, {"org.svd1.Manager", "InstanceChanged", "/org/svd1"});
    const bool somewhere = svd::bus::matches(*rule, {"org.svd1.Manager", "InstanceChanged", {}});
    if (here && !somewhere) std::abort();  // a rule that matches would not be counted as interest
  }
  if (const auto app = svd::bus::app_at(text); app && svd::bus::path_of(*app) != text) std::abort();
  if (const auto slot = svd::bus::slot_at(text); slot && svd::bus::path_of(*slot) != text) std::abort();
  if (const auto change = svd::bus::change_at(text); change && svd::bus::path_of(*change) != text)
    std::abort();
  return 0;
}
