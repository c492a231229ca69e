// SPDX-License-Identifier: Apache-2.0
#include "ipc/frames.h"

#include <algorithm>

namespace svd::ipc {

std::optional<Frame> FrameReader::next(Spool& spool) {
  for (;;) {
    const auto content = spool.content();
    const auto end = content.find('\n', std::min(searched_, content.size()));
    const bool whole = end != content.npos;
    const auto length = whole ? end : content.size();
    if (skipping_->load(std::memory_order_relaxed) != 0) {
      spool.consume(whole ? length + 1 : length);
      searched_ = 0;
      if (!whole) return std::nullopt;
      skipping_->store(0, std::memory_order_release);
      continue;
    }
    if (length > max_frame) {
      pending_ = whole ? length + 1 : length;
      if (!whole) skipping_->store(1, std::memory_order_release);
      return Frame{Frame::Kind::too_long, content.substr(0, 64)};
    }
    searched_ = whole ? 0 : length;
    if (!whole) return std::nullopt;
    auto line = content.substr(0, length);
    if (line.ends_with('\r')) line.remove_suffix(1);
    pending_ = length + 1;
    if (!line.empty()) return Frame{Frame::Kind::line, line};
    done(spool);
  }
}

void FrameReader::done(Spool& spool) {
  spool.consume(pending_);
  pending_ = 0;
  searched_ = 0;
}

void FrameReader::abandon(Spool& spool) {
  if (spool.empty()) return;
  skipping_->store(1, std::memory_order_release);
  spool.consume(spool.size());
  searched_ = 0;
}

}  // namespace svd::ipc
