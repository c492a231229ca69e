// SPDX-License-Identifier: Apache-2.0
// One log as one stream of bytes, through rotated files and the live one, also while it is being cut
// (log_layout.h). Positions are those of the stream: they never move.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "files/log_segment.h"

namespace svd {

// A stretch of the stream that one file holds, [begin, end).
struct LogStretch {
  std::uint64_t begin = 0, end = 0;
  bool live = false;
  WallTime modified;  // when it was last written to; for a rotated file, not later than its cut
};

class LogStream {
 public:
  // The log need not exist yet, its directory must. Error: not a regular file, permission_denied, …
  static Result<LogStream> open(const std::string& path);

  // What there is now, oldest first; the live file's stretch is last, and there even when it is empty or does
  // not exist.
  Result<std::vector<LogStretch>> stretches();

  void seek(std::uint64_t position);
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  // The bytes at position(), which moves on. 0: nothing more for now.
  // A position whose bytes are gone (older than what is kept) moves to the oldest byte that is there: see
  // take_lost().
  Result<std::size_t> read(std::span<char> into);
  // How many bytes were passed over because their file was gone or damaged, since the last call.
  [[nodiscard]] std::uint64_t take_lost() noexcept { return std::exchange(lost_, 0); }

 private:
  // The live file as one record sees it.
  struct Live {
    std::uint64_t owned = 0;   // position in the stream of its first byte that is in no rotated file
    std::uint64_t offset = 0;  // and where in the file that is
    std::uint64_t size = 0;
    std::uint64_t newest = 0;  // number of the newest rotated file that counts
    WallTime modified;
  };
  struct Open {
    LogSegment segment;
    std::uint64_t end = 0;  // of the stream; its next byte is the stream's position_
  };

  Result<CutRecord> record() const { return read_cut_record(place_); }
  Result<> refresh_live();
  Result<Live> look(const CutRecord& record);
  Result<std::optional<std::size_t>> read_live(const CutRecord& before, const Live& live,
                                               std::span<char> into);
  Result<> open_segment(const Live& live);
  Result<std::optional<std::size_t>> try_read(std::span<char> into);
  Result<std::optional<std::size_t>> read_segment(std::span<char> into);
  [[nodiscard]] bool exists(const std::string& name) const;

  LogPlace place_;
  UniqueFd live_;
  std::optional<Open> open_;
  std::uint64_t position_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace svd
