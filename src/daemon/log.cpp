// SPDX-License-Identifier: Apache-2.0
#include "daemon/log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/text.h"
#include "base/unique_fd.h"
#include "files/trusted_path.h"

namespace svd {
namespace {

constexpr std::size_t longest_line =
    4000;  // a pipe that polls writable takes PIPE_BUF (4096) bytes without waiting
constexpr off_t largest_file = 16 << 20;
constexpr Millis suppressed_report_delay{1000};

// JOURNAL_STREAM is "DEVICE:INODE" of the stream that systemd gave us (systemd.exec(5)); elsewhere the
// prefixes are noise.
bool is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) < 0) return false;
  return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

std::string time_stamp() {
  const auto seconds = static_cast<std::time_t>(Loop::now().wall.micros / 1'000'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ ", &utc)};
}

bool would_wait(int fd) {
  pollfd ask{fd, POLLOUT, 0};
  return ::poll(&ask, 1, 0) == 0;
}

}  // namespace

bool LineBudget::take(TimePoint now) {
  const std::chrono::duration<double> passed = now - last_;
  left_ = std::min(burst_, left_ + passed.count() * per_second_);
  last_ = now;
  if (left_ < 1) {
    ++suppressed_;
    return false;
  }
  left_ -= 1;
  return true;
}

Log::Log() : to_journal_{is_journal()} {}

Result<> Log::attach(const Loop& loop) {
  return later_.arm(loop, Priority::client, [this] { report_suppressed(); });
}

Result<> Log::use_file(std::string path, std::function<void(int fd)> opened) {
  path_ = std::move(path);
  opened_ = std::move(opened);
  to_journal_ = false;
  return reopen();
}

Result<> Log::reopen() {
  if (path_.empty()) return {};
  SVD_TRY(const auto file, open_trusted_log(path_));
  if (::fcntl(file.get(), F_SETFL, O_APPEND) < 0 || ::dup2(file.get(), STDERR_FILENO) < 0 ||
      ::dup2(file.get(), STDOUT_FILENO) < 0)
    return fail_errno(errno, "cannot log to '" + path_ + "'");
  opened_(file.get());
  return {};
}

void Log::write(Severity severity, std::string_view text) {
  report_suppressed();
  while (true) {
    const auto end = text.find('\n');
    emit(severity, text.substr(0, end));
    if (end == std::string_view::npos || end + 1 == text.size()) return;
    text.remove_prefix(end + 1);
  }
}

void Log::write_some(Severity severity, std::string_view text, const std::string& fields) {
  const auto now = Loop::now().mono;
  const bool was_suppressing = budget_.suppressing();
  if (budget_.take(now)) {
    report_suppressed();
    if (!emit_with(fields, severity, text)) emit(severity, text);
  } else if (!was_suppressing) {
    (void)later_.set(now + suppressed_report_delay);  // without it the count comes with the next line
  }
}

void Log::report_suppressed() {
  if (const auto left_out = budget_.take_suppressed(); left_out > 0)
    emit(Severity::warning,
         std::to_string(left_out) +
             " more lines were left out: too much happens at once (svctl events shows it)");
}

void Log::emit(Severity severity, std::string_view text) {
  rotate_when_large();
  std::string line;
  if (to_journal_)
    line = "<" + std::to_string(static_cast<int>(severity)) + ">";
  else if (!path_.empty())
    line = time_stamp();
  line += "svd: " + printable(text);
  if (line.size() > longest_line) line.resize(longest_line);
  line += '\n';
  if (would_wait(STDERR_FILENO)) return;
  // A lost line is no reason to fail: there is nowhere to say so.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

// journald's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), and not sd_journal_sendv(3), which waits for
// it. False: there are no fields, or they cannot be had now.
bool Log::emit_with(const std::string& fields, Severity severity, std::string_view text) {
  if (!to_journal_ || fields.empty()) return false;
  if (!journal_) journal_ = UniqueFd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const auto entry = "PRIORITY=" + std::to_string(static_cast<int>(severity)) +
                     "\nSYSLOG_IDENTIFIER=svd\nMESSAGE=svd: " + printable(text) + "\n" + fields;
  sockaddr_un address{AF_UNIX, "/run/systemd/journal/socket"};
  return ::sendto(journal_.get(), entry.data(), entry.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&address), sizeof address) >= 0;
}

void Log::rotate_when_large() {
  struct stat status {};
  if (path_.empty() || ::fstat(STDERR_FILENO, &status) < 0 || status.st_size < largest_file) return;
  const auto place = place_of(path_, walk::Links::trusted);
  if (!place) return;
  const int directory = place->directory.get();
  if (::renameat(directory, place->name.c_str(), directory, (place->name + ".1").c_str()) == 0)
    (void)reopen();
}

}  // namespace svd
