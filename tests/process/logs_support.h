// SPDX-License-Identifier: Apache-2.0
// Log directories, writers at full speed and what must come out at the other end.
#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "files/io.h"
#include "files/log_stream.h"
#include "support/catch.h"

namespace svd {

// A fresh directory below `base`, removed with all that is in it.
class TestDirectory {
 public:
  explicit TestDirectory(const std::string& base = "/var/tmp") {
    auto name = base + "/svd-logs-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// In memory where there is such a place: for tests that care about content, and not about the disk.
inline std::string fast_base() { return std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/var/tmp"; }

// fork(2) of a child that does not outlive the test, however that ends.
inline pid_t fork_bound() {
  const auto pid = ::fork();
  if (pid == 0) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return pid;
}

// Runs `body` in a child; its exit status as waitpid(2) tells it.
inline int in_child(const std::function<void()>& body) {
  const auto pid = ::fork();
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

// Line `i` of a test log: numbered, of uneven length, never like another.
inline std::string test_line(std::uint64_t i) {
  return std::to_string(i) + " " +
         std::string(static_cast<std::size_t>(i * 7919 % 97), static_cast<char>('a' + i % 26)) + "\n";
}

inline std::string test_lines(std::uint64_t count) {
  std::string text;
  for (std::uint64_t i = 0; i < count; ++i) text += test_line(i);
  return text;
}

// Appends `count` lines, a write each, as an app does.
inline void append_lines(int fd, std::uint64_t count, std::uint64_t first = 0) {
  for (std::uint64_t i = first; i < first + count; ++i) {
    const auto line = test_line(i);
    if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(9);
  }
}

inline void put_file(const std::string& path, std::string_view bytes) {
  const UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)};
  REQUIRE(write_all(fd.get(), bytes));
}

// What a person gets who concatenates the rotated files and the live one (from the end of its hole), oldest
// first.
inline std::string concatenation(const std::string& path) {
  const auto place = open_log_place(path);
  REQUIRE(place);
  std::string all;
  std::string buffer(1U << 20, '\0');
  const auto files = rotated_files(*place).value();
  for (const auto& file : files) {
    auto segment = LogSegment::open(*place, file);
    REQUIRE(segment);
    for (;;) {
      const auto n = segment->read(buffer);
      REQUIRE(n);
      if (*n == 0) break;
      all.append(buffer, 0, *n);
    }
  }
  const UniqueFd live{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!live) return all;
  ::lseek(live.get(), static_cast<off_t>(read_cut_record(*place).value().hole), SEEK_SET);
  for (ssize_t n = 0; (n = ::read(live.get(), buffer.data(), buffer.size())) > 0;)
    all.append(buffer, 0, static_cast<std::size_t>(n));
  return all;
}

// What a reader of the stream gets.
inline std::string streamed(const std::string& path) {
  auto stream = LogStream::open(path);
  REQUIRE(stream);
  stream->seek(stream->stretches().value().front().begin);
  std::string all, buffer(100'003, '\0');
  for (;;) {
    const auto n = stream->read(buffer);
    REQUIRE(n);
    if (*n == 0) return all;
    all.append(buffer, 0, *n);
  }
}

// REQUIRE(a == b) would print megabytes.
inline void require_same(const std::string& have, const std::string& want) {
  const auto [h, w] = std::ranges::mismatch(have, want);
  const auto at = h - have.begin();
  CAPTURE(have.size(), want.size(), at);
  REQUIRE((have.size() == want.size() && h == have.end()));
}

}  // namespace svd
