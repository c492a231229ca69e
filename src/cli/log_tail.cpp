// SPDX-License-Identifier: Apache-2.0
#include "cli/log_tail.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string_view>

namespace svd::cli {
namespace {

constexpr std::size_t chunk = 64U << 10;
// The live file is gone through in pieces from its end, so that its last lines do not cost the reading of all
// of it.
constexpr std::uint64_t piece = 4 * chunk;

struct Range {
  std::uint64_t begin = 0, end = 0;
};

// Beginnings of lines behind a line end within `range`. A line end at the very end of everything ends the
// last line and begins no other.
class LineStarts {
 public:
  LineStarts(LogStream& stream, std::uint64_t end_of_all) : stream_{stream}, end_of_all_{end_of_all} {}

  Result<std::uint64_t> count(Range range) {
    std::uint64_t found = 0;
    SVD_CHECK(each(range, [&](std::uint64_t) { return ++found > 0; }));
    return found;
  }

  // The one with `before` others in front of it.
  Result<std::uint64_t> find(Range range, std::uint64_t before) {
    std::uint64_t answer = range.begin;
    SVD_CHECK(each(range, [&](std::uint64_t at) {
      answer = at;
      return before-- > 0;
    }));
    return answer;
  }

 private:
  Result<> each(Range range, const std::function<bool(std::uint64_t)>& visit) {
    stream_.seek(range.begin);
    while (stream_.position() < range.end) {
      const auto want = std::min<std::uint64_t>(chunk, range.end - stream_.position());
      SVD_TRY(const auto n, stream_.read(std::span{buffer_}.first(static_cast<std::size_t>(want))));
      if (n == 0) break;
      const auto begin = stream_.position() - n;
      const std::string_view text{buffer_.data(), n};
      for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
        if (begin + at + 1 < end_of_all_ && !visit(begin + at + 1)) return {};
    }
    return {};
  }

  LogStream& stream_;
  std::uint64_t end_of_all_;
  std::vector<char> buffer_ = std::vector<char>(chunk);
};

// Newest first.
std::vector<Range> pieces(const std::vector<LogStretch>& stretches) {
  std::vector<Range> all;
  for (auto stretch = stretches.rbegin(); stretch != stretches.rend(); ++stretch)
    for (auto end = stretch->end; end > stretch->begin;) {
      const auto begin = stretch->live && end - stretch->begin > piece ? end - piece : stretch->begin;
      all.push_back({begin, end});
      end = begin;
    }
  return all;
}

// Without regard to how long the lines are.
Result<LastLines> search(LogStream& stream, const std::vector<LogStretch>& stretches, std::uint64_t lines) {
  const auto end = stretches.back().end;
  LineStarts starts{stream, end};
  for (const auto& range : pieces(stretches)) {
    if (end - range.begin > most_searched) return LastLines{range.end, true};
    SVD_TRY(const auto found, starts.count(range));
    if (found >= lines) {
      SVD_TRY(const auto begin, starts.find(range, found - lines));
      return LastLines{begin};
    }
    lines -= found;
  }
  return LastLines{stretches.front().begin};
}

}  // namespace

std::uint64_t most_shown(std::uint64_t lines) {
  constexpr std::uint64_t any = 16ULL << 20, each = 1ULL << 20;
  return lines > (most_searched - any) / each ? most_searched : any + lines * each;
}

// A file that reaches further back than needed is read twice, since a compressed one has no way back.
Result<LastLines> find_last_lines(LogStream& stream, const std::vector<LogStretch>& stretches,
                                  std::uint64_t lines) {
  const auto end = stretches.back().end;
  if (lines == 0) return LastLines{end};
  SVD_TRY(auto found, search(stream, stretches, lines));
  if (end - found.begin > most_shown(lines)) found = {end - most_shown(lines), true};
  return found;
}

}  // namespace svd::cli
