// SPDX-License-Identifier: Apache-2.0
// What `svctl logs` reads from files: every byte once, in order, also while the logs are rotated.
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <utime.h>

#include <csignal>
#include <map>

#include "cli/log_reader.h"
#include "logtool/cut.h"
#include "process/logs_support.h"

using namespace svd;
using svd::cli::LogLine;
using svd::cli::LogQuery;
using svd::cli::LogSource;

namespace {

struct Line {
  std::size_t source = 0;
  std::string text;
  bool complete = true;
  LogLine::Kind kind = LogLine::Kind::text;
  std::optional<WallTime> when;
};

std::vector<Line> read(const std::vector<LogSource>& sources, const LogQuery& query = {}) {
  std::vector<Line> lines;
  const auto done = cli::read_logs(sources, query, [&](const LogLine& line) {
    lines.push_back({line.source, std::string{line.text}, line.complete, line.kind, line.when});
    return true;
  });
  if (!done) FAIL(done.error().text);
  return lines;
}

std::vector<std::string> texts(const std::vector<Line>& lines) {
  std::vector<std::string> all;
  for (const auto& line : lines) all.push_back(line.text);
  return all;
}

void cut(const std::string& log, std::uint64_t rotate, bool compress = true) {
  CutOptions options;
  options.rotate = rotate;
  options.keep = 1'000'000;
  options.compress = compress;
  REQUIRE(rotate_log(log, options));
}

void set_time(const std::string& path, time_t when) {
  const utimbuf times{when, when};
  REQUIRE(::utime(path.c_str(), &times) == 0);
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a long line, binary bytes, empty lines and a last line without an end all come through",
          "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto log = directory.file("a.log");
  std::string binary;
  for (int i = 0; i < 256; ++i)
    if (i != '\n') binary += static_cast<char>(i);
  const std::string megabyte(1U << 20, 'm');
  put_file(log, megabyte + "\n" + binary + "\n\n\nend");
  const auto lines = read({{"shop:a/0", log}});
  REQUIRE(texts(lines) == Texts{megabyte, binary, "", "", "end"});
  CHECK((lines[3].complete && !lines[4].complete));
}

TEST_CASE("a line over the limit comes in pieces that add up", "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto log = directory.file("a.log");
  const std::string line(2 * cli::max_line + 10, 'x');
  put_file(log, line + "\nnext\n");
  const auto lines = read({{"shop:a/0", log}});
  REQUIRE(lines.size() >= 4);
  std::string joined;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    joined += lines[i].text;
    CHECK(lines[i].complete == (i + 2 == lines.size()));
  }
  CHECK((joined == line && lines.back().text == "next"));
}

TEST_CASE("a million lines are all there, in order, through rotated files", "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto log = directory.file("a.log");
  constexpr std::uint64_t count = 1'000'000;
  put_file(log, test_lines(count));
  cut(log, 9'000'000);
  std::uint64_t next = 0;
  bool right = true;
  REQUIRE(cli::read_logs({{"shop:a/0", log}}, {}, [&](const LogLine& line) {
    auto want = test_line(next++);
    want.pop_back();
    return right = line.text == want && line.complete;
  }));
  CHECK((right && next == count));
}

