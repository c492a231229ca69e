// SPDX-License-Identifier: Apache-2.0
// The keeper spoken to directly: what LinuxProcesses would never say, and where the machine refuses
// something.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include <csignal>
#include <cstddef>
#include <cstring>
#include <random>

#include "kernel/cgroups.h"
#include "kernel/keeper_client.h"
#include "kernel/launch_record.h"
#include "processes_support.h"

using namespace svd;
using namespace svd::test;

namespace {

std::string bytes_of(const auto& value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

// An engine that says what it is told to.
class Talker {
 public:
  explicit Talker(UniqueFd socket, const std::string& base = {}) {
    auto listing = client.greet(std::move(socket));
    REQUIRE((listing ? "" : listing.error().text) == std::string{});
    const std::uint32_t head[2] = {static_cast<std::uint32_t>(base.size()), 0};
    client.send(keeper::Type::configure, 0, bytes_of(head) + base);
  }
  Talker(const Talker&) = delete;
  Talker& operator=(const Talker&) = delete;
  ~Talker() {
    for (const auto& report : reports)
      if (report.what == keeper::What::spawned && is_alive(report.pid)) ::kill(-report.pid, SIGKILL);
    // It would wait for us to end, or end us.
    ::kill(client.hello().pid, SIGKILL);
  }

  LaunchPlan plan(std::vector<std::string> argv) {
    LaunchPlan made;
    made.id = StartId{++last};
    made.argv = std::move(argv);
    made.envp = {"PATH=/usr/bin:/bin"};
    made.cwd = "/";
    return made;
  }
  // The answer to a start.
  keeper::Report spawn(const LaunchPlan& plan, const std::string& cgroup = {}) {
    client.send(keeper::Type::spawn, 1, launch_record(plan, {.cgroup = cgroup}));
    return wait(plan.id, [](const keeper::Report& report) { return report.what != keeper::What::exited; });
  }
  void notify(const std::string& text, std::span<const int> fds = {}) {
    const std::uint32_t head[2] = {static_cast<std::uint32_t>(text.size()), 0};
    client.send(keeper::Type::notify, 1, bytes_of(head) + text, fds);
  }
  void wait_for_notified(std::uint32_t count) {
    const auto deadline = Loop::now().mono + Millis{20'000};
    while (notified < count) {
      REQUIRE(Loop::now().mono < deadline);
      sd_event_run(loop.get(), 1'000'000);
    }
  }
  keeper::Report exit_of(StartId id) {
    return wait(id, [](const keeper::Report& report) { return report.what == keeper::What::exited; });
  }
  template <class Matches>
  keeper::Report wait(StartId id, Matches&& matches) {
    const auto deadline = Loop::now().mono + Millis{20'000};
    for (;;) {
      for (const auto& report : reports)
        if (report.id == static_cast<std::uint64_t>(id) && matches(report)) return report;
      REQUIRE_FALSE(lost);
      REQUIRE(Loop::now().mono < deadline);
      sd_event_run(loop.get(), 1'000'000);
    }
  }

  Loop loop = std::move(Loop::make().value());
  std::vector<keeper::Report> reports;
  std::uint32_t missing = 0;
  std::uint64_t last = 0;
  bool lost = false;
  std::uint32_t notified = 0;
  KeeperClient client{
      loop,
      {.reports = [this](auto more) { reports.insert(reports.end(), more.begin(), more.end()); },
       .notice = [this](std::uint32_t bits) { missing |= bits; },
       .shutdown = [](bool) {},
       .hangup = [] {},
       .notified = [this](std::uint32_t count) { notified += count; },
       .settled = [] {},
       .lost = [this] { lost = true; }}};
};

// A service manager's end, which keepers that are started meanwhile find in their environment.
class Manager {
 public:
  Manager() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (home_ / "notify").copy(address.sun_path, sizeof address.sun_path - 1);
    const int on = 1;
    REQUIRE(::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::connect(filler_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::setenv("NOTIFY_SOCKET", address.sun_path, 1);
  }
  ~Manager() { ::unsetenv("NOTIFY_SOCKET"); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // Nobody else gets anything through until it is read.
  std::size_t fill() {
    std::size_t count = 0;
    while (::send(filler_.get(), "x", 1, MSG_DONTWAIT) == 1) ++count;
    return count;
  }
  struct Said {
    std::string text;
    std::int64_t pid = 0;
    UniqueFd fd;
  };
  Said read() {
    std::array<char, 1024> text{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int))> control{};
    iovec part{text.data(), text.size()};
    msghdr head{};
    head.msg_iov = &part;
    head.msg_iovlen = 1;
    head.msg_control = control.data();
    head.msg_controllen = control.size();
    const auto got = ::recvmsg(socket_.get(), &head, MSG_CMSG_CLOEXEC);
    REQUIRE(got > 0);
    Said said{{text.data(), static_cast<std::size_t>(got)}, 0, {}};
    for (cmsghdr* one = CMSG_FIRSTHDR(&head); one != nullptr; one = CMSG_NXTHDR(&head, one)) {
      int fd = -1;
      ucred who{};
      if (one->cmsg_type == SCM_CREDENTIALS) std::memcpy(&who, CMSG_DATA(one), sizeof who);
      if (one->cmsg_type == SCM_RIGHTS) std::memcpy(&fd, CMSG_DATA(one), sizeof fd);
      if (who.pid != 0) said.pid = who.pid;
      if (fd >= 0) said.fd = UniqueFd{fd};
    }
    return said;
  }

 private:
  TempDir home_;
  UniqueFd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  UniqueFd filler_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

// A cgroup base of its own, removed at the end.
struct TestCgroups {
  TempDir home;
  Cgroups cgroups = Cgroups::find(home.path());
  ~TestCgroups() {
    if (!cgroups.available()) return;
    for (const auto& leaf : cgroups.leaves()) {
      cgroups.kill(leaf);
      while (cgroups.populated(leaf)) ::sched_yield();
      cgroups.remove(leaf);
    }
    cgroups.remove_base();
  }
};

// A keeper for which clone3(2) fails with `err`.
UniqueFd start_keeper_without_clone3(int err) {
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(err)),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{sizeof rules / sizeof rules[0], rules};
    ::dup2(pair[1], 3);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
      ::execl(SVD_KEEPER, SVD_KEEPER, "--adopt", nullptr);
    ::_exit(1);
  }
  ::close(pair[1]);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(status == 0);
  return UniqueFd{pair[0]};
}

}  // namespace

TEST_CASE("nothing that is sent to it ends the keeper", "[keeper]") {
  Talker talker{start_keeper()};
  const auto seed = Catch::rngSeed();
  CAPTURE(seed);
  std::mt19937 random{seed};
  const auto below = [&](unsigned limit) { return std::uniform_int_distribution{0U, limit - 1}(random); };
  const auto valid = launch_record(talker.plan({"/bin/true", "one", "two"}),
                                   {.cookie = "cookie", .held = {"one"}, .has_channel = true});
  for (int round = 0; round < 20'000; ++round) {
    std::string body;
    auto type = static_cast<keeper::Type>(below(90));
    // These two are carried out as they stand.
    if (type == keeper::Type::quit || type == keeper::Type::redirect) continue;
    if (below(2) == 0) {
      type = keeper::Type::spawn;
      body = valid;
      body.replace(0, 8, bytes_of(std::uint64_t{10'000} + below(50)));
      for (unsigned flips = 1 + below(4); flips > 0; --flips)
        body[below(sizeof(keeper::Spawn))] = static_cast<char>(below(256));
    } else {
      body.resize(below(300));
      for (auto& byte : body) byte = static_cast<char>(below(4) == 0 ? below(256) : below(3));
    }
    talker.client.send(type, below(5), body);
    sd_event_run(talker.loop.get(), 0);
  }
  CHECK_FALSE(talker.lost);
  auto plan = talker.plan({"/bin/true"});
  plan.id = StartId{77'777};
  CHECK(talker.spawn(plan).what == keeper::What::spawned);
  CHECK(talker.exit_of(plan.id).number == 0);
}

TEST_CASE("a keeper whose standard error nobody reads goes on", "[keeper]") {
  TempDir home;
  REQUIRE(::mkfifo((home / "errors").c_str(), 0600) == 0);
  const UniqueFd reader{::open((home / "errors").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
  Talker talker{start_keeper({"/bin/sh", "-c", "exec " SVD_KEEPER " --adopt 2>" + (home / "errors")})};
  for (int i = 0; i < 5'000; ++i) {  // each is noted, and together they are more than a pipe holds
    talker.client.send(keeper::Type::hello, 0, {});
    sd_event_run(talker.loop.get(), 0);
  }
  const auto plan = talker.plan({"/bin/true"});
  CHECK(talker.spawn(plan).what == keeper::What::spawned);
  CHECK(talker.exit_of(plan.id).number == 0);
}

TEST_CASE("a start that makes no sense is refused, and the others of its message are not", "[keeper]") {
  Talker talker{start_keeper()};
  auto bad = launch_record(talker.plan({"/bin/true"}), {});
  bad.replace(offsetof(keeper::Spawn, argv), 4, bytes_of(std::uint32_t{0xfffff0}));
  const auto good = launch_record(talker.plan({"/bin/true"}), {});
  talker.client.send(keeper::Type::spawn, 2, bad + good);
  const auto refused = talker.wait(StartId{1}, [](const auto&) { return true; });
  CHECK(refused.what == keeper::What::failed);
  CHECK(refused.stage == keeper::Stage::keeper);
  CHECK(refused.number == EINVAL);
  CHECK(talker.exit_of(StartId{2}).number == 0);
}

TEST_CASE("a cgroup path may not leave the base", "[keeper]") {
  TestCgroups test;
  if (!test.cgroups.available()) return;
  Talker talker{start_keeper(), test.cgroups.base()};
  for (const auto* const path : {"/", "..", "a/../..", "../x", "a//b", "./a"}) {
    const auto answer = talker.spawn(talker.plan({"/bin/true"}), path);
    CHECK(answer.what == keeper::What::failed);
    CHECK(answer.number == EINVAL);
  }
}

TEST_CASE("a leaf that an earlier life has left is made anew, but for one that somebody is in",
          "[keeper][cgroups]") {
  TestCgroups test;
  auto& cgroups = test.cgroups;
  if (!cgroups.available()) return;
  Talker talker{start_keeper(), cgroups.base()};
  REQUIRE(cgroups.make("shop:web/0.1").has_value());
  cgroups.kill("shop:web/0.1");
  REQUIRE(cgroups.make("shop:web/0.1").has_value());
  auto plan = talker.plan({"/bin/sleep", "1000"});
  REQUIRE(talker.spawn(plan, "shop:web/0.1").what == keeper::What::spawned);
  CHECK(cgroups.make("shop:web/0.1").error().code == std::errc::device_or_resource_busy);
}

TEST_CASE("a fresh leaf works although another one, and even its parent, was killed once",
          "[keeper][cgroups]") {
  TestCgroups test;
  auto& cgroups = test.cgroups;
  if (!cgroups.available()) return;
  Talker talker{start_keeper(), cgroups.base()};
  REQUIRE(cgroups.make("shop:web/0.1").has_value());
  cgroups.kill("shop:web/0.1");
  cgroups.kill("shop:web");
  REQUIRE(cgroups.make("shop:web/0.2").has_value());
  auto plan = talker.plan({"/bin/sleep", "1000"});
  const auto born = talker.spawn(plan, "shop:web/0.2");
  REQUIRE(born.what == keeper::What::spawned);
  CHECK(cgroups.members("shop:web/0.2") == std::vector<std::int64_t>{born.pid});
  CHECK(is_alive(born.pid));

  // In the killed one itself some kernels end each newcomer at birth; the keeper gets round it.
  plan = talker.plan({"/bin/true"});
  REQUIRE(talker.spawn(plan, "shop:web/0.1").what == keeper::What::spawned);
  const auto end = talker.exit_of(plan.id);
  CHECK(end.ended == keeper::Ended::code);
  CHECK(end.number == 0);
}

TEST_CASE("where clone3 is refused, a child still gets into its cgroup, and the engine is told",
          "[keeper][cgroups]") {
  TestCgroups test;
  if (!test.cgroups.available()) return;
  const int err = GENERATE(ENOSYS, EPERM);
  Talker talker{start_keeper_without_clone3(err), test.cgroups.base()};
  CHECK((talker.client.hello().missing & keeper::missing_into_cgroup) != 0);
  REQUIRE(test.cgroups.make("shop:web/0.1").has_value());
  const auto born = talker.spawn(talker.plan({"/bin/sleep", "1000"}), "shop:web/0.1");
  REQUIRE(born.what == keeper::What::spawned);
  CHECK(test.cgroups.members("shop:web/0.1") == std::vector<std::int64_t>{born.pid});
}

TEST_CASE("where clone3 is refused, a child still gets its sockets and its pid", "[keeper]") {
  Talker talker{start_keeper_without_clone3(ENOSYS)};
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  const UniqueFd ours{pair[0]};
  UniqueFd theirs{pair[1]};
  auto plan =
      talker.plan({"/bin/sh", "-c", "echo $LISTEN_PID >&3; exec 3>&-; readlink /proc/$$/fd/4 || echo none"});
  plan.envp.emplace_back(keeper::listen_pid);
  auto record = launch_record(plan, {.has_channel = true});
  const int fd = theirs.get();
  talker.client.send(keeper::Type::spawn, 1, record, {&fd, 1});
  theirs.reset();
  const auto born =
      talker.wait(plan.id, [](const auto& report) { return report.what == keeper::What::spawned; });
  CHECK(talker.exit_of(plan.id).number == 0);
  char text[16] = {};
  CHECK(::recv(ours.get(), text, sizeof text - 1, 0) > 0);
  CHECK(std::string{text} == std::to_string(born.pid) + "\n");
  CHECK(::recv(ours.get(), text, 1, 0) == 0);
}

TEST_CASE("a cgroup that is not there fails the start at that step", "[keeper][cgroups]") {
  TestCgroups test;
  if (!test.cgroups.available()) return;
  Talker talker{start_keeper(), test.cgroups.base()};
  const auto answer = talker.spawn(talker.plan({"/bin/true"}), "shop:web/0.9");
  CHECK(answer.what == keeper::What::failed);
  CHECK(answer.stage == keeper::Stage::cgroup);
  CHECK(answer.number == ENOENT);
}

TEST_CASE("without a cgroup the process group goes with its leader", "[keeper]") {
  Talker talker{start_keeper()};
  TempDir home;
  REQUIRE(::mkfifo((home / "pid").c_str(), 0600) == 0);
  const auto plan = talker.plan({"/bin/sh", "-c", "sleep 1000 & echo $! > " + (home / "pid")});
  REQUIRE(talker.spawn(plan).what == keeper::What::spawned);
  const auto stray = std::stol(slurp(home / "pid"));
  const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(stray), 0))};
  CHECK(talker.exit_of(plan.id).number == 0);
  pollfd state{process.get(), POLLIN, 0};
  CHECK((!process || ::poll(&state, 1, 20'000) == 1));
}

TEST_CASE("a start that is held up fails in time or is cancelled, and no other waits for it", "[keeper]") {
  Talker talker{start_keeper()};
  TempDir home;
  const auto program = home / "leased";
  std::filesystem::copy_file("/bin/true", program);
  // Whoever executes it waits for /proc/sys/fs/lease-break-time; that is 45 s.
  ::signal(SIGIO, SIG_IGN);
  const UniqueFd lease{::open(program.c_str(), O_RDWR | O_CLOEXEC)};
  if (::fcntl(lease.get(), F_SETLEASE, F_WRLCK) < 0) return;  // not on this file system
  const auto send = [&](const std::string& what, std::uint32_t app, std::uint32_t patience) {
    const auto plan = talker.plan({what});
    auto record = launch_record(plan, {});
    std::memcpy(record.data() + offsetof(keeper::Spawn, app), &app, sizeof app);
    std::memcpy(record.data() + offsetof(keeper::Spawn, patience), &patience, sizeof patience);
    talker.client.send(keeper::Type::spawn, 1, record);
    return plan.id;
  };
  const auto start = [&](std::uint32_t patience) { return send(program, 1, patience); };
  const auto answer = [&](StartId id) { return talker.wait(id, [](const auto&) { return true; }); };
  const auto goes_on = [&] {
    const auto other = send("/bin/true", 2, 60'000);
    CHECK(answer(other).what == keeper::What::spawned);
    CHECK(talker.exit_of(other).number == 0);
  };
  const auto late = start(300);
  const auto cancelled = start(60'000);
  const auto waiting = start(60'000);  // of one app two at a time
  goes_on();
  CHECK(answer(late).what == keeper::What::failed);
  CHECK(answer(late).stage == keeper::Stage::exec);
  CHECK(answer(late).number == ETIME);
  talker.client.send(keeper::Type::cancel, 1, bytes_of(cancelled));
  talker.client.send(keeper::Type::cancel, 1, bytes_of(waiting));
  for (const auto id : {cancelled, waiting}) {
    CHECK(answer(id).what == keeper::What::failed);
    CHECK(answer(id).number == ECANCELED);
  }
  goes_on();
}

TEST_CASE("no descriptor left fails a start as a shortage of processes does", "[keeper]") {
  TestCgroups test;
  if (!test.cgroups.available()) return;
  Talker talker{start_keeper({"/bin/sh", "-c", "ulimit -n 9; exec " SVD_KEEPER " --adopt"}),
                test.cgroups.base()};
  REQUIRE(test.cgroups.make("shop:web/0.1").has_value());
  const auto answer = talker.spawn(talker.plan({"/bin/true"}), "shop:web/0.1");
  CHECK(answer.what == keeper::What::failed);
  CHECK(answer.stage == keeper::Stage::process);
  CHECK(answer.number == EMFILE);
}

TEST_CASE("no process left fails a start, and the keeper goes on", "[keeper]") {
  if (::geteuid() != 0) return;
  TempDir home;  // the program must be where that user can get at it
  std::filesystem::permissions(home.path(), std::filesystem::perms::others_exec,
                               std::filesystem::perm_options::add);
  std::filesystem::copy_file(SVD_KEEPER, home / "svd");
  const auto uid = std::to_string(100'000 + ::getpid());  // nobody else's
  Talker talker{start_keeper({"/usr/bin/setpriv", "--reuid=" + uid, "--regid=" + uid, "--clear-groups",
                              "/bin/sh", "-c", "ulimit -p 3; exec " + (home / "svd") + " --adopt"})};
  const auto first = talker.plan({"/bin/sleep", "1000"});
  REQUIRE(talker.spawn(first).what == keeper::What::spawned);
  const auto answer = talker.spawn(talker.plan({"/bin/sleep", "1000"}));
  CHECK(answer.what == keeper::What::failed);
  CHECK(answer.stage == keeper::Stage::process);
  CHECK(answer.number == EAGAIN);
  talker.client.send(
      keeper::Type::signal, 1,
      bytes_of(keeper::Signal{static_cast<std::uint64_t>(first.id), SIGKILL, keeper::Whom::main, {}}));
  talker.exit_of(first.id);
  CHECK(talker.spawn(talker.plan({"/bin/true"})).what == keeper::What::spawned);
}

TEST_CASE("the service manager hears the engine's words from the keeper, with what is attached", "[keeper]") {
  Manager manager;
  Talker talker{start_keeper()};
  const UniqueFd file{::open("/etc/passwd", O_RDONLY | O_CLOEXEC)};
  const int fd = file.get();
  talker.notify("READY=1");
  talker.notify("FDSTORE=1\nFDNAME=one", {&fd, 1});
  const auto ready = manager.read();
  CHECK(ready.text == "READY=1");
  CHECK(ready.pid == talker.client.hello().pid);
  CHECK_FALSE(ready.fd);
  const auto stored = manager.read();
  CHECK(stored.text == "FDSTORE=1\nFDNAME=one");
  CHECK(stored.pid == talker.client.hello().pid);
  struct stat want {
  }, have{};
  REQUIRE((::fstat(fd, &want) == 0 && ::fstat(stored.fd.get(), &have) == 0));
  CHECK((want.st_dev == have.st_dev && want.st_ino == have.st_ino));
  talker.wait_for_notified(2);
}

TEST_CASE("a service manager that does not listen holds nobody up, and hears all in order later",
          "[keeper]") {
  Manager manager;
  Talker talker{start_keeper()};
  const auto before = manager.fill();
  for (std::uint32_t i = 0; i < keeper::max_notes; ++i) talker.notify("STATUS=" + std::to_string(i));
  CHECK(talker.spawn(talker.plan({"/bin/true"})).what == keeper::What::spawned);
  CHECK(talker.notified == 0);
  for (std::size_t i = 0; i < before; ++i) CHECK(manager.read().text == "x");
  for (std::uint32_t i = 0; i < keeper::max_notes; ++i)
    CHECK(manager.read().text == "STATUS=" + std::to_string(i));
  talker.wait_for_notified(keeper::max_notes);
  CHECK(talker.notified == keeper::max_notes);
}

TEST_CASE("more notes than there is room for are dropped, and none of them is owed", "[keeper]") {
  Manager manager;
  Talker talker{start_keeper()};
  manager.fill();
  constexpr std::uint32_t many = 5 * keeper::max_notes;
  for (std::uint32_t i = 0; i < many; ++i) talker.notify("STATUS=" + std::to_string(i));
  talker.notify(std::string(keeper::max_note + 1, 'x'));
  talker.notify("");
  talker.wait_for_notified(many + 2 - 2 * keeper::max_notes);  // the rest waits
  CHECK(talker.spawn(talker.plan({"/bin/true"})).what == keeper::What::spawned);
}

TEST_CASE("without a service manager, or when it is gone, nothing waits", "[keeper]") {
  const bool is_gone = GENERATE(true, false);
  std::optional<Manager> manager;
  if (is_gone) manager.emplace();
  Talker talker{start_keeper()};
  manager.reset();
  for (std::uint32_t i = 0; i < 3 * keeper::max_notes; ++i) talker.notify("WATCHDOG=1");
  talker.wait_for_notified(3 * keeper::max_notes);
}
