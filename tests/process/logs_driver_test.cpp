// SPDX-License-Identifier: Apache-2.0
// The daemon's side of logs: where output goes, and that rotation happens by itself and costs next to
// nothing.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <cstring>
#include <sstream>

#include "kernel/logs.h"
#include "kernel/proc.h"
#include "process/logs_support.h"

using namespace svd;

namespace {

SlotId slot(const std::string& app, std::uint32_t number) {
  return {{Name::parse("shop").value(), Name::parse(app).value()}, number};
}

LogPolicy to_file(std::uint64_t rotate) {
  LogPolicy policy;
  policy.to = LogPolicy::To::file;
  policy.rotate = rotate;
  policy.keep = 1'000'000;
  return policy;
}

struct Fixture {
  explicit Fixture(const std::string& base = "/var/tmp") : directory{base}, options{} {
    options.directory = directory.file("log");
    options.tool = SVD_LOGTOOL;
    options.journal = directory.file("journal");
    options.look = Millis{200};
  }
  Logs& logs() {
    if (!made) made = Logs::make(loop, options).value();
    return *made;
  }
  // Runs the loop until `done`; how often it woke up.
  int run_until(const std::function<bool()>& done, Millis most = Millis{20'000}) {
    int wake_ups = 0;
    bool is_done = false;
    for (const auto end = Loop::now().mono + most; !is_done && Loop::now().mono < end; is_done = done())
      wake_ups += sd_event_run(loop.get(), 10'000) > 0 ? 1 : 0;
    CHECK(is_done);
    return wake_ups;
  }
  // Wake-ups within a time in which nothing happens.
  int run_for(Millis time) {
    int wake_ups = 0;
    const auto end = Loop::now().mono + time;
    for (auto now = Loop::now().mono; now < end; now = Loop::now().mono) {
      const auto left = std::chrono::duration_cast<std::chrono::microseconds>(end - now).count();
      wake_ups += sd_event_run(loop.get(), static_cast<std::uint64_t>(left)) > 0 ? 1 : 0;
    }
    return wake_ups;
  }
  [[nodiscard]] std::size_t rotated(const std::string& path) const {
    return rotated_files(open_log_place(path).value()).value().size();
  }

  TestDirectory directory;
  LogOptions options;
  Loop loop = Loop::make().value();
  std::unique_ptr<Logs> made;
};

// Children of earlier tests may still be there.
pid_t child_that_writes(const std::string& path) {
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::istringstream children{
        read_file_at(AT_FDCWD, task.path().string() + "/children", 4096).value_or("")};
    for (pid_t child = 0; children >> child;)
      if (read_file_at(AT_FDCWD, "/proc/" + std::to_string(child) + "/cmdline", 4096)
              .value_or("")
              .find(path) != std::string::npos)
        return child;
  }
  return 0;
}

bool ended(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) == pid; }

UniqueFd listen_at(const std::string& path, int backlog) {
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), backlog) == 0);
  return fd;
}

}  // namespace

