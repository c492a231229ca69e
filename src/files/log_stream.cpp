// SPDX-License-Identifier: Apache-2.0
#include "files/log_stream.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "files/io.h"

namespace svd {
namespace {

// A reader that loses this many races against rotations in a row is up against something else.
constexpr int max_attempts = 1000;

WallTime wall(const timespec& time) {
  return {static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000};
}

// Those that count, without gaps: what is older than a missing one has no place in the stream.
std::vector<RotatedFile> newest_first(std::vector<RotatedFile> files, std::uint64_t newest) {
  std::vector<RotatedFile> all;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    if (file->number > newest - all.size()) continue;  // a copy that was never recorded
    if (file->number < newest - all.size()) break;
    all.push_back(std::move(*file));
  }
  return all;
}

// How long the hole is that begins at `offset`; 0: none, or one that is read as fast as it is passed over. A
// program that does not append leaves one where its log was truncated, and one of a terabyte costs nothing to
// make.
std::uint64_t hole_at(int fd, std::uint64_t offset, std::uint64_t size) {
  constexpr std::uint64_t smallest = 1U << 20;
  if (offset >= size || size - offset < smallest) return 0;
  const auto data = ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
  if (data < 0 && errno != ENXIO) return 0;
  const auto length = (data < 0 ? size : static_cast<std::uint64_t>(data)) - offset;
  return length < smallest ? 0 : length;
}

std::uint64_t size_of(const struct stat& about) { return static_cast<std::uint64_t>(about.st_size); }

}  // namespace

Result<LogStream> LogStream::open(const std::string& path) {
  LogStream stream;
  SVD_TRY(stream.place_, open_log_place(path));
  SVD_CHECK(stream.refresh_live());
  return stream;
}

