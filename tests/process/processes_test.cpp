// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <array>

#include "processes_support.h"

using namespace svd;
using namespace svd::test;

TEST_CASE("a program runs, ends, and leaves nothing", "[processes]") {
  Lab lab;
  auto plan = lab.plan({"/bin/sh", "-c", "exit 3"});
  const auto id = plan.id;
  const auto pid = lab.start(std::move(plan));
  CHECK(pid > 1);
  CHECK(lab.exit_of(id) == ExitStatus{ExitStatus::Kind::code, 3, false});
  CHECK(lab.find<Gone>(id) == nullptr);
  lab.kill_and_wait(id);
  CHECK(lab.count<Spawned>() == 1);
  CHECK(lab.count<Exited>() == 1);
  CHECK(lab.count<Gone>() == 1);
}

TEST_CASE("an exit by a signal is told as one", "[processes]") {
  Lab lab;
  auto plan = lab.plan({"/bin/sh", "-c", "kill -SEGV $$"});
  const auto id = plan.id;
  lab.start(std::move(plan));
  const auto status = lab.exit_of(id);
  CHECK(status.kind == ExitStatus::Kind::signal);
  CHECK(status.number == SIGSEGV);
}

TEST_CASE("each step of a start that fails is named, with its errno and object", "[processes]") {
  Lab lab;
  auto plan = lab.plan({"/bin/true"});
  SECTION("the working directory") {
    plan.cwd = "/nowhere/at/all";
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::directory, ENOENT, "/nowhere/at/all"});
  }
  SECTION("a program that is not there") {
    plan.argv = {"/bin/nope"};
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::exec, ENOENT, "/bin/nope"});
  }
  SECTION("a program that is nowhere in PATH") {
    plan.argv = {"no-such-program"};
    plan.envp = {"PATH=/nowhere:/bin"};
    CHECK(to_text(lab.fail_to_start(plan)) ==
          "executing the program: 'no-such-program' is in no directory of its PATH (/nowhere:/bin)");
  }
  SECTION("the interpreter of a script that is there") {
    std::ofstream{lab.home / "tool"} << "#! /no/such -x\n";
    std::filesystem::permissions(lab.home / "tool", std::filesystem::perms::owner_all);
    plan.argv = {"./tool"};
    CHECK(to_text(lab.fail_to_start(plan)) ==
          "executing the program: './tool' needs the interpreter '/no/such', which is missing");
  }
  SECTION("the interpreter of a script that is in PATH") {
    std::ofstream{lab.home / "tool"} << "#!/no/such\n";
    std::filesystem::permissions(lab.home / "tool", std::filesystem::perms::owner_all);
    plan.envp = {"PATH=/nowhere:" + lab.home.path()};
    plan.argv = {"tool"};
    CHECK(to_text(lab.fail_to_start(plan)) == "executing the program: '" + (lab.home / "tool") +
                                                  "' needs the interpreter '/no/such', which is missing");
  }
  SECTION("the loader of a program that is there") {
    auto program = slurp(SVD_REPORT_SELF);
    const auto at = program.find("/ld-");
    REQUIRE(at != std::string::npos);
    program[at + 1] = 'X';
    std::ofstream{lab.home / "tool"} << program;
    std::filesystem::permissions(lab.home / "tool", std::filesystem::perms::owner_all);
    plan.argv = {lab.home / "tool"};
    CHECK_THAT(to_text(lab.fail_to_start(plan)),
               ContainsSubstring("/Xd-") && ContainsSubstring("is missing"));
  }
  SECTION("a file that is not executable") {
    plan.argv = {"/etc/passwd"};
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::exec, EACCES, "/etc/passwd"});
  }
  SECTION("permission denied in PATH outweighs not found") {
    std::ofstream{lab.home / "tool"} << "x";
    plan.envp = {"PATH=" + lab.home.path() + ":/bin"};
    plan.argv = {"tool"};
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::exec, EACCES, "tool"});
  }
  SECTION("a file that is no program") {
    std::ofstream{lab.home / "tool"} << "not a program";
    std::filesystem::permissions(lab.home / "tool", std::filesystem::perms::owner_all);
    plan.argv = {"./tool"};
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::exec, ENOEXEC, "./tool"});
  }
  SECTION("the user") {
    plan.user = "no-such-user";
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::user, ENOENT, "no-such-user"});
  }
  SECTION("the group") {
    plan.group = "no-such-group";
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::group, ENOENT, "no-such-group"});
  }
  SECTION("a resource limit") {
    plan.rlimits[RLIMIT_NOFILE] = {2000, 1000};  // soft above hard
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::rlimit, EINVAL, "nofile"});
  }
  SECTION("the log, as its source says") {
    lab.stdio.refuse = EAGAIN;
    CHECK(lab.fail_to_start(plan).stage == StartStage::log);
  }
  SECTION("the log, opened by the child") {
    lab.stdio.kind = Stdio::Kind::path;
    lab.stdio.path = "/nowhere/at/all.log";
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::log, ENOENT, "/nowhere/at/all.log"});
  }
  SECTION("a log that is a FIFO without a reader does not hang the keeper") {
    lab.stdio.kind = Stdio::Kind::path;
    lab.stdio.path = lab.home / "fifo";
    REQUIRE(::mkfifo(lab.stdio.path.c_str(), 0600) == 0);
    CHECK(lab.fail_to_start(plan) == StartFailure{StartStage::log, ENXIO, lab.stdio.path});
  }
  CHECK(lab.count<Spawned>() == 0);
}

