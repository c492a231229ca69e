// SPDX-License-Identifier: Apache-2.0
#include "logtool/copy.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string_view>
#include <vector>

#include "files/io.h"

namespace svd {
namespace {

constexpr std::size_t chunk = 256U << 10;
// Logs repeat themselves: level 1 gets most of what there is to get at four times the speed of level 6, and
// a rotation that cannot keep up with the app would let the live file grow.
constexpr int level = 1;
constexpr int gzip_window = 15 + 16;  // deflateInit2(): a gzip header and trailer around the data

Result<std::size_t> read_chunk(const CopyRange& range, std::uint64_t done, std::span<char> into) {
  const auto want = std::min<std::uint64_t>(into.size(), range.length - done);
  for (;;) {
    const auto n = ::pread(range.from, into.data(), static_cast<std::size_t>(want),
                           static_cast<off_t>(range.offset + done));
    if (n > 0) return static_cast<std::size_t>(n);
    if (n == 0) return fail(std::errc::io_error, "cannot read the log: it became shorter meanwhile");
    if (errno != EINTR) return fail_errno(errno, "cannot read the log");
  }
}

class Deflater {
 public:
  explicit Deflater(int to) : to_{to} {
    ready_ = ::deflateInit2(&stream_, level, Z_DEFLATED, gzip_window, 9, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() {
    if (ready_) ::deflateEnd(&stream_);
  }
  Result<> put(std::span<char> bytes, bool last) {
    if (!ready_) return fail(std::errc::not_enough_memory, "cannot compress: out of memory");
    stream_.next_in = reinterpret_cast<Bytef*>(bytes.data());
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
      stream_.avail_out = static_cast<uInt>(out_.size());
      ::deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);  // cannot fail with a valid stream and room to write
      SVD_CHECK(write_all(to_, {out_.data(), out_.size() - stream_.avail_out}));
    } while (stream_.avail_out == 0);
    return {};
  }

 private:
  int to_;
  bool ready_ = false;
  z_stream stream_{};
  std::vector<char> out_ = std::vector<char>(chunk);
};

Result<> copy_plain(const CopyRange& range) {
  std::vector<char> buffer(chunk);
  for (std::uint64_t done = 0; done < range.length;) {
    SVD_TRY(const auto n, read_chunk(range, done, buffer));
    SVD_CHECK(write_all(range.to, {buffer.data(), n}));
    done += n;
  }
  return {};
}

Result<> copy_packed(const CopyRange& range) {
  std::vector<char> buffer(chunk);
  Deflater deflater{range.to};
  for (std::uint64_t done = 0; done < range.length;) {
    SVD_TRY(const auto n, read_chunk(range, done, buffer));
    SVD_CHECK(deflater.put({buffer.data(), n}, false));
    done += n;
  }
  return deflater.put({}, true);
}

}  // namespace

Result<> copy_range(const CopyRange& range) {
  SVD_CHECK(range.compress ? copy_packed(range) : copy_plain(range));
  if (::fsync(range.to) != 0) return fail_errno(errno, "cannot write the rotated file to the disk");
  return {};
}

}  // namespace svd
