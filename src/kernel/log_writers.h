// SPDX-License-Identifier: Apache-2.0
// The writer processes: `logtool write` of logs whose file system can remove no front of a file, one a file,
// and `logtool journal` of slots whose lines get fields of their own in the journal, one a slot and revision;
// both ends of its pipe are kept here, so that an app is never without a reader: a writer that dies is
// started again on the same pipe, and what was in it is still there. The pipe is the app's own when the
// daemon dies: the writer lives on as long as there is an app.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/loop.h"

namespace svd {

class LogWriters {
 public:
  LogWriters(const Loop& loop, std::string tool, std::function<void()> changed);
  ~LogWriters();
  Result<> arm();

  // A write end for one start of an app; the writer is started when there is none for this log, or one with
  // other arguments, which goes on for those it serves.
  Result<UniqueFd> open(const std::string& log, const std::vector<std::string>& arguments);
  // No further start will come; the writer ends with the last app that has its pipe.
  void close(const std::string& log);
  [[nodiscard]] std::vector<std::string> degraded() const;

 private:
  struct Writer {
    std::string log;
    std::vector<std::string> arguments;
    UniqueFd read_end, write_end;
    std::unique_ptr<ChildWatch> watch;
    int pid = 0;  // 0: it ended and waits for its next start
    TimePoint started{};
    std::string problem;
  };
  Result<> start(Writer& writer);
  void ended(const std::string& log, int pid, int status);
  void retry();

  const Loop& loop_;
  std::string tool_;
  std::function<void()> changed_;
  std::map<std::string, Writer> writers_;
  std::unique_ptr<ChildWatch> last_watch_;  // kept until its handler has returned
  std::map<int, std::unique_ptr<ChildWatch>>
      leaving_;  // by pid: closed, to be reaped when their apps are gone
  Timer timer_;
};

}  // namespace svd
