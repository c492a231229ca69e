// SPDX-License-Identifier: Apache-2.0
#include "keeper_support.h"
#include "kernel/cgroups.h"

using namespace svd;
using namespace svd::test;

namespace {

std::string id_and(std::uint64_t id, const std::string& rest) { return std::to_string(id) + " " + rest; }

}  // namespace

TEST_CASE("an engine that is killed is replaced and told everything; no instance is touched", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  CHECK_FALSE(prefix.taken_over);
  prefix.say("ready");
  prefix.say("hold one /etc/passwd");
  const auto pid = prefix.spawn(1, "/bin/sleep 1000");
  const auto gone = prefix.spawn(2, "/bin/sh -c true");
  prefix.expect("exited 2 1 0");
  CHECK(gone > 1);

  REQUIRE(::kill(prefix.engine_pid, SIGKILL) == 0);
  prefix.wait_for_engine_end();
  prefix.meet_engine();
  CHECK(prefix.taken_over);
  CHECK(prefix.has_found("child " + id_and(1, std::to_string(pid) + " 0 0 0 shop:web/1 5 6")));
  CHECK(prefix.has_found("child " + id_and(2, std::to_string(gone) + " 1 1 0 shop:web/2 5 6")));
  CHECK(prefix.has_found("held one"));
  CHECK(is_alive(pid));
}

TEST_CASE("exits are kept until they are forgotten, over any number of engines", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  prefix.spawn(1, "/bin/sleep 1000");
  prefix.say("signal 1 9");
  prefix.expect("exited 1 2 9");
  for (int i = 0; i < 3; ++i) {
    REQUIRE(::kill(prefix.engine_pid, SIGKILL) == 0);
    prefix.wait_for_engine_end();
    prefix.meet_engine();
    prefix.say("ready");
    std::istringstream line{prefix.found.empty() ? "" : prefix.found.front()};
    CHECK(prefix.has_found("child 1 "));
    CHECK_THAT(line.str(), ContainsSubstring(" 1 2 9 "));
  }
  prefix.say("forget 1");
  prefix.say("spawn 2 /bin/sleep 1000");
  prefix.expect("spawned 2 ");  // so the request before it was carried out
  REQUIRE(::kill(prefix.engine_pid, SIGKILL) == 0);
  prefix.wait_for_engine_end();
  prefix.meet_engine();
  CHECK_FALSE(prefix.has_found("child 1 "));
  CHECK(prefix.has_found("child 2 "));
}

TEST_CASE("what ends while there is no engine is told to the next one with its status", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  prefix.say("spawn_many 1 20 /bin/sleep 1000");
  for (int id = 1; id <= 20; ++id) prefix.expect("spawned " + std::to_string(id) + " ");
  // Stopped, so that it can neither read reports nor hang up while the children end.
  REQUIRE(::kill(prefix.engine_pid, SIGSTOP) == 0);
  for (std::uint64_t id = 1; id <= 20; ++id) {
    REQUIRE(::kill(static_cast<pid_t>(prefix.pids.at(id)),
                   static_cast<int>(id % 2 == 0 ? SIGTERM : SIGKILL)) == 0);
    prefix.wait_for_end_of(prefix.pids.at(id));
  }
  REQUIRE(::kill(prefix.engine_pid, SIGKILL) == 0);
  prefix.wait_for_engine_end();
  prefix.meet_engine();
  for (std::uint64_t id = 1; id <= 20; ++id) {
    CAPTURE(id);
    const auto expected =
        "child " + id_and(id, std::to_string(prefix.pids.at(id)) + (id % 2 == 0 ? " 1 2 15 " : " 1 2 9 "));
    // An exit may also come as an event, if the keeper had not reaped it when it listed.
    if (!prefix.has_found(expected)) prefix.expect("exited " + id_and(id, id % 2 == 0 ? "2 15" : "2 9"));
  }
}

