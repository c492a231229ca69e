// SPDX-License-Identifier: Apache-2.0
// What an app, or its user, plants in the directory of its log for the programs of others that write, rotate
// and read it: second names of files of theirs, fifos, and logs that are little on the disk and endless to
// read.
#include <zlib.h>

#include <fstream>
#include <limits>

#include "cli/log_reader.h"
#include "cli/log_tail.h"
#include "logtool/writer.h"
#include "process/logs_support.h"

using namespace svd;
using svd::cli::LogLine;
using svd::cli::LogQuery;

namespace {

constexpr unsigned patience = 60;  // seconds until a program counts as held up

// What `logtool write` does with "line\n" and the end of its input. False: it was held up.
bool write_a_line(const std::string& log) {
  return in_child([&] {
           ::alarm(patience);
           int ends[2];
           if (::pipe2(ends, O_CLOEXEC) != 0 || ::write(ends[1], "line\n", 5) != 5) ::_exit(2);
           ::close(ends[1]);
           ::close(STDERR_FILENO);
           static_cast<void>(write_log(ends[0], log, {}));
           ::_exit(0);
         }) == 0;
}

std::string text_of(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

struct Seen {
  std::uint64_t bytes = 0, lines = 0;
  std::string notes;
};
Seen read(const std::string& log, const LogQuery& query) {
  Seen seen;
  const auto done = cli::read_logs({{"shop:web/0", log}}, query, [&](const LogLine& line) {
    if (line.kind == LogLine::Kind::note) {
      seen.notes += line.text;
      return true;
    }
    seen.bytes += line.text.size();
    ++seen.lines;
    return true;
  });
  if (!done) FAIL(done.error().text);
  return seen;
}

LogQuery last(std::uint64_t lines) {
  LogQuery query;
  query.lines = lines;
  query.each = true;
  return query;
}

// A rotated file of `bytes` times the same, and the record that tells of it.
void plant_packed(const TestDirectory& directory, std::uint64_t bytes, char what) {
  const auto file = ::gzopen(directory.file("web.0.log.000001.gz").c_str(), "wb1");
  REQUIRE(file != nullptr);
  const std::string chunk(1U << 20, what);
  for (std::uint64_t done = 0; done < bytes; done += chunk.size())
    REQUIRE(::gzwrite(file, chunk.data(), static_cast<unsigned>(chunk.size())) > 0);
  REQUIRE(::gzclose(file) == Z_OK);
  CutRecord record;
  record.start = bytes;
  record.number = 1;
  std::ofstream{directory.file(".web.0.log.cut")} << to_text(record);
  put_file(directory.file("web.0.log"), "newest\n");
}

}  // namespace

TEST_CASE("logtool write: a second name of somebody's file is not appended to", "[logs][paths]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log"), precious = directory.file("precious");
  put_file(precious, "precious\n");
  SECTION("in the place of the log") {
    REQUIRE(::link(precious.c_str(), log.c_str()) == 0);
    CHECK(write_a_line(log));
  }
  SECTION("a link") {
    REQUIRE(::symlink(precious.c_str(), log.c_str()) == 0);
    CHECK(write_a_line(log));
  }
  SECTION("of the lock") {
    REQUIRE(::link(precious.c_str(), directory.file(".web.0.log.lock").c_str()) == 0);
    CHECK(write_a_line(log));
    CHECK_FALSE(std::filesystem::exists(log));
  }
  CHECK(text_of(precious) == "precious\n");
}

TEST_CASE("logtool: a fifo in the place of a file holds nobody up", "[logs][paths]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log");
  const auto* const name = GENERATE("web.0.log", ".web.0.log.lock", ".web.0.log.cut", "web.0.log.000001");
  REQUIRE(::mkfifo(directory.file(name).c_str(), 0600) == 0);
  CHECK(write_a_line(log));
  CHECK(in_child([&] {
          ::alarm(patience);
          const auto place = open_log_place(log);
          static_cast<void>(tidy_log(*place, {}));
          static_cast<void>(
              cli::read_logs({{"shop:web/0", log}}, last(3), [](const LogLine&) { return true; }));
          ::_exit(0);  // however they ended: they did
        }) == 0);
}

TEST_CASE("logtool: a second name of somebody's file is not compressed", "[logs][paths]") {
  const TestDirectory directory;
  const auto precious = directory.file("precious"), rotated = directory.file("web.0.log.000001");
  put_file(precious, "precious\n");
  REQUIRE(::link(precious.c_str(), rotated.c_str()) == 0);
  const auto place = open_log_place(directory.file("web.0.log"));
  static_cast<void>(tidy_log(*place, {}));
  CHECK_FALSE(std::filesystem::exists(rotated + ".gz"));
  CHECK(std::filesystem::hard_link_count(precious) == 2);
}

TEST_CASE("logtool rotate: of a hole of a terabyte only what is kept is copied", "[logs][paths]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log");
  put_file(log, "first\n");
  REQUIRE(::truncate(log.c_str(), 1LL << 40) == 0);
  put_file(log, "\nlast\n");
  CutOptions options;
  options.rotate = 1U << 20;
  options.keep = 2;
  int copies = 0;
  options.at = [&](std::string_view step) { copies += step == "copied" ? 1 : 0; };
  REQUIRE(rotate_log(log, options));
  CHECK(copies <= 3);
  const auto place = open_log_place(log);
  CHECK(rotated_files(*place)->size() == 2);
  CHECK(text_of(log).ends_with("\nlast\n"));
}

TEST_CASE("svctl logs: what is decompressed for the last lines is bounded", "[logs][reader][paths]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log");
  SECTION("more than is searched") {
    plant_packed(directory, cli::most_searched + (1U << 20), '\0');
    const auto seen = read(log, last(3));
    CHECK(seen.bytes == 6);
    CHECK_THAT(seen.notes, ContainsSubstring("older lines are left out"));
  }
  SECTION("a line that is longer than anybody wants to see") {
    plant_packed(directory, 64U << 20, '\0');
    const auto seen = read(log, last(3));
    CHECK(seen.bytes <= cli::most_shown(3));
    CHECK_THAT(seen.notes, ContainsSubstring("older lines are left out"));
  }
  SECTION("nothing but line ends") {
    plant_packed(directory, 16U << 20, '\n');
    const auto seen = read(log, last(3));
    CHECK(seen.lines == 3);
    CHECK(seen.bytes == 6);
    CHECK(seen.notes.empty());
  }
}

TEST_CASE("svctl logs: a hole of a terabyte is passed over, and told of", "[logs][reader][paths]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log");
  put_file(log, "first\n");
  REQUIRE(::truncate(log.c_str(), 1LL << 40) == 0);
  put_file(log, "\nlast\n");
  SECTION("from the beginning") {
    const auto seen = read(log, {});
    CHECK(seen.bytes < 1U << 20);
    CHECK_THAT(seen.notes, ContainsSubstring("bytes of this log are gone"));
  }
  SECTION("the last lines") { CHECK(read(log, last(1)).bytes == 4); }
  SECTION("more lines than there are") { CHECK(read(log, last(100)).bytes < 1U << 20); }
}

TEST_CASE("the allowance for the last lines has a bound", "[logs][reader]") {
  CHECK(cli::most_shown(1) >= cli::max_line);
  CHECK(cli::most_shown(std::numeric_limits<std::uint64_t>::max()) == cli::most_searched);
}