bool LogStream::exists(const std::string& name) const {
  return ::faccessat(place_.directory.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// The descriptor follows the name: an app that was started anew after its log was removed writes to another
// file.
Result<> LogStream::refresh_live() {
  struct stat named {
  }, have{};
  if (::fstatat(place_.directory.get(), place_.base.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return fail_errno(errno, "cannot read '" + place_.base + "'");
    live_.reset();
    return {};
  }
  if (live_ && ::fstat(live_.get(), &have) == 0 && have.st_ino == named.st_ino && have.st_dev == named.st_dev)
    return {};
  auto opened = open_at(place_.directory.get(), place_.base, O_RDONLY | O_NONBLOCK);
  if (!opened) {
    live_.reset();
    if (opened.error().code == std::errc::no_such_file_or_directory) return {};
    return tl::make_unexpected(opened.error());
  }
  if (::fstat(opened->get(), &have) != 0 || !S_ISREG(have.st_mode))
    return fail(std::errc::invalid_argument, "cannot read '" + place_.base + "': not a regular file");
  live_ = std::move(*opened);
  return {};
}

Result<LogStream::Live> LogStream::look(const CutRecord& record) {
  SVD_CHECK(refresh_live());
  Live live{record.start, record.hole, 0, record.number, {}};
  struct stat about {};
  if (live_ && ::fstat(live_.get(), &about) == 0) {
    live.size = size_of(about);
    live.modified = wall(about.st_mtim);
  }
  using Step = CutRecord::Step;
  constexpr auto none = std::numeric_limits<std::uint64_t>::max();  // only holes
  const std::uint64_t first = live_ ? first_data(live_.get()).value_or(none) : none;
  // Somebody truncated the file: what is in it now begins at its beginning.
  if (live.size < record.hole || (record.step == Step::settled && first < record.hole)) live.offset = 0;
  switch (record.step) {
    case Step::settled:
      break;
    case Step::copied:
      live.owned += record.length;
      live.offset += record.length;
      break;
    case Step::punched: {
      // Collapsed or not yet: the hole in front tells.
      const auto end = record.hole + record.length;
      const bool hole_is_there = live.size >= end && first >= end;
      live.owned += record.length;
      live.offset = hole_is_there ? end : 0;
      break;
    }
    case Step::renaming:
      if (!exists(rotated_name(place_.base, record.number + 1, false))) break;
      live.owned += record.length;
      live.offset = 0;
      break;
  }
  if (live.owned != record.start) ++live.newest;
  live.offset = std::min(live.offset, live.size);
  return live;
}

Result<std::vector<LogStretch>> LogStream::stretches() {
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    SVD_TRY(const auto before, record());
    SVD_TRY(const auto live, look(before));
    std::vector<LogStretch> all{{live.owned, live.owned + live.size - live.offset, true, live.modified}};
    SVD_TRY(const auto files, rotated_files(place_));
    for (const auto& file : newest_first(files, live.newest)) {
      struct stat about {};
      const auto length = rotated_length(place_, file);
      if (!length || *length > all.back().begin ||
          ::fstatat(place_.directory.get(), file.name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0)
        break;
      all.push_back({all.back().begin - *length, all.back().begin, false, wall(about.st_mtim)});
    }
    SVD_TRY(const auto after, record());
    if (before != after) continue;
    std::ranges::reverse(all);
    return all;
  }
  return fail(std::errc::resource_unavailable_try_again,
              "cannot read '" + place_.base + "': it changes all the time");
}

void LogStream::seek(std::uint64_t position) {
  position_ = position;
  open_.reset();
}

// nullopt: the record changed meanwhile, what was read may be torn.
Result<std::optional<std::size_t>> LogStream::read_live(const CutRecord& before, const Live& live,
                                                        std::span<char> into) {
  const auto wanted = live.offset + (position_ - live.owned);
  // Past its end, if that is still so below, means that somebody truncated it: go on at its beginning.
  const bool truncated = wanted > live.size;
  const auto offset = truncated ? live.offset : wanted;
  const auto hole = live_ ? hole_at(live_.get(), offset, live.size) : 0;
  const auto n = hole > 0 ? 0
                 : live_  ? ::pread(live_.get(), into.data(), into.size(), static_cast<off_t>(offset))
                          : 0;
  const int err = errno;
  SVD_TRY(const auto after, record());
  SVD_TRY(const auto still, look(after));
  if (before != after || still.owned != live.owned || still.offset != live.offset)
    return std::optional<std::size_t>{};
  if (n < 0) return fail_errno(err, "cannot read '" + place_.base + "'");
  if (truncated) position_ = live.owned;
  position_ += static_cast<std::uint64_t>(n) + hole;
  lost_ += hole;
  if (hole > 0) return std::optional<std::size_t>{};
  return std::optional{static_cast<std::size_t>(n)};
}

// Opens the rotated file with position_ in it, or moves that forward where nothing is left of it. Neither,
// where the files changed meanwhile.
Result<> LogStream::open_segment(const Live& live) {
  SVD_TRY(const auto files, rotated_files(place_));
  auto end = live.owned;
  for (const auto& file : newest_first(files, live.newest)) {
    const auto length = rotated_length(place_, file);
    if (!length && length.error().code == std::errc::no_such_file_or_directory)
      return {};  // compressed or pruned just now
    if (!length || *length > end) break;
    const auto begin = end - *length;
    if (position_ < begin) {
      end = begin;
      continue;
    }
    auto segment = LogSegment::open(place_, file);
    if (!segment && segment.error().code == std::errc::no_such_file_or_directory) return {};
    if (!segment) return tl::make_unexpected(segment.error());
    if (!segment->skip(position_ - begin)) break;  // damaged before the place that is wanted
    open_.emplace(Open{std::move(*segment), end});
    return {};
  }
  lost_ += end - position_;
  position_ = end;
  return {};
}

// nullopt: this file is done with, and so is open_.
Result<std::optional<std::size_t>> LogStream::read_segment(std::span<char> into) {
  const auto rest = open_->end - position_;
  const auto n =
      open_->segment.read(into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), rest))));
  if (n && *n > 0) {
    position_ += *n;
    if (position_ == open_->end) open_.reset();
    return std::optional{*n};
  }
  // Damaged, or shorter than it says: go on with the next file.
  lost_ += rest;
  position_ = open_->end;
  open_.reset();
  return std::optional<std::size_t>{};
}

// nullopt: try again.
Result<std::optional<std::size_t>> LogStream::try_read(std::span<char> into) {
  if (open_) return read_segment(into);
  SVD_TRY(const auto before, record());
  SVD_TRY(const auto live, look(before));
  if (position_ >= live.owned) return read_live(before, live, into);
  SVD_CHECK(open_segment(live));
  return std::optional<std::size_t>{};
}

Result<std::size_t> LogStream::read(std::span<char> into) {
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    SVD_TRY(const auto n, try_read(into));
    if (n) return *n;
  }
  return fail(std::errc::resource_unavailable_try_again,
              "cannot read '" + place_.base + "': it changes all the time");
}

}  // namespace svd
