// SPDX-License-Identifier: Apache-2.0
// Rotation, done as root in an app's directory: it ends whatever it finds there, and where the record says
// that nothing is under way, not a byte of the stream is lost or added.
#include <array>
#include <filesystem>
#include <string>

#include "files/log_stream.h"
#include "fuzz/fuzz.h"
#include "fuzz/log_directory.h"
#include "logtool/cut.h"

using namespace svd;
using fuzz::require;

namespace {

struct Content {
  std::string bytes;
  bool whole = false;
};

Content read_all(const std::string& path) {
  Content content;
  auto stream = LogStream::open(path);
  if (!stream) return content;
  const auto stretches = stream->stretches();
  if (!stretches) return content;
  std::array<char, 16384> buffer{};
  stream->seek(stretches->front().begin);
  auto n = stream->read(buffer);
  for (; n && *n > 0; n = stream->read(buffer)) content.bytes.append(buffer.data(), *n);
  content.whole = n.has_value() && stream->take_lost() == 0;
  return content;
}

bool is_settled(const std::string& path) {
  const auto place = open_log_place(path);
  const auto record = place ? read_cut_record(*place) : Result<CutRecord>{fail(std::errc::io_error, "")};
  return record && record->step == CutRecord::Step::settled;
}

// A block of a file system has to be full before anything is cut.
void grow(const fuzz::LogDirectory& log, unsigned times) {
  std::string content;
  for (unsigned i = 0; i <= times; ++i) content += log.live;
  fuzz::put(log.path, content);
}

}  // namespace

FUZZ_TARGET(rotate) {
  static const fuzz::Scratch scratch;
  fuzz::Input input{bytes};
  const auto times = input.number<std::uint8_t>();
  CutOptions options;
  options.rotate = input.number<std::uint8_t>() * 512U;
  options.keep = 1000;
  options.compress = times % 2 == 1;
  const fuzz::LogDirectory log{scratch.path(), input};
  grow(log, times);
  const bool settled = is_settled(log.path);
  const auto before = read_all(log.path);
  const auto done = rotate_log(log.path, options);
  const auto after = read_all(log.path);
  if (settled && before.whole && done) require(after.whole && after.bytes == before.bytes);
  // Rotated files have numbers above those that LogDirectory clears.
  for (const auto& entry : std::filesystem::directory_iterator{scratch.path()})
    std::filesystem::remove(entry.path());
}
