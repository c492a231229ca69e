// SPDX-License-Identifier: Apache-2.0
// Any bytes as the record of a log's cuts, which lies where an app's user may write.
#include "files/log_layout.h"
#include "fuzz/fuzz.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(cut) {
  const auto first = parse_cut_record(bytes);
  if (!first) return;
  const auto text = to_text(*first);
  require(parse_cut_record(text) == first);
  require(text.size() <= 512);  // as much is read
}
