// SPDX-License-Identifier: Apache-2.0
// Reads one rotated file from its front, compressed or not.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"
#include "files/log_layout.h"

struct gzFile_s;

namespace svd {

// How many bytes of the stream a rotated file holds.
Result<std::uint64_t> rotated_length(const LogPlace& place, const RotatedFile& file);

class LogSegment {
 public:
  static Result<LogSegment> open(const LogPlace& place, const RotatedFile& file);
  // 0: the end. Error illegal_byte_sequence: the compressed data is damaged.
  Result<std::size_t> read(std::span<char> into);
  // Passes over `bytes`; a compressed file is decompressed on the way.
  Result<> skip(std::uint64_t bytes);

 private:
  struct Close {
    void operator()(gzFile_s* file) const noexcept;
  };
  std::string name_;
  UniqueFd plain_;
  std::unique_ptr<gzFile_s, Close> packed_;
};

}  // namespace svd
