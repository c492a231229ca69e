// SPDX-License-Identifier: Apache-2.0
// Reads what instances wrote, wherever it went, as one stream of lines in the order of time. Needs no daemon:
// it opens the log files and the journal itself, with the caller's rights.
//
// Order. Within one log it is exact, through every rotation, also while one happens. Across logs it is the
// order of time as far as there is one. The journal stamps each line. A file holds the app's bytes and
// nothing else, so a line's time is the time it begins with, if it does: ISO 8601 / RFC 3339, "2026/01/31
// 12:00:00", "[31/Jan/2026:12:00:00 +0000]", seconds or milliseconds since 1970, each with or without
// brackets, or as "time":… in a JSON line. Else it is that of the line before. A file without any such
// line is placed as one block, by the time it was last written to. Following, lines come in the order in
// which they arrive.
//
// Memory is bounded by some 64 KiB a log plus the longest line (at most max_line; a longer one comes in
// pieces).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cli/log_trust.h"

namespace svd::cli {

// One instance and where it logs, as LogPort::where() told: "journal:IDENTIFIER", a file's path, "console" or
// "none" (these two have nothing to read). Instances that share a file share its lines; they come under the
// first one's name.
struct LogSource {
  std::string instance;  // "shop:web/0"
  std::string where;
  JournalTrust trust{};  // whose word counts, in the journal
};

struct LogQuery {
  std::optional<WallTime> since;  // lines of which it is known that they are older are left out
  std::optional<std::uint64_t>
      lines;  // at most so many of those that are there already: the last ones of all sources together
  bool each = false;  // `lines` counts for each file by itself, and for the journal (whose lines have times)
  bool follow = false;  // go on until the sink or `stop` ends it
  int stop = -1;        // borrowed: ends the call when readable (a signalfd, an eventfd); -1: none
  bool finish =
      false;  // at `stop`, first all that was written before it, also what is still on its way to the journal
  std::string journal;  // read this journal directory instead of the machine's; for tests
};

struct LogLine {
  enum class Kind : std::uint8_t {
    text,  // what the app wrote
    note,  // a remark: journald suppressed messages, a rotated file is missing or unreadable
  };
  Kind kind = Kind::text;
  std::size_t source = 0;        // index into the sources
  std::optional<WallTime> when;  // the journal's stamp, or the time that the line begins with
  std::string_view text;         // bytes, without the line end; valid during the call only
  bool complete = true;  // false: no line end follows (yet); the next line of this source continues it
};

// Bytes; journald's own limit is 48 KiB, and its pieces are joined again.
inline constexpr std::size_t max_line = 16U << 20;

// Called for each line in turn; false ends the call.
using LogSink = std::function<bool(const LogLine& line)>;

// Blocks until all is read, or, with follow, until the sink or `stop` ends it. A log that does not exist
// (yet) is empty and, with follow, awaited. Errors: a log may not be read (permission_denied); the journal
// cannot be opened.
Result<> read_logs(const std::vector<LogSource>& sources, const LogQuery& query, const LogSink& sink);

// The time that a line begins with. Times without a zone are taken as local time.
[[nodiscard]] std::optional<WallTime> leading_time(std::string_view line);

}  // namespace svd::cli
