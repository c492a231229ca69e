// SPDX-License-Identifier: Apache-2.0
// The daemon's own log: one line per event that is worth one, on standard error. Never waits for a reader
// that does not read, and never floods one: what was left out is counted and said.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "loop/loop.h"

namespace svd {

// A bucket of lines: `burst` at once, then `per_second`.
class LineBudget {
 public:
  LineBudget(double burst, double per_second) : burst_{burst}, per_second_{per_second}, left_{burst} {}
  // Whether a line may be written at `now`; counts it if not.
  [[nodiscard]] bool take(TimePoint now);
  // Lines left out since the last call.
  [[nodiscard]] std::uint64_t take_suppressed() noexcept { return std::exchange(suppressed_, 0); }
  [[nodiscard]] bool suppressing() const noexcept { return suppressed_ > 0; }

 private:
  double burst_, per_second_, left_;
  TimePoint last_{};
  std::uint64_t suppressed_ = 0;
};

enum class Severity : std::uint8_t {
  error = 3,
  warning = 4,
  info = 6
};  // syslog(3)'s numbers, which journald reads

class Log {
 public:
  Log();
  // From now on suppressed lines are counted in a line of their own even if nothing else is ever written.
  Result<> attach(const Loop& loop);
  // Standard error is this file from now on: it is kept below a size (one old copy beside it), and opened
  // anew by reopen(). `opened(fd)` is told each new descriptor.
  Result<> use_file(std::string path, std::function<void(int fd)> opened);
  Result<> reopen();

  // Always written. Each line of it becomes one.
  void write(Severity severity, std::string_view text);
  // Written as the budget allows: for what may happen thousands of times a second.
  // `fields`: each "NAME=VALUE\n", for journald.
  void write_some(Severity severity, std::string_view text, const std::string& fields = {});
  // Whether fields are of any use.
  [[nodiscard]] bool to_journal() const noexcept { return to_journal_; }

 private:
  void emit(Severity severity, std::string_view text);
  [[nodiscard]] bool emit_with(const std::string& fields, Severity severity, std::string_view text);
  void report_suppressed();
  void rotate_when_large();

  LineBudget budget_{100, 10};
  bool to_journal_ = false;
  UniqueFd journal_;  // a socket for entries with fields
  std::string path_;
  std::function<void(int fd)> opened_;
  Timer later_;
};

}  // namespace svd