namespace {

// What report_self says when it is started by this plan.
std::string report_of(Lab& lab, LaunchPlan plan) {
  lab.make_fifo("report.fifo");
  plan.argv = {SVD_REPORT_SELF, lab.home / "report"};
  lab.start(std::move(plan));
  CHECK(lab.read_fifo("report.fifo") == "done\n");
  return slurp(lab.home / "report");
}

}  // namespace

TEST_CASE("a child has descriptors 0 to 2 and no others", "[processes]") {
  Lab lab;
  REQUIRE(lab.processes->hold("one", 0).has_value());
  const auto kind = GENERATE(Stdio::Kind::null, Stdio::Kind::path, Stdio::Kind::fd, Stdio::Kind::inherit);
  lab.stdio.kind = kind;
  lab.stdio.path = lab.home / "log";
  const UniqueFd log{::open(lab.stdio.path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
  lab.stdio.fd = log.get();
  const auto report = report_of(lab, lab.plan({}));
  CHECK(report.starts_with("fd 0 /dev/null\nfd 1 "));
  CHECK_THAT(report, ContainsSubstring("\nfd 2 "));
  std::size_t descriptors = 0;
  for (auto at = report.find("fd "); at != std::string::npos; at = report.find("\nfd ", at + 1))
    ++descriptors;
  CHECK(descriptors == 3);
  const auto both = [](const std::string& target) { return "fd 1 " + target + "\nfd 2 " + target + "\n"; };
  if (kind == Stdio::Kind::null) CHECK_THAT(report, ContainsSubstring(both("/dev/null")));
  if (kind == Stdio::Kind::path || kind == Stdio::Kind::fd)
    CHECK_THAT(report, ContainsSubstring(both(lab.stdio.path)));
}

namespace {

struct FixedListeners final : ListenerSource {
  Result<std::vector<std::string>> held_for(const LaunchPlan&) override {
    if (names.empty()) return fail(std::errc::address_in_use, "cannot bind");
    return names;
  }
  std::vector<std::string> names;
};

struct FixedChannels final : ChannelSource {
  Result<UniqueFd> open(LaunchPlan& plan, const Given&) override {
    plan.envp.emplace_back("ADDED=1");
    if (plan.channel == ChannelKind::none) return UniqueFd{};
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
      return fail_errno(errno, "cannot open a channel");
    ours = UniqueFd{pair[0]};
    inode = link_of(pair[1]);
    return UniqueFd{pair[1]};
  }
  static std::string link_of(int fd) {
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd));
  }
  UniqueFd ours;
  std::string inode;
};

Listener listener(const std::string& name) {
  Listener made;
  made.name = Name::parse(name).value();
  return made;
}

// A Lab whose starts get two sockets by name, and a channel where the plan has one.
struct PassingLab {
  PassingLab() {
    lab.listeners = &listeners;
    lab.channels = &channels;
    lab.end();
    lab.connect(start_keeper());
    for (auto& one : sockets) {
      one = UniqueFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
      listeners.names.push_back("listener:" + std::to_string(listeners.names.size()));
      REQUIRE(lab.processes->hold(listeners.names.back(), one.get()).has_value());
    }
  }
  LaunchPlan plan() {
    auto made = lab.plan({});
    made.envp = {"LISTEN_FDS=2", "LISTEN_PID=0000000000", "LISTEN_PID_2=0000000000"};
    made.listen = {listener("http"), listener("admin")};
    return made;
  }

  FixedListeners listeners;
  FixedChannels channels;
  Lab lab;
  std::array<UniqueFd, 2> sockets;
};

std::string fds_of(const std::string& report) { return report.substr(0, report.find("session")); }

}  // namespace

