// SPDX-License-Identifier: Apache-2.0
// Where lines come from: one interface over files and the journal, for log_reader.cpp alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/log_reader.h"
#include "files/log_stream.h"

namespace svd::cli {

struct OwnedLine {
  LogLine::Kind kind = LogLine::Kind::text;
  std::size_t source = 0;
  std::optional<WallTime> when;
  WallTime key;  // its place in the order of time: `when`, or the best there is instead
  std::string text;
  bool complete = true;
};

class LineSource {
 public:
  virtual ~LineSource() = default;
  // The next line; false: nothing more for now. Lines that are known to be too old are passed over.
  virtual Result<bool> next(OwnedLine& into) = 0;
  // What there was at the beginning has been read: go on with what comes.
  virtual void begin_following() {}
  // Bytes of a line whose end has not come, and nothing has come for a while: give them out. False: there are
  // none.
  virtual bool flush(OwnedLine& into) = 0;
  [[nodiscard]] virtual bool holds_partial() const = 0;
};

// The lines of one log file. Reads what there is at the time of open() until begin_following().
class FileLines final : public LineSource {
 public:
  // The directory may be missing: then there are no lines until it is opened anew.
  static Result<std::unique_ptr<FileLines>> open(std::string path, std::size_t source, const LogQuery& query);
  Result<bool> next(OwnedLine& into) override;
  void begin_following() override;
  bool flush(OwnedLine& into) override;
  [[nodiscard]] bool holds_partial() const override { return held() > 0; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  FileLines(std::string path, std::size_t source, std::optional<WallTime> since)
      : path_{std::move(path)}, source_{source}, since_{since} {}
  Result<> reopen();
  Result<> find_beginning(const LogQuery& query);
  Result<bool> fill();
  bool give(OwnedLine& into, std::string_view text, bool complete);
  void guess_time(std::size_t from);
  [[nodiscard]] std::size_t held() const { return buffer_.size() - begin_; }

  std::string path_;
  std::size_t source_;
  std::optional<WallTime> since_;
  std::optional<LogStream> stream_;
  std::uint64_t until_ = UINT64_MAX;   // of the stream: the end of what was there at open()
  std::string note_;                   // to be given before all lines
  std::vector<LogStretch> stretches_;  // as of open()
  std::string buffer_;  // [begin_, size) is to be given out, up to searched_ there is no line end
  std::size_t begin_ = 0, searched_ = 0;
  std::optional<WallTime> last_time_;  // that of the last line that had one, or a guess
  bool time_is_known_ = false;         // not a guess
  bool continues_ = false;             // the last piece had no line end
};

// The journal's entries of all instances that log there, in the order of time, and what journald suppressed
// of them.
struct JournalInstance {
  std::string identifier;
  std::size_t source = 0;
  JournalTrust trust{};
};
struct JournalWait {
  int fd = -1;
  short events = 0;
  int timeout = -1;  // milliseconds
};
class JournalSource : public LineSource {
 public:
  static Result<std::unique_ptr<JournalSource>> open(const std::vector<JournalInstance>& instances,
                                                     const LogQuery& query);
  [[nodiscard]] virtual JournalWait wait() const = 0;
  // After the descriptor was ready, or the timeout was over.
  virtual void process() = 0;
};

}  // namespace svd::cli
