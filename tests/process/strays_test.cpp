// SPDX-License-Identifier: Apache-2.0
#include "kernel/strays.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <fstream>

#include "kernel/child_journal.h"
#include "kernel/former_base.h"
#include "processes_support.h"

using namespace svd;
using namespace svd::test;

namespace {

// An instance with two strays, one in a session of its own and one forked twice; each has told its pid.
struct Family {
  explicit Family(Lab& lab, const std::string& first = "exec sleep 1000") {
    for (const auto* const fifo : {"one", "two"}) lab.make_fifo(fifo);
    std::ofstream{lab.home / "first"} << "echo $$ > one; " << first << "\n";
    auto plan = lab.plan({"/bin/sh", "-c",
                          "setsid sh ./first & (setsid sh -c 'echo $$ > two; exec sleep 1000' &); "
                          "exec sleep 1000"});
    id = plan.id;
    pid = lab.start(std::move(plan));
    for (const auto* const fifo : {"one", "two"}) strays.push_back(std::stoll(lab.read_fifo(fifo)));
  }
  [[nodiscard]] std::size_t alive() const {
    return static_cast<std::size_t>(std::ranges::count_if(strays, is_alive));
  }
  StartId id{};
  std::int64_t pid = 0;
  std::vector<std::int64_t> strays;
};

ChildJournal::Entry entry(std::uint64_t id) {
  ChildJournal::Entry made;
  made.child.id = StartId{id};
  made.child.slot = {{Name::parse("shop").value(), Name::parse("web").value()}, 7};
  made.child.revision = 3;
  made.child.generation = 77;
  made.child.pid = static_cast<std::int64_t>(1000 + id);
  made.child.started = WallTime{123'456};
  made.start_ticks = 5000 + id;
  made.stop = {2000, SIGINT, keeper::Whom::main, 0};
  return made;
}

std::vector<std::uint64_t> ids(const std::vector<ChildJournal::Entry>& entries) {
  std::vector<std::uint64_t> found;
  for (const auto& one : entries) found.push_back(static_cast<std::uint64_t>(one.child.id));
  std::ranges::sort(found);
  return found;
}

}  // namespace

TEST_CASE("stray children go with their instance, with cgroups and without", "[processes][strays]") {
  Lab lab{GENERATE(true, false)};
  const Family family{lab};
  REQUIRE(::kill(static_cast<pid_t>(family.pid), SIGKILL) == 0);
  CHECK(lab.exit_of(family.id) == ExitStatus{ExitStatus::Kind::signal, SIGKILL, false});
  CHECK(family.alive() == 2);
  lab.kill_and_wait(family.id);
  CHECK(family.alive() == 0);
}

TEST_CASE("a kill of a living instance takes its strays along, with cgroups and without",
          "[processes][strays]") {
  Lab lab{GENERATE(true, false)};
  const Family family{lab};
  lab.kill_and_wait(family.id);
  CHECK_FALSE(is_alive(family.pid));
  CHECK(family.alive() == 0);
}

TEST_CASE("strays that are given time are waited for, and killed when it is over", "[processes][strays]") {
  Lab lab{GENERATE(true, false)};
  const bool in_time = GENERATE(true, false);
  const Family family{lab};
  lab.processes->signal(family.id, SIGTERM, KillTarget::group);
  lab.exit_of(family.id);
  lab.processes->await(family.id);
  CHECK_FALSE(lab.run_until([&] { return lab.find<Gone>(family.id) != nullptr; }, Millis{50}));
  CHECK(family.alive() == 2);
  if (in_time) {
    for (const auto pid : family.strays) REQUIRE(::kill(static_cast<pid_t>(pid), SIGTERM) == 0);
    lab.wait<Gone>(family.id);
  } else {
    lab.kill_and_wait(family.id);
  }
  CHECK(family.alive() == 0);
}

TEST_CASE("without cgroups a stray is known by its parent or its session as well", "[processes][strays]") {
  Lab lab{false};
  SECTION("of a parent that is known, whatever its own environment") {
    lab.make_fifo("three");
    const Family family{lab, "env -i setsid /bin/sh -c 'echo $$ > three; exec /bin/sleep 1000'; true"};
    const auto hidden = std::stoll(lab.read_fifo("three"));
    lab.kill_and_wait(family.id);
    CHECK(family.alive() == 0);
    CHECK_FALSE(is_alive(hidden));
  }
  SECTION("of the session, in a process group of its own") {
    lab.make_fifo("up");
    auto plan =
        lab.plan({"/bin/sh", "-c",
                  "set -m; env -i /bin/sh -c 'echo $$ > up; exec /bin/sleep 1000' & exec sleep 1000"});
    const auto id = plan.id;
    lab.start(std::move(plan));
    const auto hidden = std::stoll(lab.read_fifo("up"));
    lab.kill_and_wait(id);
    CHECK_FALSE(is_alive(hidden));
  }
}

TEST_CASE("nobody but its own goes with an instance", "[processes][strays]") {
  Lab lab{false};
  const Family family{lab};
  auto plan = lab.plan({"/bin/sh", "-c", "exec sleep 1000"});
  const auto other = plan.id;
  // It says that it belongs to the other daemon's start of that number.
  plan.envp.push_back("SVD_START=" + start_value(SipKey{7, 7}, family.id));
  const auto pid = lab.start(std::move(plan));
  lab.kill_and_wait(family.id);
  CHECK(is_alive(pid));
  CHECK(lab.find<Exited>(other) == nullptr);
}

TEST_CASE("strays of adopted instances are found wherever they went", "[processes][strays]") {
  Lab lab{false};
  const Family family{lab};
  REQUIRE(::kill(static_cast<pid_t>(lab.keeper), SIGKILL) == 0);
  REQUIRE(lab.run_until([&] { return lab.replaced == 1; }));
  REQUIRE(::kill(static_cast<pid_t>(family.pid), SIGKILL) == 0);
  CHECK(lab.exit_of(family.id).kind == ExitStatus::Kind::unknown);
  CHECK(family.alive() == 2);
  lab.kill_and_wait(family.id);
  CHECK(family.alive() == 0);
}

TEST_CASE("a mark is found in an environment only when it is whole and made with our key", "[strays]") {
  using namespace std::string_literals;
  const SipKey key{1, 2};
  const auto mark = "SVD_START=" + start_value(key, StartId{17});
  const auto of_another = "SVD_START=" + start_value(SipKey{1, 3}, StartId{17});
  const auto word = mark.substr(0, mark.find('.'));
  const auto [environment, want] = GENERATE_REF(table<std::string, std::optional<StartId>>({
      {"A=1\0"s + mark + "\0B=2\0"s, StartId{17}},
      {mark, StartId{17}},
      {"SVD_START=cd.3\0"s + mark + "\0"s, StartId{17}},
      {"X"s + mark + "\0"s, std::nullopt},
      {of_another + "\0"s, std::nullopt},
      {word + ".18\0"s, std::nullopt},
      {word + ".\0"s, std::nullopt},
      {word + ".0\0"s, std::nullopt},
      {mark + "x\0"s, std::nullopt},
      {"SVD_START=.17\0"s, std::nullopt},
      {word + ".99999999999999999999999\0"s, std::nullopt},
      {""s, std::nullopt},
  }));
  CHECK(start_of(environment, key) == want);
  CHECK(start_of(environment, std::nullopt) == std::nullopt);
}

TEST_CASE("the key of marks is one for a state directory, and its owner's alone", "[strays]") {
  const TempDir home;
  const auto first = load_start_key(home.path());
  REQUIRE(first.key);
  CHECK(first.kept);
  CHECK(load_start_key(home.path()).key == first.key);
  struct stat status {};
  REQUIRE(::stat((home / "start-key").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const TempDir other;
  CHECK(load_start_key(other.path()).key != first.key);
  const auto lost = load_start_key("/nowhere");
  CHECK(lost.key);
  CHECK_FALSE(lost.kept);
}

TEST_CASE("with cgroups nobody becomes a start's by what he says", "[processes][strays]") {
  Lab lab{true};
  auto plan = lab.plan({"/bin/sh", "-c", "exec sleep 1000"});
  const auto id = plan.id;
  const auto pid = lab.start(std::move(plan));
  CHECK(lab.processes->owner_of(pid) == id);
  const auto number = std::to_string(static_cast<std::uint64_t>(id));
  struct stat state {};
  REQUIRE(::stat(lab.home.path().c_str(), &state) == 0);
  const auto forged = GENERATE(std::string{}, std::string{"0000000000000000"});
  const auto variable = "SVD_START=" + forged + "." + number;
  std::array<int, 2> said{};
  REQUIRE(::pipe2(said.data(), O_CLOEXEC) == 0);
  const int stranger = ::fork();
  if (stranger == 0) {
    ::setsid();
    ::dup2(said[1], 1);
    ::execle("/bin/sh", "sh", "-c", "echo; exec /bin/sleep 1000", nullptr,
             std::array<const char*, 2>{variable.c_str(), nullptr}.data());
    ::_exit(1);
  }
  char line = 0;
  CHECK(::read(said[0], &line, 1) == 1);
  CHECK(lab.processes->owner_of(stranger) == StartId{});
  ::kill(stranger, SIGKILL);
  ::waitpid(stranger, nullptr, 0);
  ::close(said[0]);
  ::close(said[1]);
  lab.kill_and_wait(id);
}

TEST_CASE("whose a process is: its own word, then its session's, then its parent's", "[strays]") {
  const auto process = [](std::int64_t pid, std::int64_t parent, std::int64_t session, char state = 'S') {
    return Process{pid, {.state = state, .parent = parent, .session = session, .start_ticks = 1}};
  };
  const SipKey key{1, 2};
  const auto first = "SVD_START=" + start_value(key, StartId{1});
  const auto second = "SVD_START=" + start_value(key, StartId{2});
  std::map<std::int64_t, std::string> words{{10, first}, {20, second}, {11, second}};
  const StraySearch search{.key = key,
                           .is_wanted = [](StartId id) { return id == StartId{1}; },
                           .leads = [](std::int64_t session) -> std::optional<StartId> {
                             if (session == 5) return StartId{1};
                             return std::nullopt;
                           },
                           .environment = [&](std::int64_t pid) { return words[pid]; }};
  const std::vector<Process> processes{
      process(10, 2, 10),        // says it is 1's
      process(11, 10, 11),       // its child, which says it is 2's
      process(12, 10, 12),       // its child, which says nothing
      process(13, 12, 13, 'Z'),  // has ended
      process(14, 13, 14),       // of one that has ended
      process(20, 2, 20),        // 2's
      process(21, 20, 5),        // of 1's session, though its parent is 2's
      process(30, 31, 30),       // parents of each other, as recycled pids may look
      process(31, 30, 31),
  };
  std::vector<std::int64_t> found;
  for (const auto& stray : find_strays(processes, search)) {
    CHECK(stray.id == StartId{1});
    found.push_back(stray.pid);
  }
  CHECK(found == std::vector<std::int64_t>{10, 12, 14, 21});
}

TEST_CASE("the journal of children tells what was put into it and not taken out", "[strays][journal]") {
  const TempDir home;
  const auto path = home / "state/children";
  {
    ChildJournal journal{path};
    CHECK(journal.load().empty());
    for (std::uint64_t id = 1; id <= 100; ++id) REQUIRE(journal.put(entry(id)).has_value());
    for (std::uint64_t id = 1; id <= 100; ++id)
      if (id % 10 != 0) journal.erase(StartId{id});
    REQUIRE(journal.put(entry(101)).has_value());
    REQUIRE(journal.put(entry(101)).has_value());
    journal.erase(StartId{999});
  }
  ChildJournal journal{path};
  const auto loaded = journal.load();
  CHECK(ids(loaded) == std::vector<std::uint64_t>{10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 101});
  const auto want = entry(50);
  const auto have = std::ranges::find(loaded, StartId{50}, [](const auto& one) { return one.child.id; });
  REQUIRE(have != loaded.end());
  CHECK(have->child.slot == want.child.slot);
  CHECK(have->child.pid == want.child.pid);
  CHECK(have->child.generation == want.child.generation);
  CHECK(have->start_ticks == want.start_ticks);
  CHECK(have->stop.timeout == want.stop.timeout);
  // Places are used again: it does not grow with the number of starts.
  const auto size = std::filesystem::file_size(path);
  for (std::uint64_t id = 200; id < 280; ++id) REQUIRE(journal.put(entry(id)).has_value());
  CHECK(std::filesystem::file_size(path) == size);
  journal.remove_if_empty();
  CHECK(std::filesystem::exists(path));
  for (const auto id : ids(ChildJournal{path}.load())) journal.erase(StartId{id});
  journal.remove_if_empty();
  CHECK_FALSE(std::filesystem::exists(path));
  REQUIRE(journal.put(entry(300)).has_value());
  CHECK(ids(ChildJournal{path}.load()) == std::vector<std::uint64_t>{300});
}

TEST_CASE("a journal of another boot, a damaged one and one that is no file count for nothing",
          "[strays][journal]") {
  const TempDir home;
  const auto path = home / "children";
  {
    ChildJournal journal{path};
    for (std::uint64_t id = 1; id <= 3; ++id) REQUIRE(journal.put(entry(id)).has_value());
  }
  const auto overwrite = [&](std::streamoff at, const std::string& bytes) {
    std::fstream{path, std::ios::in | std::ios::out | std::ios::binary}.seekp(at) << bytes;
  };
  SECTION("another boot") {
    overwrite(8, "00000000-0000-0000-0000-000000000000");
    ChildJournal journal{path};
    CHECK(journal.load().empty());
    REQUIRE(journal.put(entry(9)).has_value());
    CHECK(ids(ChildJournal{path}.load()) == std::vector<std::uint64_t>{9});
  }
  SECTION("one damaged record") {
    overwrite(2 * 256 + 16, "\xff\xff\xff\xff");
    CHECK(ids(ChildJournal{path}.load()) == std::vector<std::uint64_t>{1, 3});
  }
  SECTION("cut off") {
    std::filesystem::resize_file(path, 2 * 256 + 100);
    CHECK(ids(ChildJournal{path}.load()) == std::vector<std::uint64_t>{1});
  }
  SECTION("a link to it") {
    std::filesystem::create_symlink(path, home / "link");
    ChildJournal journal{home / "link"};
    CHECK(journal.load().empty());
    CHECK_FALSE(journal.put(entry(1)).has_value());
  }
  SECTION("a directory") {
    ChildJournal journal{home.path()};
    CHECK(journal.load().empty());
    CHECK_FALSE(journal.put(entry(1)).has_value());
  }
}

TEST_CASE("where a former daemon's instances are is remembered, and counts while somebody is there",
          "[cgroups]") {
  const TempDir home;
  const auto base = home / "base";
  CHECK(former_base(home / "state").empty());
  REQUIRE(remember_base(home / "state", base).has_value());
  CHECK(former_base(home / "state").empty());
  std::filesystem::create_directory(base);
  std::ofstream{base + "/cgroup.events"} << "populated 0\nfrozen 0\n";
  CHECK(former_base(home / "state").empty());
  std::ofstream{base + "/cgroup.events"} << "populated 1\nfrozen 0\n";
  CHECK(former_base(home / "state") == base);
  std::ofstream{home / "state/cgroup"} << "relative\n";
  CHECK(former_base(home / "state").empty());
}

TEST_CASE("processes can be put where what both cgroups have in common may be written to", "[cgroups]") {
  const TempDir home;
  const auto& top = home.path();
  for (const std::string path : {"a/x/svd-1", "a/xy", "b"}) std::filesystem::create_directories(home / path);
  std::ofstream{home / "a/cgroup.procs"} << "";
  CHECK(is_in_reach(top, home / "a/x", home / "a/xy"));
  CHECK(is_in_reach(top, home / "a", home / "a/x/svd-1"));
  CHECK_FALSE(is_in_reach(top, home / "a/x", home / "a/x/svd-1"));  // x itself has no such file
  CHECK_FALSE(is_in_reach(top, home / "a/x", home / "b"));
  std::ofstream{home / "cgroup.procs"} << "";
  CHECK(is_in_reach(top, home / "a/x", home / "b"));
}