TEST_CASE("a child gets what its app declares as 3, 4, …, and nothing else", "[processes]") {
  PassingLab test;
  auto& lab = test.lab;
  lab.stdio.kind = GENERATE(Stdio::Kind::null, Stdio::Kind::path, Stdio::Kind::fd);
  lab.stdio.path = lab.home / "log";
  const UniqueFd log{::open(lab.stdio.path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
  lab.stdio.fd = log.get();
  auto plan = test.plan();
  plan.channel = GENERATE(ChannelKind::none, ChannelKind::json);
  const bool has_channel = plan.channel != ChannelKind::none;
  const auto report = report_of(lab, std::move(plan));
  const auto out = lab.stdio.kind == Stdio::Kind::null ? std::string{"/dev/null"} : lab.stdio.path;
  CHECK(fds_of(report) == "fd 0 /dev/null\nfd 1 " + out + "\nfd 2 " + out + "\nfd 3 " +
                              FixedChannels::link_of(test.sockets[0].get()) + "\nfd 4 " +
                              FixedChannels::link_of(test.sockets[1].get()) + "\n" +
                              (has_channel ? "fd 5 " + test.channels.inode + "\n" : ""));
  CHECK_THAT(report, ContainsSubstring("env ADDED=1\n"));
}

TEST_CASE("LISTEN_PID is the child's own pid in decimal, and other variables are left alone", "[processes]") {
  PassingLab test;
  auto plan = test.plan();
  const auto id = plan.id;
  const auto report = report_of(test.lab, std::move(plan));
  CHECK_THAT(report, ContainsSubstring("env LISTEN_FDS=2\nenv LISTEN_PID=" +
                                       std::to_string(test.lab.find<Spawned>(id)->pid) +
                                       "\nenv LISTEN_PID_2=0000000000\n"));
}

TEST_CASE("a channel ends with its process: nobody else has the child's end", "[processes]") {
  PassingLab test;
  auto& lab = test.lab;
  auto plan = test.plan();
  plan.channel = ChannelKind::json;
  plan.argv = {"/bin/true"};
  const auto id = plan.id;
  lab.start(std::move(plan));
  lab.exit_of(id);
  char byte = 0;
  CHECK(::recv(test.channels.ours.get(), &byte, 1, 0) == 0);
}

TEST_CASE("many starts at once each get a channel of their own", "[processes]") {
  PassingLab test;
  auto& lab = test.lab;
  const UniqueFd log{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  lab.stdio.kind = Stdio::Kind::fd;
  lab.stdio.fd = log.get();
  std::vector<StartId> ids;
  std::vector<UniqueFd> ends;
  for (int i = 0; i < 200; ++i) {
    auto plan = test.plan();
    plan.channel = ChannelKind::json;
    plan.argv = {"/bin/sh", "-c", "echo $SVD_N >&5"};
    plan.envp.push_back("SVD_N=" + std::to_string(i));
    // Too large for a message now and then: it goes as a file, with its descriptors.
    if (i % 50 == 7) plan.envp.push_back("BIG=" + std::string(70'000, 'x'));
    ids.push_back(plan.id);
    lab.processes->spawn(std::move(plan));
    ends.push_back(std::move(test.channels.ours));
  }
  lab.processes->flush();
  REQUIRE(lab.run_until([&] { return lab.count<Exited>() == ids.size(); }));
  for (std::size_t i = 0; i < ends.size(); ++i) {
    char text[16] = {};
    CHECK(::recv(ends[i].get(), text, sizeof text - 1, 0) > 0);
    CHECK(std::string{text} == std::to_string(i) + "\n");
  }
}

TEST_CASE("a start whose socket is not held fails, and the listener is named", "[processes]") {
  PassingLab test;
  auto plan = test.plan();
  SECTION("by the keeper") {
    test.lab.processes->release(test.listeners.names[1]);
    plan.argv = {"/bin/true"};
    CHECK(test.lab.fail_to_start(plan) == StartFailure{StartStage::sockets, ENOENT, "admin"});
  }
  SECTION("by the listeners") {
    test.listeners.names.clear();
    CHECK(test.lab.fail_to_start(plan) == StartFailure{StartStage::sockets, 0, "cannot bind"});
  }
}

TEST_CASE("a child's environment is closed, its signals are as after boot, and it leads a session",
          "[processes]") {
  Lab lab;
  auto plan = lab.plan({});
  plan.envp = {"ONE=1", "HOME=/here"};
  const auto report = report_of(lab, std::move(plan));
  CHECK_THAT(report, ContainsSubstring("env ONE=1\nenv HOME=/here\n"));
  for (const auto* const other : {"env PATH=", "env PWD=", "env SVD", "blocked", "handled"})
    CHECK_THAT(report, !ContainsSubstring(other));
  CHECK_THAT(report, ContainsSubstring("session own\n"));
}

TEST_CASE("what the plan asks for is what the process has", "[processes]") {
  if (::geteuid() != 0) return;
  Lab lab;
  std::filesystem::permissions(lab.home.path(), std::filesystem::perms::all);
  auto plan = lab.plan({"/bin/sleep", "1000"});
  plan.user = "nobody";
  plan.group = "daemon";
  plan.groups = {"mail"};
  plan.umask = 027;
  plan.nice = 7;
  plan.oom_score_adj = 300;
  plan.rlimits[RLIMIT_NOFILE] = {77, 88};
  const auto pid = lab.start(std::move(plan));
  const auto proc = "/proc/" + std::to_string(pid) + "/";
  const auto status = slurp(proc + "status");
  CHECK_THAT(status, ContainsSubstring("Uid:\t65534\t65534\t65534\t65534"));
  CHECK_THAT(status, ContainsSubstring("Gid:\t1\t1\t1\t1"));
  CHECK_THAT(status, ContainsSubstring("Groups:\t1 8 \n"));
  CHECK_THAT(status, ContainsSubstring("Umask:\t0027"));
  CHECK(slurp(proc + "oom_score_adj") == "300\n");
  CHECK_THAT(slurp(proc + "limits"), ContainsSubstring("Max open files            77                   88"));
  CHECK(::getpriority(PRIO_PROCESS, static_cast<id_t>(pid)) == 7);

  plan = lab.plan({"/usr/bin/env"});
  plan.user = "nobody";
  const auto environment = lab.output(std::move(plan));
  CHECK_THAT(environment, ContainsSubstring("USER=nobody\n"));
  CHECK_THAT(environment, ContainsSubstring("LOGNAME=nobody\n"));
}

TEST_CASE("a link to a directory is followed once, at the start; what runs stays where it leads then",
          "[processes]") {
  Lab lab;
  const auto home = std::filesystem::canonical(lab.home.path()).string();
  for (const auto* release : {"1", "2"}) std::filesystem::create_directory(lab.home / release);
  std::filesystem::create_directory_symlink("1", lab.home / "current");
  const auto start = [&] {
    auto plan = lab.plan({"/bin/sleep", "1000"});
    plan.cwd = lab.home / "current";
    const auto id = plan.id;
    const auto pid = lab.start(std::move(plan));
    CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd") ==
          lab.processes->directory(id));
    return id;
  };
  const auto first = start();
  std::filesystem::remove(lab.home / "current");
  std::filesystem::create_directory_symlink("2", lab.home / "current");
  const auto second = start();
  CHECK(lab.processes->directory(first) == home + "/1");
  CHECK(lab.processes->directory(second) == home + "/2");
  CHECK(lab.processes->directory(StartId{99}).empty());
}

TEST_CASE("an app's limit of descriptors is the daemon's own unless it asks for one", "[processes]") {
  rlimit own{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &own) == 0);
  Lab lab;
  CHECK(lab.output(lab.plan({"/bin/sh", "-c", "ulimit -Sn"})) == std::to_string(own.rlim_cur) + "\n");
}

TEST_CASE("killing a living instance ends with its exit, then with nothing left", "[processes]") {
  Lab lab;
  auto plan = lab.plan({"/bin/sh", "-c", "trap '' TERM; sleep 1000 & while :; do sleep 1000; done"});
  const auto id = plan.id;
  lab.start(std::move(plan));
  lab.processes->kill(id);
  lab.wait<Gone>(id);
  REQUIRE(lab.find<Exited>(id) != nullptr);
  CHECK(lab.find<Exited>(id)->status == ExitStatus{ExitStatus::Kind::signal, SIGKILL, false});
  CHECK(std::holds_alternative<Gone>(lab.events.back()));
}

TEST_CASE("a kill before the birth is carried out after it", "[processes]") {
  Lab lab;
  auto plan = lab.plan({"/bin/sleep", "1000"});
  const auto id = plan.id;
  lab.processes->spawn(std::move(plan));
  lab.processes->kill(id);
  lab.processes->flush();
  lab.wait<Gone>(id);
  CHECK(lab.find<Spawned>(id) != nullptr);
  CHECK(lab.find<Exited>(id) != nullptr);
}

TEST_CASE("a signal goes to the main process or to its group", "[processes]") {
  Lab lab;
  const auto whom = GENERATE(KillTarget::main, KillTarget::group);
  lab.make_fifo("up");
  lab.make_fifo("hold");
  // A leader whose group was signalled waits for the other one, which may else be killed with the group.
  const std::string leader =
      whom == KillTarget::group ? "trap 'wait; exit 9' TERM; " : "trap 'exit 9' TERM; ";
  auto plan =
      lab.plan({"/bin/sh", "-c",
                leader + "sh -c 'trap \"echo > got; exit 0\" TERM; echo > up; read x < hold' & wait"});
  const auto id = plan.id;
  lab.start(std::move(plan));
  if (whom == KillTarget::group) lab.make_fifo("got");
  lab.read_fifo("up");
  lab.processes->signal(id, SIGTERM, whom);
  if (whom == KillTarget::group) CHECK(lab.read_fifo("got") == "\n");
  CHECK(lab.exit_of(id) == ExitStatus{ExitStatus::Kind::code, 9, false});
  lab.kill_and_wait(id);
  if (whom == KillTarget::main) CHECK_FALSE(std::filesystem::exists(lab.home / "got"));
}

TEST_CASE("a thousand starts in one flush all come up, and all go", "[processes]") {
  Lab lab;
  std::vector<StartId> ids;
  for (int i = 0; i < 1000; ++i) {
    auto plan = lab.plan({"/bin/sleep", "1000"});
    ids.push_back(plan.id);
    lab.processes->spawn(std::move(plan));
  }
  lab.processes->flush();
  REQUIRE(lab.run_until([&] { return lab.count<Spawned>() == ids.size(); }));
  for (const auto id : ids) lab.processes->signal(id, SIGTERM, KillTarget::group);
  REQUIRE(lab.run_until([&] { return lab.count<Exited>() == ids.size(); }));
  for (const auto id : ids) lab.processes->kill(id);
  REQUIRE(lab.run_until([&] { return lab.count<Gone>() == ids.size(); }));
  CHECK(lab.count<SpawnFailed>() == 0);
}

TEST_CASE("a start larger than a message arrives all the same", "[processes]") {
  Lab lab;
  auto plan = lab.plan({"/bin/sh", "-c", "echo ${#BIG}"});
  plan.envp.push_back("BIG=" + std::string(100'000, 'x'));
  CHECK(lab.output(std::move(plan)) == "100000\n");
}

TEST_CASE("a start that is larger than the kernel takes fails as one", "[processes]") {
  Lab lab;
  auto plan = lab.plan({"/bin/true"});
  plan.envp.push_back("BIG=" + std::string(3'000'000, 'x'));
  CHECK(lab.fail_to_start(std::move(plan)) == StartFailure{StartStage::exec, E2BIG, "/bin/true"});
}

TEST_CASE("held descriptors come back, a name holds the last one, released ones are gone", "[processes]") {
  Lab lab;
  const UniqueFd one{::open("/etc/passwd", O_RDONLY | O_CLOEXEC)};
  const UniqueFd two{::open("/etc/group", O_RDONLY | O_CLOEXEC)};
  REQUIRE(lab.processes->hold("a", one.get()).has_value());
  REQUIRE(lab.processes->hold("b", one.get()).has_value());
  REQUIRE(lab.processes->hold("a", two.get()).has_value());
  lab.processes->release("b");
  CHECK(lab.processes->held_names() == std::vector<std::string>{"a"});
  const auto back = lab.processes->held("a");
  REQUIRE(back.has_value());
  CHECK(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(back->get())) == "/etc/group");
  CHECK_FALSE(lab.processes->held("b").has_value());
  CHECK_FALSE(lab.processes->hold("", one.get()).has_value());
}
