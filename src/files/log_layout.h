// SPDX-License-Identifier: Apache-2.0
// The files of one log, and how its front is cut off without losing a byte. A log is one endless stream of
// bytes; each of its files holds a stretch:
//
//   web.0.log               the live file: the app appends to it and does not know of any of this
//   web.0.log.000001.gz …   rotated files, oldest first; without .gz: not compressed
//   .web.0.log.cut          the record: where in the stream the live file begins; from the first cut on
//   .web.0.log.lock         held (flock) by whoever moves bytes
//
// `zcat -f web.0.log.0* web.0.log` is the stream.
//
// A cut moves the first `length` bytes (whole blocks of the file system; ending with a line where there is
// such a block near the end, else within one) to a rotated file. The steps, each of which may be the last one
// of a killed process:
//
//   copy      front → .web.0.log.part, fsync, rename to web.0.log.00000n. The record does not know it yet, so
//             it does not count, and whoever comes next removes it.
//   copied    Written into the record: from here on the stretch is in the rotated file, and whoever comes
//             next goes on.
//   punched   FALLOC_FL_PUNCH_HOLE over the front (doing it twice is the same as once), then the record.
//   collapse  FALLOC_FL_COLLAPSE_RANGE, atomic against appends. Had it been done or not? While the front is a
//             hole, no. That is why it is punched first: comparing contents could not tell, where an app
//             repeats itself.
//   settled   The record's start advances.
//
// Where the file system cannot collapse (tmpfs, btrfs, …), the hole stays: the live file is sparse and its
// logical size grows for ever; readers begin at `hole`. `logtool write` (neither is possible) renames
// instead: `renaming` is recorded, then the rotated file's existence tells whether it was done.
//
// The record is replaced by rename. A reader that finds the same record before and after it read has read a
// consistent stretch: every move of bytes lies between two different records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"

namespace svd {

struct CutRecord {
  enum class Step : std::uint8_t { settled, copied, punched, renaming };
  Step step = Step::settled;
  std::uint64_t start = 0;   // position in the stream of the first byte that the live file owns
  std::uint64_t hole = 0;    // and where in the live file that byte is
  std::uint64_t number = 0;  // of the newest rotated file that counts; 0: none yet
  std::uint64_t length = 0;  // unless settled: what is being moved to rotated file number + 1
  WallTime cut;              // when the last cut was made
  bool operator==(const CutRecord&) const = default;
};
[[nodiscard]] std::string to_text(const CutRecord& record);
// nullopt: not made by to_text(), or a number in it is over 2^62. Whoever may write to the log's directory
// could have made it.
[[nodiscard]] std::optional<CutRecord> parse_cut_record(std::string_view text);

// A rotated file. `bytes` of the stream; a compressed one tells it in its last four bytes (RFC 1952), which
// is why no cut is longer than max_cut.
struct RotatedFile {
  std::uint64_t number = 0;
  bool compressed = false;
  std::string name;
};
inline constexpr std::uint64_t max_cut = 2ULL << 30;
// A longer file is never compressed.
inline constexpr std::uint64_t max_rotated = (1ULL << 32) - 1;

// Names. `base` is the live file's name.
[[nodiscard]] std::string record_name(std::string_view base);
[[nodiscard]] std::string part_name(std::string_view base);
[[nodiscard]] std::string rotated_name(std::string_view base, std::uint64_t number, bool compressed);

// Where one log lives: its directory, kept open, and the live file's name.
struct LogPlace {
  UniqueFd directory;
  std::string base;
};
// trusted: symbolic links on the way are followed only if root or our own user made them: for whoever changes
// a log with rights that the makers of those links may lack.
enum class Links : std::uint8_t { any, trusted };
Result<LogPlace> open_log_place(const std::string& path, Links links = Links::any);

// The right to move bytes of this log, until the descriptor is closed. Error resource_unavailable_try_again:
// somebody else has it and `wait` is false.
Result<UniqueFd> lock_log(const LogPlace& place, bool wait);

// A log that was never cut has no record: that is CutRecord{}. Error: unreadable, or no record of ours.
Result<CutRecord> read_cut_record(const LogPlace& place);
Result<> write_cut_record(const LogPlace& place, const CutRecord& record, mode_t mode);

// Where the first byte of a file is that is no hole; nullopt: there is none. A file system without SEEK_DATA:
// 0.
[[nodiscard]] std::optional<std::uint64_t> first_data(int fd);

// Oldest first. A number of which both forms exist (a compression that was cut short after its rename) comes
// once.
Result<std::vector<RotatedFile>> rotated_files(const LogPlace& place);

}  // namespace svd