TEST_CASE("the last lines are found from the end, across files", "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto log = directory.file("a.log");
  const auto all = test_lines(20'000);
  put_file(log, all);
  cut(log, 100'000);
  const bool partial = GENERATE(false, true);
  if (partial) put_file(log, "partial");
  for (const auto wanted :
       {0ULL, 1ULL, 5ULL, 1'999ULL, 2'500ULL, 10'000ULL, 19'999ULL, 20'000ULL, 50'000ULL}) {
    CAPTURE(wanted, partial);
    LogQuery query;
    query.lines = wanted;
    const auto lines = read({{"shop:a/0", log}}, query);
    const auto total = 20'000ULL + (partial ? 1 : 0);
    REQUIRE(lines.size() == std::min<std::uint64_t>(wanted, total));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto number = total - lines.size() + i;
      auto want = number < 20'000 ? test_line(number) : "partial\n";
      want.pop_back();
      if (lines[i].text != want) FAIL("line " << number << " is " << lines[i].text);
    }
  }
}

TEST_CASE("instances are merged by the times that their lines begin with", "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto a = directory.file("a.log"), b = directory.file("b.log");
  put_file(a, "banner\n2026-01-31T12:00:01Z a1\n  continued\n2026-01-31T12:00:03.500Z a2\n");
  put_file(
      b, "{\"level\":30,\"time\":1769860800000,\"msg\":\"b0\"}\n[2026-01-31 12:00:02Z] b1\n1769860804 b2\n");
  const auto lines = read({{"shop:a/0", a}, {"shop:b/0", b}});
  const auto have = texts(lines);
  REQUIRE(have.size() == 7);
  CHECK(have == Texts{"{\"level\":30,\"time\":1769860800000,\"msg\":\"b0\"}", "banner",
                      "2026-01-31T12:00:01Z a1", "  continued", "[2026-01-31 12:00:02Z] b1",
                      "2026-01-31T12:00:03.500Z a2", "1769860804 b2"});
  CHECK(lines[2].when == WallTime{1'769'860'801'000'000});
  CHECK_FALSE(lines[3].when.has_value());
  LogQuery query;
  query.since = WallTime{1'769'860'802'000'000};
  CHECK(texts(read({{"shop:a/0", a}, {"shop:b/0", b}}, query)) ==
        Texts{"[2026-01-31 12:00:02Z] b1", "2026-01-31T12:00:03.500Z a2", "1769860804 b2"});
  query.lines = 1;
  CHECK(texts(read({{"shop:a/0", a}, {"shop:b/0", b}}, query)) == Texts{"1769860804 b2"});
}

TEST_CASE("files without times are placed by the time they were last written to", "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto a = directory.file("a.log"), b = directory.file("b.log");
  put_file(a, "a1\na2\n");
  put_file(b, "b1\nb2\n");
  set_time(a, 2'000'000'000);
  set_time(b, 1'000'000'000);
  CHECK(texts(read({{"shop:a/0", a}, {"shop:b/0", b}})) == Texts{"b1", "b2", "a1", "a2"});
  LogQuery query;
  query.since = WallTime{1'500'000'000'000'000};
  CHECK(texts(read({{"shop:a/0", a}, {"shop:b/0", b}}, query)) == Texts{"a1", "a2"});
}

TEST_CASE("a file that several instances share is read once; one that does not exist is empty",
          "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto a = directory.file("a.log");
  put_file(a, "one\n");
  CHECK(read({{"shop:a/0", a},
              {"shop:a/1", a},
              {"shop:b/0", directory.file("no/such/file.log")},
              {"shop:c/0", "none"},
              {"shop:d/0", "console"}})
            .size() == 1);
}

TEST_CASE("a rotated file that is gone or damaged is told, and what is behind it is read", "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto log = directory.file("a.log");
  put_file(log, test_lines(5'000));
  cut(log, 50'000);
  const auto path = directory.file("a.log.000002.gz");
  {
    const UniqueFd fd{::open(path.c_str(), O_WRONLY)};
    REQUIRE(::pwrite(fd.get(), "damaged damaged damaged", 23, 3'000) == 23);
  }
  const auto lines = read({{"shop:a/0", log}});
  const auto notes = std::ranges::count(lines, LogLine::Kind::note, &Line::kind);
  CHECK(notes == 1);
  CHECK(lines.back().text + "\n" == test_line(4'999));
}

TEST_CASE("a log that may not be read is an error with its name", "[logs][reader]") {
  if (::geteuid() != 0) return;  // to become somebody who may not
  const TestDirectory directory{fast_base()};
  ::chmod(directory.path().c_str(), 0755);
  const auto log = directory.file("a.log");
  put_file(log, "secret\n");
  ::chmod(log.c_str(), 0600);
  const auto status = in_child([&] {
    if (::setuid(65534) != 0) ::_exit(2);
    const auto done = cli::read_logs({{"shop:a/0", log}}, {}, [](const LogLine&) { return true; });
    ::_exit(!done && done.error().code == std::errc::permission_denied &&
                    done.error().text.find("a.log") != std::string::npos
                ? 0
                : 1);
  });
  CHECK(status == 0);
}

TEST_CASE("following through rotations, starts of new files and late directories misses and doubles no line",
          "[logs][reader]") {
  const auto base = GENERATE(as<std::string>{}, "/var/tmp", "/dev/shm");
  CAPTURE(base);
  if (!std::filesystem::exists(base)) return;
  const TestDirectory directory{base};
  constexpr std::uint64_t count = 100'000;
  const auto early = directory.file("a.log"), late = directory.file("shop/new/b.log");
  put_file(early, test_lines(10));
  const auto pid = fork_bound();
  if (pid == 0) {
    const UniqueFd a{::open(early.c_str(), O_WRONLY | O_APPEND)};
    for (std::uint64_t i = 10; i < count; ++i) {
      const auto line = test_line(i);
      static_cast<void>(!write_all(a.get(), line));
      if (i % 5'000 == 0) cut(early, 50'000, i % 10'000 == 0);
      if (i == 20'000) std::filesystem::create_directories(directory.file("shop/new"));
      if (i > 20'000 && i % 100 == 0) put_file(late, line);
    }
    ::_exit(0);
  }
  std::map<std::size_t, std::uint64_t> seen;
  LogQuery query;
  query.follow = true;
  std::string wrong;
  REQUIRE(cli::read_logs({{"shop:a/0", early}, {"shop:b/0", late}}, query, [&](const LogLine& line) {
    auto& next = seen[line.source];
    auto want = test_line(line.source == 0 ? next : 20'100 + next * 100);
    ++next;
    want.pop_back();
    if (line.text != want)
      wrong = "source " + std::to_string(line.source) + " line " + std::to_string(next) + ": " +
              std::string{line.text};
    return wrong.empty() && !(seen[0] == count && seen[1] == (count - 20'000) / 100 - 1);
  }));
  ::waitpid(pid, nullptr, 0);
  CHECK(wrong.empty());
  CHECK(seen[0] == count);
}

TEST_CASE("following ends when it is told to, and gives out a line that has no end", "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto log = directory.file("a.log");
  put_file(log, "one\ntwo");
  const UniqueFd stop{::eventfd(0, EFD_CLOEXEC)};
  LogQuery query;
  query.follow = true;
  query.stop = stop.get();
  query.lines = 5;
  std::vector<Line> lines;
  REQUIRE(cli::read_logs({{"shop:a/0", log}}, query, [&](const LogLine& line) {
    lines.push_back({line.source, std::string{line.text}, line.complete, line.kind, line.when});
    if (lines.size() == 2) put_file(log, " and more\n");
    if (lines.size() == 3) REQUIRE(::eventfd_write(stop.get(), 1) == 0);
    return true;
  }));
  REQUIRE(lines.size() == 3);
  CHECK((lines[1].text == "two" && !lines[1].complete));
  CHECK((lines[2].text == " and more" && lines[2].complete));
}

TEST_CASE("reading a log that is being written to ends at what was there", "[logs][reader]") {
  const TestDirectory directory{fast_base()};
  const auto log = directory.file("a.log");
  put_file(log, "first\n");
  std::size_t count = 0;
  REQUIRE(cli::read_logs({{"shop:a/0", log}}, {}, [&](const LogLine&) {
    put_file(log, "another\n");
    return ++count < 100;
  }));
  CHECK(count == 1);
}

TEST_CASE("the time that a line begins with is recognised in the usual forms, and nothing else is one",
          "[logs][reader]") {
  const auto [line, want] = GENERATE(table<std::string, std::int64_t>(
      {{"2026-01-31T12:00:00Z up", 1'769'860'800'000'000},
       {"2026-01-31T12:00:00.123456789Z up", 1'769'860'800'123'456},
       {"2026-01-31T13:00:00+01:00 up", 1'769'860'800'000'000},
       {"2026-01-31 12:00:00,250 UTC up", 1'769'860'800'250'000},
       {"[2026-01-31T06:30:00-0530] up", 1'769'860'800'000'000},
       {"2026/01/31 12:00:00 +0000", 1'769'860'800'000'000},
       {"10.0.0.1 - - [31/Jan/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200", 1'769'860'800'000'000},
       {"1234:M 31 Jan 2026 12:00:00.500Z * Ready", 1'769'860'800'500'000},
       {"1769860800 up", 1'769'860'800'000'000},
       {"1769860800.5: up", 1'769'860'800'500'000},
       {"1769860800123 up", 1'769'860'800'123'000},
       {R"({"level":30,"time":1769860800123,"msg":"x"})", 1'769'860'800'123'000},
       {R"({"ts": 1769860800.25,"msg":"x"})", 1'769'860'800'250'000},
       {R"({"msg":"x","@timestamp":"2026-01-31T12:00:00Z"})", 1'769'860'800'000'000},
       {"", -1},
       {"hello", -1},
       {"12345 requests", -1},
       {"17698608001 x", -1},
       {"1769860800abc", -1},
       {"2026-13-31T12:00:00Z", -1},
       {"2026-01-31", -1},
       {"2026-01-31T12:00", -1},
       {"{\"time\":true}", -1},
       {"99/Jan/2026:12:00:00 +0000", -1},
       {"[info] up", -1}}));
  CAPTURE(line);
  const auto time = cli::leading_time(line);
  CHECK((time ? time->micros : -1) == want);
  // No prefix of it is read beyond its end.
  for (std::size_t size = 0; size < line.size(); ++size)
    static_cast<void>(cli::leading_time(std::string{line, 0, size}));
}