TEST_CASE("a log goes where its policy says, and what is shown says where", "[logs]") {
  Fixture f;
  auto policy = to_file(0);
  const auto web = slot("web", 3);
  const auto path = f.options.directory + "/shop/web.3.log";
  CHECK(f.logs().where(web, policy) == path);
  const auto opened = f.logs().open(web, policy).value();
  CHECK((opened.kind == Stdio::Kind::path && opened.path == path));
  struct stat about {};
  REQUIRE(::stat((f.options.directory + "/shop").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0750);
  policy.path = f.directory.file("own/place.log");
  CHECK(f.logs().where(web, policy) == policy.path);
  CHECK(f.logs().open(web, policy)->path == policy.path);
  policy.to = LogPolicy::To::console;
  CHECK(
      (f.logs().where(web, policy) == "console" && f.logs().open(web, policy)->kind == Stdio::Kind::inherit));
  policy.to = LogPolicy::To::none;
  CHECK((f.logs().where(web, policy) == "none" && f.logs().open(web, policy)->kind == Stdio::Kind::null));
  policy.to = LogPolicy::To::journal;
  CHECK(f.logs().where(web, policy) == "journal:shop:web/3");
  CHECK(f.logs().open(web, policy).error().text.starts_with("cannot connect to journald at '"));
}

TEST_CASE("without a console to write to, what was to go there goes to the file", "[logs]") {
  Fixture f;
  f.options.no_console = true;
  LogPolicy policy;
  policy.to = LogPolicy::To::console;
  const auto path = f.options.directory + "/shop/web.3.log";
  CHECK(f.logs().where(slot("web", 3), policy) == path);
  CHECK(f.logs().open(slot("web", 3), policy)->path == path);
}

TEST_CASE("a directory that cannot be made is said to be so", "[logs]") {
  Fixture f;
  auto policy = to_file(0);
  put_file(f.directory.file("file"), "");
  policy.path = f.directory.file("file/web.log");
  CHECK_THAT(f.logs().open(slot("web", 0), policy).error().text, ContainsSubstring("Not a directory"));
  policy.path = f.directory.file("file/below/web.log");
  CHECK_THAT(f.logs().open(slot("web", 0), policy).error().text,
             ContainsSubstring("cannot make the directory"));
}

TEST_CASE("automatic is the journal where journald listens, and files elsewhere", "[logs]") {
  Fixture without, with;
  CHECK(without.logs().automatic() == LogPolicy::To::file);
  const auto journal = listen_at(with.options.journal, 5);
  CHECK(with.logs().automatic() == LogPolicy::To::journal);
  CHECK(with.logs().where(slot("web", 0), {}) == "journal:shop:web/0");
}

TEST_CASE("a stream to journald begins with the header it expects, and blocks the app, not the daemon",
          "[logs][journal]") {
  Fixture f;
  const auto journal = listen_at(f.options.journal, 2);
  LogPolicy policy;
  policy.to = LogPolicy::To::journal;
  f.made = Logs::make(f.loop, f.options).value();
  const UniqueFd probe{::accept(journal.get(), nullptr, nullptr)};
  const auto opened = f.logs().open(slot("web", 7), policy).value();
  REQUIRE(opened.kind == Stdio::Kind::fd);
  CHECK((::fcntl(opened.fd.get(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK((::fcntl(opened.fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  const UniqueFd stream{::accept(journal.get(), nullptr, nullptr)};
  const std::string want = "shop:web/7\n\n6\n1\n0\n0\n0\nhello\n";
  REQUIRE(write_all(opened.fd.get(), "hello\n"));
  std::string have(want.size(), '\0');
  REQUIRE(::recv(stream.get(), have.data(), have.size(), MSG_WAITALL) == static_cast<ssize_t>(want.size()));
  CHECK(have == want);
  // Nobody accepts any more: the queue fills up, and that is an error, not a wait.
  std::vector<Stdio> queued;
  auto last = f.logs().open(slot("web", 0), policy);
  for (int i = 0; last && i < 10; ++i) {
    queued.push_back(std::move(*last));
    last = f.logs().open(slot("web", 0), policy);
  }
  REQUIRE_FALSE(last);
  CHECK(last.error().code == std::errc::resource_unavailable_try_again);
}

TEST_CASE("a file is rotated under a writer at full speed, and no byte is lost", "[logs]") {
  const auto base = GENERATE(as<std::string>{}, "/var/tmp", "/dev/shm");
  CAPTURE(base);
  if (!std::filesystem::exists(base)) return;
  Fixture f{base};
  const auto web = slot("web", 0);
  const auto policy = to_file(2'000'000);
  f.logs().attach(web, policy);
  const auto path = f.logs().open(web, policy)->path;
  constexpr std::uint64_t lines = 200'000;
  const auto writer = fork_bound();
  if (writer == 0) {
    append_lines(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640), lines);
    ::_exit(0);
  }
  f.run_until([&] { return ended(writer); });
  const auto want = test_lines(lines);
  f.run_until([&] {
    const auto stretches = LogStream::open(path)->stretches().value();
    return stretches.back().end - stretches.back().begin < 2'000'000 &&
           read_cut_record(open_log_place(path).value())->step == CutRecord::Step::settled;
  });
  CHECK(f.rotated(path) >= want.size() / 2'000'000);
  CHECK(f.logs().degraded().empty());
  f.made.reset();
  require_same(streamed(path), want);
}

TEST_CASE("a million lines at once cost the daemon a few wake-ups, and silence none", "[logs]") {
  Fixture f;
  f.options.look = LogOptions{}.look;
  const auto web = slot("web", 0);
  const auto policy = to_file(256ULL << 20);
  f.logs().attach(web, policy);
  const auto path = f.logs().open(web, policy)->path;
  put_file(path, "");
  CHECK(f.run_for(Millis{1200}) <= 2);  // the first look finds nothing and arms the watch
  CHECK(f.run_for(Millis{500}) == 0);
  const auto writer = fork_bound();
  if (writer == 0) {
    const UniqueFd fd{::open(path.c_str(), O_WRONLY | O_APPEND)};
    for (int i = 0; i < 1'000'000; ++i)
      if (::write(fd.get(), "a line of a log, of some sixty bytes, as they are made every\n", 61) != 61)
        ::_exit(1);
    ::_exit(0);
  }
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  // One wake-up of the write, then one a second or so.
  const auto began = Loop::now().mono;
  int wake_ups = 0;
  siginfo_t info{};
  do {
    info = {};
    wake_ups += f.run_for(Millis{100});
    REQUIRE(::waitid(P_PID, static_cast<id_t>(writer), &info, WEXITED | WNOHANG) == 0);
  } while (info.si_pid == 0);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Loop::now().mono - began).count();
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(wake_ups <= 3 + 2 * seconds);
  const auto cpu = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1'000'000 + after.ru_utime.tv_usec -
                   before.ru_utime.tv_usec;
  CHECK(cpu < 50'000);
  CHECK(std::filesystem::file_size(path) == 61'000'000);
  f.run_for(Millis{2'500});
  CHECK(f.run_for(Millis{500}) == 0);
}

TEST_CASE("a thousand idle logs need no wake-up", "[logs]") {
  Fixture f;
  const auto policy = to_file(1U << 20);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    f.logs().attach(slot("web", i), policy);
    put_file(f.logs().open(slot("web", i), policy)->path, i % 2 == 0 ? "started\n" : "");
  }
  f.run_for(Millis{1'000});
  CHECK(f.logs().degraded().empty());
  CHECK(f.run_for(Millis{500}) == 0);
  // And each of them is still looked after.
  const auto path = f.logs().where(slot("web", 700), policy);
  put_file(path, std::string(2U << 20, 'a'));
  f.run_until([&] { return f.rotated(path) == 2; });
}

TEST_CASE("a log with neither limit is not watched at all", "[logs]") {
  Fixture f;
  const auto policy = to_file(0);
  f.logs().attach(slot("web", 0), policy);
  const auto path = f.logs().open(slot("web", 0), policy)->path;
  put_file(path, std::string(3U << 20, 'a'));
  CHECK(f.run_for(Millis{500}) == 0);
  // A live change sets a limit: it holds for what is there already.
  f.logs().attach(slot("web", 0), to_file(1U << 20));
  f.run_until([&] { return f.rotated(path) == 3; });
}

TEST_CASE("a log that is older than max_age is cut, by the clock it is given", "[logs]") {
  Fixture f;
  std::int64_t shift = 0;
  f.options.wall = [&] { return WallTime{Loop::now().wall.micros + shift}; };
  auto policy = to_file(0);
  policy.max_age = Millis{3'600'000};
  f.logs().attach(slot("web", 0), policy);
  const auto path = f.logs().open(slot("web", 0), policy)->path;
  put_file(path, test_lines(1'000));
  f.run_for(Millis{500});
  CHECK(f.rotated(path) == 0);
  shift = 2 * 3'600'000'000LL;
  put_file(path, "two hours later\n");
  f.run_until([&] { return f.rotated(path) == 1; });
  require_same(streamed(path), test_lines(1'000) + "two hours later\n");
  // What is left is less than a block: there is nothing to cut, and nobody tries.
  f.run_for(Millis{1'500});
  CHECK(f.run_for(Millis{500}) == 0);
}

TEST_CASE("max_age alone wakes the daemon when it is over", "[logs]") {
  Fixture f;
  auto policy = to_file(0);
  policy.max_age = Millis{1'500};
  f.logs().attach(slot("web", 0), policy);
  const auto path = f.logs().open(slot("web", 0), policy)->path;
  put_file(path, test_lines(1'000));
  f.run_until([&] { return f.rotated(path) == 1; });
  require_same(streamed(path), test_lines(1'000));
}

TEST_CASE("a rotation that fails is told, and the log goes on", "[logs]") {
  Fixture f;
  int told = 0;
  f.options.changed = [&] { ++told; };
  f.options.tool = "/bin/false";
  f.logs().attach(slot("web", 0), to_file(10'000));
  const auto path = f.logs().open(slot("web", 0), to_file(10'000))->path;
  put_file(path, test_lines(1'000));
  f.run_until([&] { return !f.logs().degraded().empty(); });
  CHECK(f.logs().degraded().front() == "the log '" + path + "' is not rotated: its helper failed");
  CHECK(told == 1);
  require_same(streamed(path), test_lines(1'000));
}

TEST_CASE(
    "where no front can be cut off, a writer stands between, and its death loses nothing that is in the pipe",
    "[logs][writer]") {
  Fixture f;
  f.options.force_pipe = true;
  const auto web = slot("web", 0);
  const auto policy = to_file(500'000);
  f.logs().attach(web, policy);
  const auto path = f.options.directory + "/shop/web.0.log";
  constexpr std::uint64_t lines = 100'000;
  auto first = f.logs().open(web, policy).value();
  REQUIRE(first.kind == Stdio::Kind::fd);
  const auto app = fork_bound();
  if (app == 0) {
    append_lines(first.fd.get(), lines);
    ::_exit(0);
  }
  first.fd.reset();
  f.run_until([&] { return ended(app); });
  const auto want = test_lines(lines);
  f.run_until([&] { return streamed(path).size() == want.size(); });
  // The next start uses the same writer; when that dies, another one takes the pipe over.
  auto second = f.logs().open(web, policy).value();
  const auto killed = in_child([] {});
  CHECK(killed == 0);
  const pid_t writer = child_that_writes(path);
  REQUIRE(writer > 0);
  f.run_for(Millis{1'100});
  // Stopped first: one that is woken by a line while it is being killed takes that along.
  siginfo_t stopped{};
  REQUIRE(::kill(writer, SIGSTOP) == 0);
  REQUIRE(::waitid(P_PID, static_cast<id_t>(writer), &stopped, WSTOPPED) == 0);
  REQUIRE(write_all(second.fd.get(), "after its death\n"));
  REQUIRE(::kill(writer, SIGKILL) == 0);
  f.run_until([&] { return streamed(path).size() == want.size() + 16; });
  require_same(streamed(path), want + "after its death\n");
  CHECK(f.logs().degraded().empty());
  second.fd.reset();
  f.logs().detach(web);
}