TEST_CASE("an engine killed again and again serves again soon", "[keeper]") {
  Prefix prefix;
  prefix.start();
  for (int i = 0; i < 10; ++i) {
    const auto before = Loop::now().mono;
    prefix.meet_engine();
    prefix.say("ready");
    if (i > 0) CHECK(Loop::now().mono - before < Millis{1'000});
    prefix.spawn(static_cast<std::uint64_t>(i) + 1, "/bin/sleep 1000");
    REQUIRE(::kill(prefix.engine_pid, SIGKILL) == 0);
    prefix.wait_for_engine_end();
  }
  prefix.meet_engine();
  CHECK(std::ranges::count_if(prefix.found,
                              [](const std::string& line) { return line.starts_with("child "); }) == 10);
  for (const auto& [id, pid] : prefix.pids) CHECK(is_alive(pid));
}

TEST_CASE("a killed keeper is replaced by the engine, with every child and descriptor", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  prefix.say("hold one /etc/passwd");
  prefix.say("spawn_many 1 5 /bin/sleep 1000");
  for (int id = 1; id <= 5; ++id) prefix.expect("spawned " + std::to_string(id) + " ");
  const auto engine = prefix.engine_pid;

  REQUIRE(::kill(prefix.child, SIGKILL) == 0);
  CHECK(prefix.exit_code() == -SIGKILL);
  std::istringstream replaced{prefix.expect("replaced ")};
  std::string verb;
  replaced >> verb >> prefix.keeper;
  for (const auto& [id, pid] : prefix.pids) CHECK(is_alive(pid));

  // They are still supervised: an end is seen, its status is not.
  REQUIRE(::kill(static_cast<pid_t>(prefix.pids.at(2)), SIGKILL) == 0);
  prefix.expect("exited 2 3 0");
  prefix.say("kill 2");
  prefix.expect("gone 2");
  prefix.say("signal 3 15");
  prefix.expect("exited 3 3 0");
  // And new ones are the new keeper's own.
  prefix.spawn(6, "/bin/sh -c exit");
  prefix.expect("exited 6 1 0");

  // The next engine is the new keeper's child and knows them all.
  REQUIRE(::kill(engine, SIGKILL) == 0);
  prefix.wait_for_engine_end();
  prefix.meet_engine();
  CHECK(prefix.engine_pid != engine);
  CHECK(prefix.taken_over);
  CHECK(prefix.has_found("child " + id_and(1, std::to_string(prefix.pids.at(1)) + " 0 0 0 shop:web/1 5 6")));
  CHECK(prefix.has_found("child " + id_and(3, std::to_string(prefix.pids.at(3)) + " 1 3 0")));
  CHECK(prefix.has_found("held one"));
  prefix.say("signal 1 15");
  prefix.expect("exited 1 3 0");
}

TEST_CASE("a keeper that an engine started ends when that engine quits", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  REQUIRE(::kill(prefix.child, SIGKILL) == 0);
  CHECK(prefix.exit_code() == -SIGKILL);
  std::istringstream replaced{prefix.expect("replaced ")};
  std::string verb;
  replaced >> verb >> prefix.keeper;
  REQUIRE(::kill(static_cast<pid_t>(prefix.keeper), SIGTERM) == 0);
  prefix.expect("shutdown 0");
  const auto keeper = prefix.keeper;
  prefix.say("quit 0");
  prefix.wait_for_end_of(keeper);
}

TEST_CASE("keepers killed one after the other lose nobody", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  prefix.say("spawn_many 1 50 /bin/sleep 1000");
  for (int id = 1; id <= 50; ++id) prefix.expect("spawned " + std::to_string(id) + " ");
  for (int round = 0; round < 5; ++round) {
    // Ends on both sides of the keeper's death, and a start that may be on its way through it.
    const auto id = static_cast<std::uint64_t>(round * 2 + 1);
    REQUIRE(::kill(static_cast<pid_t>(prefix.pids.at(id)), SIGKILL) == 0);
    REQUIRE(::kill(static_cast<pid_t>(prefix.keeper), SIGKILL) == 0);
    REQUIRE(::kill(static_cast<pid_t>(prefix.pids.at(id + 1)), SIGKILL) == 0);
    std::istringstream replaced{prefix.expect("replaced ")};
    std::string verb;
    replaced >> verb >> prefix.keeper;
    prefix.expect("exited " + std::to_string(id) + " ");
    prefix.expect("exited " + std::to_string(id + 1) + " 3 0");
  }
  for (const auto& [id, pid] : prefix.pids) CHECK(is_alive(pid) == (id > 10));
  prefix.say("signal 50 15");
  prefix.expect("exited 50 3 0");
}

TEST_CASE("a start that the keeper did not live to carry out has failed, and says so", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  prefix.spawn(1, "/bin/sleep 1000");
  REQUIRE(::kill(prefix.child, SIGSTOP) == 0);
  prefix.say("spawn 2 /bin/sleep 1000");
  prefix.say("hold done /etc/passwd");  // both are with the keeper when the engine has answered this
  prefix.say("echo");
  prefix.expect("echo");
  REQUIRE(::kill(prefix.child, SIGKILL) == 0);
  CHECK(prefix.exit_code() == -SIGKILL);
  std::istringstream replaced{prefix.expect("replaced ")};
  std::string verb;
  replaced >> verb >> prefix.keeper;
  prefix.expect("failed 2 14 " + std::to_string(ECONNRESET));
  CHECK(is_alive(prefix.pids.at(1)));
  prefix.spawn(3, "/bin/sleep 1000");
}

TEST_CASE("an instance that ends together with the keeper is told as ended", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  const auto pid = prefix.spawn(1, "/bin/sleep 1000");
  REQUIRE(::kill(prefix.engine_pid, SIGSTOP) == 0);
  REQUIRE(::kill(prefix.child, SIGKILL) == 0);
  CHECK(prefix.exit_code() == -SIGKILL);
  REQUIRE(::kill(static_cast<pid_t>(pid), SIGKILL) == 0);
  prefix.wait_for_end_of(pid);
  REQUIRE(::kill(prefix.engine_pid, SIGCONT) == 0);
  prefix.expect("exited 1 3 0");
  std::istringstream replaced{prefix.expect("replaced ")};
  std::string verb;
  replaced >> verb >> prefix.keeper;
}

TEST_CASE("of what a service manager passes that is kept which the daemon expects; all else is closed",
          "[keeper]") {
  Prefix prefix;
  prefix.make_script(
      "launcher",
      "export LISTEN_PID=$$ LISTEN_FDS=6\n"
      "export LISTEN_FDNAMES=revision/evil/1:bus:%:state:listener%3Aa%3Ab%3Ac%3A1%3A0%3A0:channel%201:more\n"
      "exec \"$@\" 3</etc/passwd 4</etc/group 5</etc/hosts 6</etc/passwd 7</etc/passwd 8</etc/passwd "
      "9</etc/passwd");
  prefix.start_with(prefix.home / "launcher", {"--expects-bus"});
  prefix.meet_engine();
  CHECK(prefix.has_found("held bus"));
  CHECK(std::ranges::count_if(prefix.found, [](const auto& line) { return line.starts_with("held "); }) == 1);
  CHECK(std::ranges::count_if(prefix.found, [](const auto& line) {
          return line.find("which svd has not stored: closed") != std::string::npos;
        }) == 5);
  prefix.spawn(1, "/bin/true");  // so what was asked before it is carried out
  std::vector<std::string> open;
  for (const auto& entry :
       std::filesystem::directory_iterator{"/proc/" + std::to_string(prefix.keeper) + "/fd"})
    if (const auto target = std::filesystem::read_symlink(entry).string(); target.starts_with("/etc/"))
      open.push_back(target);
  CHECK(open == std::vector<std::string>{"/etc/group"});
  CHECK(slurp("/proc/" + std::to_string(prefix.engine_pid) + "/environ").find("LISTEN_") ==
        std::string::npos);
}

TEST_CASE("a number of descriptors that is none is not believed", "[keeper]") {
  const std::string count = GENERATE("2x", "", "-1", "99999999999999999999", "0x2");
  CAPTURE(count);
  Prefix prefix;
  prefix.make_script("launcher", "export LISTEN_PID=$$ LISTEN_FDS='" + count +
                                     "' LISTEN_FDNAMES=bus:bus\nexec \"$@\" 3</etc/passwd 4</etc/passwd");
  prefix.start_with(prefix.home / "launcher", {"--expects-bus"});
  prefix.meet_engine();
  CHECK_FALSE(prefix.has_found("held "));
}

TEST_CASE("what a service manager has passed to another process is not taken", "[keeper]") {
  Prefix prefix;
  prefix.make_script("launcher",
                     "export LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=bus\nexec \"$@\" 3</etc/passwd");
  prefix.start_with(prefix.home / "launcher", {"--expects-bus"});
  prefix.meet_engine();
  CHECK_FALSE(prefix.has_found("held "));
}

TEST_CASE("after both keeper and engine were killed, the cgroups tell who is who", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  if (prefix.has_found("note no cgroups")) return;
  prefix.say("ready");
  const auto pid = prefix.spawn(1, "/bin/sleep 1000");
  // A main process that ended and left a stray.
  prefix.make_script("stray", "setsid sleep 1000 & echo");
  prefix.spawn(2, prefix.home / "stray");
  prefix.expect("exited 2 1 0");
  prefix.say("spawn 3 /bin/true");  // the labels are written when nothing is on its way any more
  prefix.expect("exited 3 ");
  prefix.wait_for_label(1);

  prefix.kill_both();
  prefix.start();
  prefix.meet_engine();
  CHECK_FALSE(prefix.taken_over);
  CHECK(prefix.has_found("child " + id_and(1, std::to_string(pid) + " 0 0 0 shop:web/1 5 6")));
  CHECK_FALSE(prefix.has_found("child 2 "));
  CHECK(prefix.has_found("note processes of shop:web/2 were left over"));
  CHECK(is_alive(pid));
  prefix.say("signal 1 15");
  prefix.expect("exited 1 3 0");
}

TEST_CASE("after both keeper and engine were killed without cgroups, the journal tells who is who",
          "[keeper]") {
  Prefix prefix;
  const auto begin = [&] {
    prefix.start({"--without-cgroups"});
    prefix.meet_engine();
  };
  begin();
  prefix.say("ready");
  const auto pid = prefix.spawn(1, "/bin/sleep 1000");
  const auto dead = prefix.spawn(2, "/bin/sleep 1000");
  prefix.spawn(3, "/bin/true");
  prefix.expect("exited 3 1 0");
  prefix.say("kill 3");
  prefix.expect("gone 3");

  const bool is_noted = GENERATE(true, false);
  prefix.kill_both();
  REQUIRE(::kill(static_cast<pid_t>(dead), SIGKILL) == 0);
  prefix.wait_for_end_of(dead);
  if (!is_noted) std::filesystem::remove(prefix.home / "state/children");
  begin();
  CHECK_FALSE(prefix.taken_over);
  CHECK_FALSE(prefix.has_found("child 2 "));
  CHECK_FALSE(prefix.has_found("child 3 "));
  if (!is_noted) {  // nobody knows what it was: it does not run on unsupervised
    CHECK(prefix.found.size() == 2);
    CHECK(prefix.has_found("note processes of start 1 were left over"));
    CHECK_FALSE(is_alive(pid));
    return;
  }
  CHECK(prefix.has_found("child " + id_and(1, std::to_string(pid) + " 0 0 0 shop:web/1 5 6")));
  CHECK(is_alive(pid));
  // A second time, with the same children.
  prefix.kill_both();
  begin();
  CHECK(prefix.has_found("child " + id_and(1, std::to_string(pid) + " 0 0 0 shop:web/1 5 6")));
  prefix.say("signal 1 15");
  prefix.expect("exited 1 3 0");
}

TEST_CASE("a child that was being born when the keeper was killed does not outlive it", "[keeper][cgroups]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  if (prefix.has_found("note no cgroups")) return;
  prefix.say("ready");
  // Frozen before its first instruction; the keeper waits for it.
  const Cgroups cgroups = Cgroups::find(prefix.home / "state");
  REQUIRE(prefix.spawn(1, "/bin/sleep 1000") > 0);
  std::ofstream{cgroups.base() + "/shop:web/cgroup.freeze"} << "1";
  prefix.say("spawn 2 /bin/sleep 1000");
  while (cgroups.members("shop:web/2.2").empty()) ::sched_yield();
  const auto half_born = cgroups.members("shop:web/2.2").front();
  prefix.pids[2] = half_born;
  REQUIRE(::kill(prefix.child, SIGKILL) == 0);
  CHECK(prefix.exit_code() == -SIGKILL);
  std::istringstream replaced{prefix.expect("replaced ")};
  std::string verb;
  replaced >> verb >> prefix.keeper;
  prefix.expect("failed 2 14 " + std::to_string(ECONNRESET));
  prefix.wait_for_end_of(half_born);
}

TEST_CASE("SIGTERM is the engine's to handle, a second one is forced, SIGHUP is passed along", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  REQUIRE(::kill(prefix.child, SIGHUP) == 0);
  prefix.expect("hangup");
  REQUIRE(::kill(prefix.child, SIGTERM) == 0);
  prefix.expect("shutdown 0");
  REQUIRE(::kill(prefix.child, SIGTERM) == 0);
  prefix.expect("shutdown 1");
  prefix.say("quit 42");
  CHECK(prefix.exit_code() == 42);
}

TEST_CASE("the stop signals of other inits are as good as SIGTERM", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  REQUIRE(::kill(prefix.child, SIGRTMIN + 3) == 0);
  prefix.expect("shutdown 0");
  REQUIRE(::kill(prefix.child, SIGQUIT) == 0);
  prefix.expect("shutdown 1");
  prefix.say("quit 0");
  CHECK(prefix.exit_code() == 0);
}

TEST_CASE("a SIGHUP that no engine serves for is kept for the next one", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  REQUIRE(::kill(prefix.engine_pid, SIGKILL) == 0);
  prefix.wait_for_engine_end();
  prefix.meet_engine();
  REQUIRE(::kill(prefix.child, SIGHUP) == 0);
  prefix.say("ready");
  prefix.expect("hangup");
}

TEST_CASE("an engine that hangs, and was asked twice to stop, is ended with everything else", "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  const auto pid = prefix.spawn(1, "/bin/sleep 1000");
  REQUIRE(::kill(prefix.engine_pid, SIGSTOP) == 0);
  REQUIRE(::kill(prefix.child, SIGTERM) == 0);
  const auto pending = [&] {
    std::ifstream status{"/proc/" + std::to_string(prefix.child) + "/status"};
    std::string line;
    while (std::getline(status, line))
      if (line.starts_with("ShdPnd:")) return line.find_first_not_of("0\t ", 7) != std::string::npos;
    return false;
  };
  while (pending()) ::sched_yield();  // two that wait at once are one
  REQUIRE(::kill(prefix.child, SIGTERM) == 0);
  CHECK(prefix.exit_code() == 1);
  CHECK_FALSE(is_alive(pid));
  prefix.wait_for_end_of(prefix.engine_pid);
}

TEST_CASE("SIGTERM without an engine stops every child, also one that ignores its signal, and strays",
          "[keeper]") {
  Prefix prefix;
  prefix.start(GENERATE(true, false) ? std::vector<std::string>{}
                                     : std::vector<std::string>{"--without-cgroups"});
  prefix.meet_engine();
  prefix.say("ready");
  const auto polite = prefix.spawn(1, "/bin/sleep 1000");
  prefix.make_script("stray", "echo $$ > " + (prefix.home / "up") + "; sleep 1000; sleep 1000");
  prefix.make_script("deaf", "trap '' TERM; setsid " + (prefix.home / "stray") + " & sleep 1000; sleep 1000");
  prefix.make_fifo("up");
  const auto deaf = prefix.spawn(2, prefix.home / "deaf");
  const auto stray = std::stoll(prefix.read_fifo("up"));
  // From now on no engine can be started.
  std::filesystem::remove(prefix.home / "libexec/svd/engine");
  REQUIRE(::kill(prefix.engine_pid, SIGKILL) == 0);
  prefix.wait_for_engine_end();
  REQUIRE(::kill(prefix.child, SIGTERM) == 0);
  CHECK(prefix.exit_code() == 1);
  CHECK_FALSE(is_alive(polite));
  CHECK_FALSE(is_alive(deaf));
  CHECK_FALSE(is_alive(stray));
  Cgroups cgroups = Cgroups::find(prefix.home / "state");
  if (cgroups.available())
    for (const auto& leaf : cgroups.leaves()) CHECK(cgroups.members(leaf).empty());
}

TEST_CASE("an engine that dies while it was asked to stop is not started again: the keeper stops everything",
          "[keeper]") {
  Prefix prefix;
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  const auto pid = prefix.spawn(1, "/bin/sleep 1000");
  REQUIRE(::kill(prefix.child, SIGTERM) == 0);
  prefix.expect("shutdown 0");
  REQUIRE(::kill(prefix.engine_pid, SIGKILL) == 0);
  CHECK(prefix.exit_code() == 1);
  CHECK_FALSE(is_alive(pid));
}

TEST_CASE("whoever waits on --ready-fd is told when the engine serves", "[keeper]") {
  Prefix prefix;
  int pipe[2];
  REQUIRE(::pipe2(pipe, 0) == 0);
  const UniqueFd read_end{pipe[0]};
  ::fcntl(pipe[0], F_SETFD, FD_CLOEXEC);
  prefix.start({"--ready-fd", std::to_string(pipe[1])});
  ::close(pipe[1]);
  prefix.meet_engine();
  prefix.say("ready");
  char text[64] = {};
  REQUIRE(::read(read_end.get(), text, sizeof text) == 6);
  CHECK(std::string{text} == "ready\n");
  CHECK(::read(read_end.get(), text, sizeof text) == 0);  // closed: no child and no engine has it
}

TEST_CASE("a keeper that was started with nothing open works as any other", "[keeper]") {
  Prefix prefix;
  prefix.make_script("bare", "exec \"$@\" 0<&- 1>&- 2>&-");
  prefix.start_with(prefix.home / "bare");
  prefix.meet_engine();
  prefix.say("ready");
  prefix.make_fifo("report.fifo");
  prefix.spawn(1, SVD_REPORT_SELF " " + (prefix.home / "report"));
  CHECK(prefix.read_fifo("report.fifo") == "done\n");
  CHECK(slurp(prefix.home / "report").starts_with("fd 0 /dev/null\nfd 1 /dev/null\nfd 2 /dev/null\nsession"));
}

TEST_CASE("what was open in whoever started the keeper is open in nobody else", "[keeper]") {
  Prefix prefix;
  const UniqueFd leak{
      ::open("/etc/passwd", O_RDONLY)};  // inherited by the keeper, since it is not close-on-exec
  prefix.start();
  prefix.meet_engine();
  prefix.say("ready");
  const auto pid = prefix.spawn(1, "/bin/sleep 1000");
  for (const auto one : {std::int64_t{prefix.child}, std::int64_t{prefix.engine_pid}, pid})
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/" + std::to_string(one) + "/fd"})
      CHECK(std::filesystem::read_symlink(entry.path()) != "/etc/passwd");
}

TEST_CASE("an engine that ends again and again before it ever served is given up, and svd ends", "[keeper]") {
  Prefix prefix{false};
  prefix.make_script("libexec/svd/engine", "exit 9");
  prefix.start();
  CHECK(prefix.exit_code() == 1);
}

TEST_CASE("without an engine to start, whoever waits is told so, and the keeper ends", "[keeper]") {
  Prefix prefix{false};
  int pipe[2];
  REQUIRE(::pipe2(pipe, 0) == 0);
  const UniqueFd read_end{pipe[0]};
  ::fcntl(pipe[0], F_SETFD, FD_CLOEXEC);
  prefix.start({"--ready-fd", std::to_string(pipe[1])});
  ::close(pipe[1]);
  CHECK(prefix.exit_code() == 1);
  char text[256] = {};
  CHECK(::read(read_end.get(), text, sizeof text - 1) > 0);
  CHECK_THAT(std::string{text}, ContainsSubstring("libexec/svd/engine: No such file or directory\n"));
}
