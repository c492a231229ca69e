// SPDX-License-Identifier: Apache-2.0
// A stream cut into lines, however it was split or coalesced on its way: one JSON value a line, as Node's IPC
// has it. Nothing is copied: a line is a view into the spool that the stream is read into.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ipc/spool.h"

namespace svd::ipc {

// A message longer than this is no message. Node has no bound of its own; ours is far above any use of it (a
// base64 picture, a whole session store), and bounds what one program can make the supervisor hold.
inline constexpr std::size_t max_frame = 8U << 20U;

struct Frame {
  enum class Kind : std::uint8_t { line, too_long };
  Kind kind = Kind::line;
  std::string_view text;  // without its end (\n or \r\n); of one that is too long: its beginning
};

// The spool's room must be more than 2 × max_frame: then there is always space to read on.
class FrameReader {
 public:
  // Not 0 in the middle of a line that is thrown away; kept beside the spool, for who comes after us.
  using Skipping = std::atomic<std::uint64_t>;
  explicit FrameReader(Skipping& skipping) : skipping_{&skipping} {}

  // The first line in `spool`; it stays there until done(). nullopt: none is complete. What follows one that
  // is too long is thrown away up to its end. Empty lines are passed over.
  std::optional<Frame> next(Spool& spool);
  // What next() gave has been handled.
  void done(Spool& spool);
  // Throws away what there is of a line that has not ended, and then the rest of it. Only after a next() that
  // gave nothing.
  void abandon(Spool& spool);

 private:
  Skipping* skipping_;
  std::size_t pending_ = 0;   // bytes of what next() gave
  std::size_t searched_ = 0;  // so many bytes of the content have no end of line
};

}  // namespace svd::ipc
