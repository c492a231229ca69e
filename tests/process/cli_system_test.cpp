// SPDX-License-Identifier: Apache-2.0
// The real things behind Context: helpers, Ctrl-C, files, and where a daemon is looked for.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "cli/system.h"
#include "cli/temporary_home.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::cli;

// sdbus-c++ 1.2 does not free the sd_bus of a connection that cannot be opened (a kilobyte a try; svctl tries
// for 15 s at most). For LeakSanitizer, which calls this; see <sanitizer/lsan_interface.h>.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libsystemd.so"; }

namespace {

bool is_readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, 0) == 1;
}

void wait_until_readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  constexpr int patience_ms = 10'000;
  REQUIRE(::poll(&polled, 1, patience_ms) == 1);
}

}  // namespace

TEST_CASE("helpers end one by one, although the later ones inherit what the earlier ones wait for",
          "[cli][process]") {
  const auto context = real_context();
  std::array<int, 2> said{};
  REQUIRE(::pipe(said.data()) == 0);
  const auto speak_when_stopped = [&](char word) {
    return [&said, word](int stop) {
      pollfd polled{stop, POLLIN, 0};
      ::poll(&polled, 1, -1);
      [[maybe_unused]] const auto written = ::write(said[1], &word, 1);
    };
  };
  auto first = context.system.in_background(speak_when_stopped('1')).value();
  auto second = context.system.in_background(speak_when_stopped('2')).value();
  first.reset();
  char word = 0;
  REQUIRE(::read(said[0], &word, 1) == 1);
  CHECK(word == '1');
  second.reset();
  REQUIRE(::read(said[0], &word, 1) == 1);
  CHECK(word == '2');
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // nothing is left to reap
  ::close(said[0]);
  ::close(said[1]);
}

TEST_CASE("a temporary home goes with its owner, and nothing is left to reap", "[cli][process]") {
  std::string path;
  {
    const auto home = TemporaryHome::make("/tmp");
    REQUIRE(home.has_value());
    path = home->path();
    std::ofstream{path + "/file"} << "x";
    home->belongs_to(::getpid());
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a temporary home whose owner was killed goes when the daemon in it has gone", "[cli][process]") {
  const bool has_daemon = GENERATE(true, false);
  const auto daemon = ::fork();
  if (daemon == 0) {
    ::pause();
    ::_exit(0);
  }
  std::array<int, 2> said{};
  REQUIRE(::pipe(said.data()) == 0);
  const auto owner = ::fork();
  if (owner == 0) {
    const auto home = TemporaryHome::make("/tmp");
    if (has_daemon) home->belongs_to(daemon);
    [[maybe_unused]] const auto written = ::write(said[1], home->path().data(), home->path().size());
    ::pause();
    ::_exit(0);
  }
  std::string path(256, '\0');
  const auto size = ::read(said[0], path.data(), path.size());
  REQUIRE(size > 0);
  path.resize(static_cast<std::size_t>(size));
  // Names in the parent that vanish are told.
  const UniqueFd news{::inotify_init1(IN_CLOEXEC)};
  REQUIRE(::inotify_add_watch(news.get(), path.c_str(), IN_DELETE_SELF | IN_ONLYDIR) > 0);
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  if (has_daemon) CHECK(std::filesystem::exists(path));
  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);
  wait_until_readable(news.get());
  CHECK_FALSE(std::filesystem::exists(path));
  for (const int fd : said) ::close(fd);
}

TEST_CASE("Ctrl-C is a readable descriptor, and forgotten when it is asked for anew", "[cli][process]") {
  const auto context = real_context();
  const int fd = context.system.interrupts();
  CHECK_FALSE(is_readable(fd));
  ::raise(SIGINT);
  wait_until_readable(fd);
  CHECK(context.system.interrupts() == fd);
  CHECK_FALSE(is_readable(fd));
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
}

TEST_CASE("a file is read up to its limit and not beyond", "[cli][process]") {
  const auto context = real_context();
  std::string directory = "/tmp/svd-cli-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const auto path = directory + "/file";
  std::ofstream{path} << std::string(100'000, 'x');
  CHECK(context.system.read_file(path, 100'000).value().size() == 100'000);
  CHECK(context.system.read_file(path, 99'999).error().code == std::errc::file_too_large);
  CHECK(context.system.read_file(directory, 10).error().code == std::errc::is_a_directory);
  CHECK(context.system.read_file(path + "x", 10).error().code == std::errc::no_such_file_or_directory);
  std::filesystem::remove_all(directory);
}

TEST_CASE("the end of a process is waited for, of one that has gone already too", "[cli][process]") {
  const auto context = real_context();
  const auto pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) ::_exit(0);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  CHECK(context.system.wait_for_exit(static_cast<std::uint64_t>(pid), until));
  ::waitpid(pid, nullptr, 0);
  CHECK(context.system.wait_for_exit(static_cast<std::uint64_t>(pid), until));
  CHECK_FALSE(
      context.system.wait_for_exit(static_cast<std::uint64_t>(::getpid()), std::chrono::steady_clock::now()));
}

TEST_CASE("where nobody listens there is no daemon, and that is told from a place one may not enter",
          "[cli][process]") {
  const auto context = real_context();
  std::string directory = "/tmp/svd-cli-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const auto address = "unix:path=" + directory + "/bus";
  CHECK(context.system.connect(address).error().code == std::errc::connection_refused);
  std::ofstream{directory + "/bus"};  // a file, not a socket
  CHECK(context.system.connect(address).error().code == std::errc::connection_refused);
  CHECK_FALSE(context.system.connect("nonsense"));
  std::filesystem::remove_all(directory);
}

TEST_CASE("each file's last lines are shown, however much another one has", "[cli][process][logs]") {
  const auto context = real_context();
  std::string directory = "/tmp/svd-cli-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  std::ofstream{directory + "/quiet"} << "q1\nq2\n";
  std::ofstream{directory + "/chatty"} << "c1\nc2\nc3\nc4\n";
  LogQuery query;
  query.lines = 2;
  query.each = true;
  std::string shown;
  REQUIRE(context.system.read_logs({{"a:q/0", directory + "/quiet"}, {"a:c/0", directory + "/chatty"}}, query,
                                   [&](const LogLine& line) {
                                     shown += std::string{line.text} + " ";
                                     return true;
                                   }));
  for (const auto* expected : {"q1 ", "q2 ", "c3 ", "c4 "}) CHECK(shown.find(expected) != std::string::npos);
  CHECK(shown.size() == 12);
  std::filesystem::remove_all(directory);
}

TEST_CASE("a reader that is to finish gives all that was written before it was stopped",
          "[cli][process][logs]") {
  const auto context = real_context();
  std::string directory = "/tmp/svd-cli-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const int stop = ::eventfd(0, EFD_CLOEXEC);
  LogQuery query;
  query.follow = query.finish = true;
  query.stop = stop;
  std::ofstream file{directory + "/log"};
  file << "first\n" << std::flush;
  int lines = 0;
  // At the first line, and so in the midst of following, much more is written and the end is asked for.
  REQUIRE(context.system.read_logs({{"a:w/0", directory + "/log"}}, query, [&](const LogLine&) {
    if (lines++ == 0) {
      for (int i = 1; i < 5000; ++i) file << "line " << i << '\n';
      file << std::flush;
      const std::uint64_t one = 1;
      REQUIRE(::write(stop, &one, sizeof one) == sizeof one);
    }
    return true;
  }));
  CHECK(lines == 5000);
  ::close(stop);
  std::filesystem::remove_all(directory);
}
