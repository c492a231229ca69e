// SPDX-License-Identifier: Apache-2.0
// Any JSON as what an engine saved of a start's identity and rights.
#include "fuzz/fuzz.h"
#include "kernel/given.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(given) {
  const auto json = ipc::JsonView::parse(bytes);
  const auto given = json ? read_given(*json) : std::nullopt;
  if (!given) return;
  const auto text = write_given(*given);
  const auto again = ipc::JsonView::parse(text);
  require(again && read_given(*again) == given);
  static_cast<void>(given->may_change_user());
}
