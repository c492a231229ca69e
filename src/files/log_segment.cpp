// SPDX-License-Identifier: Apache-2.0
#include "files/log_segment.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "files/io.h"

namespace svd {

// Bytes of a file for each block of 512 that it has on the disk: none of ours has a hole, and compressing
// file systems do not get that far.
constexpr std::uint64_t least_filled = 64ULL * 512;

Result<std::uint64_t> rotated_length(const LogPlace& place, const RotatedFile& file) {
  SVD_TRY(const auto fd, open_regular_at(place.directory.get(), file.name, O_RDONLY));
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return fail_errno(errno, "cannot read '" + file.name + "'");
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (!file.compressed && size > max_rotated &&
      static_cast<std::uint64_t>(about.st_blocks) < size / least_filled)
    return fail(std::errc::illegal_byte_sequence,
                "cannot read '" + file.name + "': it is nothing but a hole");
  if (!file.compressed) return size;
  std::array<unsigned char, 4> tail{};
  if (::pread(fd.get(), tail.data(), tail.size(), about.st_size - 4) != 4)
    return fail(std::errc::illegal_byte_sequence, "cannot read '" + file.name + "': it is cut short");
  return static_cast<std::uint64_t>(tail[0]) | static_cast<std::uint64_t>(tail[1]) << 8 |
         static_cast<std::uint64_t>(tail[2]) << 16 | static_cast<std::uint64_t>(tail[3]) << 24;
}

void LogSegment::Close::operator()(gzFile_s* file) const noexcept { ::gzclose_r(file); }

Result<LogSegment> LogSegment::open(const LogPlace& place, const RotatedFile& file) {
  LogSegment segment;
  segment.name_ = file.name;
  SVD_TRY(segment.plain_, open_regular_at(place.directory.get(), file.name, O_RDONLY));
  if (!file.compressed) return segment;
  segment.packed_.reset(::gzdopen(segment.plain_.get(), "rb"));
  if (!segment.packed_) return fail(std::errc::not_enough_memory, "cannot decompress '" + file.name + "'");
  static_cast<void>(segment.plain_.release());  // gzclose_r() closes it
  ::gzbuffer(segment.packed_.get(), 64U << 10);
  return segment;
}

Result<std::size_t> LogSegment::read(std::span<char> into) {
  if (packed_) {
    constexpr std::size_t most = 1U << 30;  // gzread() counts in int
    const int n = ::gzread(packed_.get(), into.data(), static_cast<unsigned>(std::min(into.size(), most)));
    int error = Z_OK;
    ::gzerror(packed_.get(), &error);
    // A file that ends early is reported beside the bytes that came before: these still count.
    if (n < 0 || (n == 0 && error != Z_OK && error != Z_STREAM_END))
      return fail(std::errc::illegal_byte_sequence, "cannot decompress '" + name_ + "': the data is damaged");
    return static_cast<std::size_t>(n);
  }
  for (;;) {
    const auto n = ::read(plain_.get(), into.data(), into.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) return fail_errno(errno, "cannot read '" + name_ + "'");
  }
}

Result<> LogSegment::skip(std::uint64_t bytes) {
  if (!packed_) {
    if (::lseek(plain_.get(), static_cast<off_t>(bytes), SEEK_CUR) < 0)
      return fail_errno(errno, "cannot read '" + name_ + "'");
    return {};
  }
  if (::gzseek(packed_.get(), static_cast<z_off_t>(bytes), SEEK_CUR) < 0)
    return fail(std::errc::illegal_byte_sequence, "cannot decompress '" + name_ + "': the data is damaged");
  return {};
}

}  // namespace svd
