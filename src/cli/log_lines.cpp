// SPDX-License-Identifier: Apache-2.0
#include "cli/log_lines.h"

#include <algorithm>
#include <span>
#include <utility>

#include "cli/log_tail.h"

namespace svd::cli {
namespace {

constexpr std::size_t chunk = 64U << 10;

}  // namespace

Result<std::unique_ptr<FileLines>> FileLines::open(std::string path, std::size_t source,
                                                   const LogQuery& query) {
  std::unique_ptr<FileLines> lines{new FileLines{std::move(path), source, query.since}};
  SVD_CHECK(lines->reopen());
  if (lines->stream_) SVD_CHECK(lines->find_beginning(query));
  return lines;
}

Result<> FileLines::reopen() {
  auto stream = LogStream::open(path_);
  if (stream) {
    stream_.emplace(std::move(*stream));
    return {};
  }
  if (stream.error().code == std::errc::no_such_file_or_directory) return {};
  return tl::make_unexpected(stream.error());
}

Result<> FileLines::find_beginning(const LogQuery& query) {
  SVD_TRY(stretches_, stream_->stretches());
  until_ = stretches_.back().end;
  auto position = stretches_.front().begin;
  if (query.since) {
    // A rotated file that was last written to before that time holds nothing younger.
    for (const auto& stretch : stretches_)
      if (!stretch.live && stretch.modified < *query.since) position = stretch.end;
  }
  if (query.lines) {
    SVD_TRY(const auto last, find_last_lines(*stream_, stretches_, *query.lines));
    if (last.bounded && last.begin > position)
      note_ =
          "older lines are left out: too much would have to be read to find them, see the files themselves";
    position = std::max(position, last.begin);
  }
  stream_->seek(position);
  return {};
}

Result<bool> FileLines::fill() {
  if (!stream_) {
    SVD_CHECK(reopen());
    if (!stream_) return false;
  }
  if (stream_->position() >= until_) return false;
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const auto had = buffer_.size();
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(chunk, until_ - stream_->position()));
  buffer_.resize(had + want);
  const auto n = stream_->read(std::span{buffer_.data() + had, want});
  buffer_.resize(had + (n ? *n : 0));
  if (!n) return tl::make_unexpected(n.error());
  if (*n > 0 && !time_is_known_) guess_time(had);
  return *n > 0;
}

// Lines before the first one with a time take that one's; where none comes, the time when their file was last
// written to.
// Only in what is new, from `from` on: a line may be long.
void FileLines::guess_time(std::size_t from) {
  std::string_view rest{buffer_};
  rest.remove_prefix(from == begin_ ? begin_ : std::min(buffer_.find('\n', from), buffer_.size() - 1) + 1);
  while (!rest.empty()) {
    if (const auto time = leading_time(rest)) {
      last_time_ = time;
      return;
    }
    const auto end = rest.find('\n');
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  const auto at = stream_->position();
  for (const auto& stretch : stretches_)
    if (at > stretch.begin) last_time_ = stretch.modified;
}

// False: it is known to be too old.
bool FileLines::give(OwnedLine& into, std::string_view text, bool complete) {
  const auto time = continues_ ? std::nullopt : leading_time(text);
  continues_ = !complete;
  if (time) {
    last_time_ = time;
    time_is_known_ = true;
  }
  into.kind = LogLine::Kind::text;
  into.source = source_;
  into.when = time;
  into.key = last_time_.value_or(WallTime{});
  into.complete = complete;
  if (since_ && last_time_ && *last_time_ < *since_) return false;
  into.text.assign(text);
  return true;
}

Result<bool> FileLines::next(OwnedLine& into) {
  if (!note_.empty()) {
    into = {LogLine::Kind::note,      source_, std::nullopt, last_time_.value_or(WallTime{}),
            std::exchange(note_, {}), true};
    return true;
  }
  for (;;) {
    if (stream_) {
      if (const auto lost = stream_->take_lost(); lost > 0) {
        into = {LogLine::Kind::note,
                source_,
                std::nullopt,
                last_time_.value_or(WallTime{}),
                std::to_string(lost) +
                    " bytes of this log are gone: their file was removed or damaged, or has a hole there",
                true};
        return true;
      }
    }
    const auto end = buffer_.find('\n', searched_);
    if (end != std::string::npos) {
      const auto text = std::string_view{buffer_}.substr(begin_, end - begin_);
      const bool wanted = give(into, text, true);
      begin_ = searched_ = end + 1;
      if (wanted) return true;
      continue;
    }
    searched_ = buffer_.size();
    if (held() >= max_line) {
      if (flush(into)) return true;
      continue;
    }
    SVD_TRY(const bool more, fill());
    if (!more) return false;
  }
}

void FileLines::begin_following() {
  until_ = UINT64_MAX;
  since_.reset();  // what comes now is new, whatever its last known time
  stretches_.clear();
}

bool FileLines::flush(OwnedLine& into) {
  if (held() == 0) return false;
  const auto text = std::string_view{buffer_}.substr(begin_);
  const bool wanted = give(into, text, false);
  buffer_.clear();
  begin_ = searched_ = 0;
  return wanted;
}

}  // namespace svd::cli
