// SPDX-License-Identifier: Apache-2.0
// The front is cut off a log while it is written to, and the cutter may die at any moment: no byte is lost or
// doubled.
#include <sys/resource.h>

#include <csignal>
#include <random>

#include "logtool/cut.h"
#include "logtool/writer.h"
#include "process/logs_support.h"

using namespace svd;

namespace {

// The ways in which a front can go. On the disk: collapsed, where it can (ext4, xfs), or left as a hole by
// choice. In memory: a hole.
struct Way {
  std::string name, base;
  bool may_collapse;
};

std::vector<Way> ways() {
  std::vector<Way> all{{"disk", "/var/tmp", true}, {"disk, punched only", "/var/tmp", false}};
  if (std::filesystem::exists("/dev/shm")) all.push_back({"memory", "/dev/shm", true});
  return all;
}

CutOptions options_for(const Way& way, std::uint64_t rotate) {
  CutOptions options;
  options.rotate = rotate;
  options.keep = 1'000'000;
  options.may_collapse = way.may_collapse;
  options.now = {1};
  return options;
}

std::vector<RotatedFile> rotated(const std::string& path) {
  return rotated_files(open_log_place(path).value()).value();
}

}  // namespace

TEST_CASE("rotated files and the live one are the log, cut at line ends", "[logs][cut]") {
  const auto way = GENERATE(from_range(ways()));
  const auto compress = GENERATE(true, false);
  CAPTURE(way.name, compress);
  const TestDirectory directory{way.base};
  const auto log = directory.file("web.0.log");
  const auto want = test_lines(60'000);
  put_file(log, want);
  auto options = options_for(way, 1'000'000);
  options.compress = compress;
  REQUIRE(rotate_log(log, options));
  require_same(concatenation(log), want);
  require_same(streamed(log), want);
  const auto files = rotated(log);
  CHECK(files.size() == want.size() / 1'000'000);
  for (const auto& file : files) {
    CHECK(file.compressed == compress);
    auto segment = LogSegment::open(open_log_place(log).value(), file);
    std::string text(2'000'000, '\0');
    text.resize(segment->read(text).value());
    CHECK(text.ends_with('\n'));
  }
  struct stat about {};
  ::stat(log.c_str(), &about);
  CHECK(static_cast<std::uint64_t>(about.st_blocks) * 512 < 1'100'000);  // the front is gone from the disk
}

TEST_CASE("a cutter that is killed after any of its steps leaves a whole log, and the next one finishes it",
          "[logs][cut]") {
  const auto way = GENERATE(from_range(ways()));
  const auto step = GENERATE(as<std::string>{}, "copying", "copied", "named", "copy recorded", "punched",
                             "punch recorded", "collapsed", "settled");
  // A log that repeats itself: what is behind the cut looks just like what was cut.
  const auto repetitive = GENERATE(false, true);
  const auto occurrence = repetitive ? 2 : 1;
  CAPTURE(way.name, step, occurrence, repetitive);
  const TestDirectory directory{way.base};
  const auto log = directory.file("web.0.log");
  std::string want = test_lines(3'000);
  if (repetitive) want = std::string(want.size() / 64 * 64, 'x');
  put_file(log, want);
  auto options = options_for(way, 40'000);
  const auto status = in_child([&] {
    options.at = [&, left = occurrence](std::string_view at) mutable {
      if (at == step && --left == 0) ::raise(SIGKILL);
    };
    static_cast<void>(rotate_log(log, options));
  });
  REQUIRE(WIFSIGNALED(status));
  require_same(streamed(log), want);
  put_file(log, "and on\n");
  require_same(streamed(log), want + "and on\n");
  REQUIRE(rotate_log(log, options));
  require_same(streamed(log), want + "and on\n");
  require_same(concatenation(log), want + "and on\n");
  CHECK(read_cut_record(open_log_place(log).value())->step == CutRecord::Step::settled);
  for (const auto& entry : std::filesystem::directory_iterator{directory.path()})
    CHECK_FALSE(entry.path().string().ends_with(".part"));
}

TEST_CASE("cutters killed at random moments under a writer at full speed lose and double nothing",
          "[logs][cut]") {
  const auto way = GENERATE(from_range(ways()));
  const auto seed = Catch::rngSeed();
  CAPTURE(way.name, seed);
  std::mt19937 random{seed};
  const TestDirectory directory{way.base};
  const auto log = directory.file("web.0.log");
  constexpr std::uint64_t rounds = 30, batch = 10'000;  // a batch is more than what is cut at a time
  // The writer is never more than a batch ahead of the cutters: each finds something to cut, and is written
  // beside.
  int written[2], wanted[2];
  REQUIRE((::pipe2(written, O_CLOEXEC) == 0 && ::pipe2(wanted, O_CLOEXEC) == 0));
  const auto writer = fork_bound();
  if (writer == 0) {
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
    char word = 0;
    for (std::uint64_t round = 0; round < rounds; ++round) {
      append_lines(fd, batch, round * batch);
      if (::write(written[1], ".", 1) != 1 || ::read(wanted[0], &word, 1) != 1) ::_exit(8);
    }
    ::_exit(0);
  }
  int killed = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    char word = 0;
    REQUIRE(::read(written[0], &word, 1) == 1);
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const auto cutter = fork_bound();
    if (cutter == 0) {
      auto options = options_for(way, 500'000);
      options.at = [&](std::string_view) { static_cast<void>(::write(ends[1], ".", 1)); };
      ::_exit(rotate_log(log, options) ? 0 : 1);
    }
    REQUIRE(::write(wanted[1], ".", 1) == 1);
    ::close(ends[1]);
    const UniqueFd steps{ends[0]};
    // Dies somewhere behind its n-th step, or finishes before that. A cut has eight of them.
    for (auto left = random() % 12; left > 0 && ::read(steps.get(), &word, 1) == 1;) --left;
    ::kill(cutter, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(cutter, &status, 0) == cutter);
    REQUIRE((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
    killed += WIFSIGNALED(status) ? 1 : 0;
  }
  int status = 0;
  REQUIRE((::waitpid(writer, &status, 0) == writer && status == 0));
  for (const int fd : {written[0], written[1], wanted[0], wanted[1]}) ::close(fd);
  CHECK(killed > 3);
  const auto want = test_lines(rounds * batch);
  require_same(streamed(log), want);
  REQUIRE(rotate_log(log, options_for(way, 500'000)));  // finishes what the last one may have begun
  require_same(concatenation(log), want);
  require_same(streamed(log), want);
}

TEST_CASE("a reader that follows through rotations reads each byte once", "[logs][cut]") {
  const auto way = GENERATE(from_range(ways()));
  const auto compress = GENERATE(true, false);
  CAPTURE(way.name, compress);
  const TestDirectory directory{way.base};
  const auto log = directory.file("web.0.log");
  constexpr std::uint64_t lines = 100'000, batch = 5'000;
  put_file(log, "");
  // The cutter tells of each cut; the writer is never more than a batch ahead of that, however slow the disk.
  int cuts[2];
  REQUIRE(::pipe2(cuts, O_CLOEXEC) == 0);
  const auto writer = fork_bound();
  if (writer == 0) {
    const int fd = ::open(log.c_str(), O_WRONLY | O_APPEND);
    char cut = 0;
    for (std::uint64_t i = 0; i < lines; ++i) {
      const auto line = test_line(i);
      if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(9);
      if (i % batch == batch - 1 && i > batch && ::read(cuts[0], &cut, 1) != 1) ::_exit(8);
    }
    ::_exit(0);
  }
  const auto cutter = fork_bound();
  if (cutter == 0) {
    auto options = options_for(way, 100'000);
    options.compress = compress;
    options.at = [&](std::string_view step) {
      if (step == "settled" && ::write(cuts[1], ".", 1) != 1) ::_exit(7);
    };
    bool done = true;
    while (done) done = rotate_log(log, options).has_value();
    ::_exit(1);
  }
  ::close(cuts[0]);
  ::close(cuts[1]);
  auto stream = LogStream::open(log).value();
  std::string have, buffer(65'536, '\0');
  const auto drain = [&] {
    for (;;) {
      const auto n = stream.read(buffer);
      if (!n) FAIL(n.error().text);
      if (*n == 0) return;
      have.append(buffer, 0, *n);
    }
  };
  while (::waitpid(writer, nullptr, WNOHANG) == 0) drain();
  drain();
  ::kill(cutter, SIGKILL);
  int status = 0;
  ::waitpid(cutter, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK(stream.take_lost() == 0);
  CHECK(rotated(log).size() > 10);
  require_same(have, test_lines(lines));
}

TEST_CASE("no more than `keep` rotated files are kept, and numbers never come again", "[logs][cut]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log");
  CutOptions options;
  options.rotate = 10'000;
  options.keep = 2;
  for (int round = 0; round < 3; ++round) {
    put_file(log, std::string(30'000, 'a') + "\n");
    REQUIRE(rotate_log(log, options));
    CHECK(rotated(log).size() == 2);
  }
  CHECK(rotated(log).back().number >= 6);
  CHECK(LogStream::open(log)->stretches()->front().begin > 0);
  options.keep = 0;
  put_file(log, std::string(30'000, 'a'));
  REQUIRE(rotate_log(log, options));
  CHECK(rotated(log).empty());
  // A reader that was further back is told what it missed.
  auto stream = LogStream::open(log).value();
  std::string buffer(100'000, '\0');
  REQUIRE(stream.read(buffer));
  CHECK(stream.take_lost() > 100'000 - 20'000);
}

TEST_CASE("a log that was truncated by hand goes on", "[logs][cut]") {
  const auto way = GENERATE(from_range(ways()));
  CAPTURE(way.name);
  const TestDirectory directory{way.base};
  const auto log = directory.file("web.0.log");
  put_file(log, test_lines(2'000));
  REQUIRE(rotate_log(log, options_for(way, 20'000)));
  REQUIRE(::truncate(log.c_str(), 0) == 0);
  put_file(log, "new\n");
  CHECK(streamed(log).ends_with("new\n"));
  put_file(log, test_lines(2'000));
  REQUIRE(rotate_log(log, options_for(way, 20'000)));
  const auto text = streamed(log);
  CHECK(text.ends_with("new\n" + test_lines(2'000)));
}

TEST_CASE("what is no plain file of one name is not cut", "[logs][cut]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log"), other = directory.file("other");
  put_file(other, std::string(50'000, 'a'));
  CutOptions options;
  options.rotate = 10'000;
  REQUIRE(::symlink(other.c_str(), log.c_str()) == 0);
  CHECK_FALSE(rotate_log(log, options));
  REQUIRE((::unlink(log.c_str()) == 0 && ::link(other.c_str(), log.c_str()) == 0));
  CHECK(rotate_log(log, options).error().text == "cannot rotate 'web.0.log': not a regular file of one name");
  REQUIRE((::unlink(log.c_str()) == 0 && ::mkfifo(log.c_str(), 0600) == 0));
  CHECK_FALSE(rotate_log(log, options));
  CHECK(std::filesystem::file_size(other) == 50'000);
}

TEST_CASE("a second cutter at the same log is told so", "[logs][cut]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log");
  put_file(log, std::string(50'000, 'a'));
  CutOptions options, second;
  options.rotate = second.rotate = 10'000;
  auto refused = std::errc{};
  options.at = [&](std::string_view step) {
    if (step == "copied") refused = rotate_log(log, second).error().code;
  };
  REQUIRE(rotate_log(log, options));
  CHECK(refused == std::errc::resource_unavailable_try_again);
}

TEST_CASE("a cut that fails leaves the log as it was", "[logs][cut]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log");
  const auto want = test_lines(5'000);
  put_file(log, want);
  CutOptions options;
  options.rotate = 50'000;
  options.compress = false;
  const auto status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{10'000, 10'000};  // as on a disk that is full
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto done = rotate_log(log, options);
    ::_exit(!done && done.error().code == std::errc::file_too_large ? 0 : 1);
  });
  CHECK(status == 0);
  require_same(concatenation(log), want);
  CHECK_FALSE(std::filesystem::exists(directory.file(part_name("web.0.log"))));
}

TEST_CASE("a record that is not ours is refused, and one that is round-trips", "[logs][cut]") {
  const CutRecord record{CutRecord::Step::punched, 1, 2, 3, 4, {5}};
  CHECK(parse_cut_record(to_text(record)) == record);
  const auto text = to_text(record);
  for (std::size_t size = 0; size < text.size(); ++size) CHECK_FALSE(parse_cut_record(text.substr(0, size)));
  CHECK_FALSE(parse_cut_record(text + " "));
  for (auto CutRecord::*number :
       {&CutRecord::start, &CutRecord::hole, &CutRecord::number, &CutRecord::length}) {
    auto far = record;
    far.*number = 1ULL << 62U;
    CHECK(parse_cut_record(to_text(far)) == far);
    far.*number += 1;  // two of these would be more than 64 bits hold
    CHECK_FALSE(parse_cut_record(to_text(far)));
  }
}

namespace {

// Runs the writer with `text` on its input.
pid_t start_writer(const std::string& log, const WriterOptions& options, UniqueFd& input) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const auto pid = fork_bound();
  if (pid == 0) {
    ::close(ends[1]);
    ::_exit(write_log(ends[0], log, options) ? 0 : 1);
  }
  ::close(ends[0]);
  input.reset(ends[1]);
  return pid;
}

}  // namespace

TEST_CASE("two writers of one log take turns and lose nothing", "[logs][writer]") {
  const TestDirectory directory;
  const auto log = directory.file("web.0.log");
  WriterOptions options;
  options.cut.rotate = 100'000;
  options.cut.keep = 1'000'000;
  UniqueFd inputs[2];
  pid_t writers[2], apps[2];
  for (int i = 0; i < 2; ++i) writers[i] = start_writer(log, options, inputs[i]);
  for (int i = 0; i < 2; ++i) {
    apps[i] = fork_bound();
    if (apps[i] == 0) {
      append_lines(inputs[i].get(), 40'000);
      ::_exit(0);
    }
  }
  for (auto& input : inputs) input.reset();
  for (int i = 0; i < 2; ++i) {
    int status = 0;
    REQUIRE((::waitpid(apps[i], &status, 0) == apps[i] && status == 0));
    REQUIRE((::waitpid(writers[i], &status, 0) == writers[i] && status == 0));
  }
  CHECK(rotated(log).size() > 20);
  // Their chunks may meet in the middle of a line (this happens only while a former daemon's writer still has
  // readers).
  CHECK(streamed(log).size() == 2 * test_lines(40'000).size());
}

TEST_CASE("a writer that rotates by renaming keeps the stream whole, also when it is killed in between",
          "[logs][writer]") {
  const auto step = GENERATE(as<std::string>{}, "", "rename recorded", "renamed");
  CAPTURE(step);
  const TestDirectory directory;
  const auto log = directory.file("web.0.log");
  WriterOptions options;
  options.cut.rotate = 50'000;
  options.cut.keep = 1'000'000;
  const auto want = test_lines(10'000);
  UniqueFd input;
  if (!step.empty()) {
    const auto status = in_child([&] {
      const auto place = open_log_place(log).value();
      put_file(log, want);
      auto cut = options.cut;
      cut.at = [&](std::string_view at) {
        if (at == step) ::raise(SIGKILL);
      };
      static_cast<void>(rename_log(place, cut));
    });
    REQUIRE(WIFSIGNALED(status));
    require_same(streamed(log), want);
  }
  const auto pid = start_writer(log, options, input);
  REQUIRE(write_all(input.get(), want));
  input.reset();
  int status = 0;
  REQUIRE((::waitpid(pid, &status, 0) == pid && status == 0));
  require_same(streamed(log), step.empty() ? want : want + want);
}
