// SPDX-License-Identifier: Apache-2.0
// The journal driver and reader against a real systemd-journald, started by hand in a mount namespace of this
// process's own, with a /run of its own. Passed over, with the reason, where that is not possible (no root,
// no journald).
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <tuple>

#include "cli/log_reader.h"
#include "kernel/log_drivers.h"
#include "kernel/logs.h"
#include "process/logs_support.h"

using namespace svd;
using svd::cli::LogLine;
using svd::cli::LogQuery;

namespace {

constexpr const char* journald = "/usr/lib/systemd/systemd-journald";
constexpr const char* settings =
    "[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\nForwardToSyslog=no\nForwardToWall=no\n"
    "RateLimitIntervalSec=1s\nRateLimitBurst=50\n";

// Why there is no journald; empty: it runs.
class Journald {
 public:
  static Journald& get() {
    static Journald one;
    return one;
  }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  Journald() {
    if (::access(journald, X_OK) != 0)
      reason_ = "systemd-journald is not installed";
    else if (::access("/etc/machine-id", R_OK) != 0)
      reason_ = "there is no /etc/machine-id";
    else if (::unshare(CLONE_NEWNS) != 0 ||
             ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
             ::mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0)
      reason_ = std::string{"no private /run: "} + std::strerror(errno);
    else
      start();
  }
  ~Journald() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  void start() {
    std::filesystem::create_directories("/run/systemd/journald.conf.d");
    std::ofstream{"/run/systemd/journald.conf.d/test.conf"} << settings;
    const UniqueFd ready{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "/run/notify");
    if (::bind(ready.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      reason_ = "no notify socket";
      return;
    }
    pid_ = fork_bound();
    if (pid_ == 0) {
      ::setenv("NOTIFY_SOCKET", "/run/notify", 1);
      ::execl(journald, journald, nullptr);
      ::_exit(127);
    }
    const timeval patience{10, 0};
    ::setsockopt(ready.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::string message(4096, '\0');
    for (;;) {
      const auto n = ::recv(ready.get(), message.data(), message.size(), 0);
      if (n <= 0) {
        reason_ = "journald does not get ready here";
        return;
      }
      if (message.substr(0, static_cast<std::size_t>(n)).find("READY=1") != std::string::npos) return;
    }
  }
  std::string reason_;
  pid_t pid_ = 0;
};

bool can_run() {
  if (Journald::get().reason().empty()) return true;
  WARN("passed over: " << Journald::get().reason());
  return false;
}

Stdio open_stream(const std::string& app, std::uint32_t number) {
  static Loop loop = Loop::make().value();
  static auto logs = Logs::make(loop, {}).value();
  CHECK(logs->automatic() == LogPolicy::To::journal);
  const SlotId slot{{Name::parse("shop").value(), Name::parse(app).value()}, number};
  LogPolicy policy;
  policy.to = LogPolicy::To::journal;
  return logs->open(slot, policy).value();
}

// A pipe through a writer process, which ends with the last of these.
Stdio open_with_fields(const SlotId& slot, std::uint64_t revision) {
  static Loop loop = Loop::make().value();
  LogOptions options;
  options.tool = SVD_LOGTOOL;
  const auto logs = Logs::make(loop, options).value();
  LogPolicy policy;
  policy.to = LogPolicy::To::journal;
  policy.fields = true;
  return logs->open(slot, policy, revision).value();
}

SlotId slot_of(const std::string& app, std::uint32_t number) {
  return {{Name::parse("shop").value(), Name::parse(app).value()}, number};
}

struct Line {
  std::size_t source;
  std::string text;
  bool note;
};

// Follows until `done`, ten seconds at most.
std::vector<Line> follow(const std::vector<cli::LogSource>& sources, LogQuery query,
                         const std::function<bool(const std::vector<Line>&)>& done) {
  const UniqueFd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
  const itimerspec deadline{{0, 0}, {10, 0}};
  ::timerfd_settime(timer.get(), 0, &deadline, nullptr);
  std::vector<Line> lines;
  query.follow = true;
  query.stop = timer.get();
  const auto read = cli::read_logs(sources, query, [&](const LogLine& line) {
    lines.push_back({line.source, std::string{line.text}, line.kind == LogLine::Kind::note});
    return !done(lines);
  });
  if (!read) FAIL(read.error().text);
  return lines;
}

std::string output_of(const std::string& command) {
  std::string all;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(command.c_str(), "re"), &::pclose};
  char buffer[4096];
  for (std::size_t n = 0; (n = ::fread(buffer, 1, sizeof buffer, pipe.get())) > 0;) all.append(buffer, n);
  return all;
}

}  // namespace

TEST_CASE("each instance can be selected from the journal, by us and by journalctl", "[logs][journal]") {
  if (!can_run()) return;
  auto first = open_stream("web", 0), second = open_stream("web", 1), other = open_stream("api", 0);
  REQUIRE(write_all(first.fd.get(), "from web/0\n"));
  REQUIRE(write_all(other.fd.get(), "from api/0\n"));
  REQUIRE(write_all(second.fd.get(), "from web/1\n"));
  const auto lines = follow({{"shop:web/0", "journal:shop:web/0"}, {"shop:web/1", "journal:shop:web/1"}}, {},
                            [](const auto& have) { return have.size() == 2; });
  REQUIRE(lines.size() == 2);
  for (const auto& line : lines) CHECK(line.text == (line.source == 0 ? "from web/0" : "from web/1"));
  CHECK(output_of("journalctl -q -o cat -t shop:web/0") == "from web/0\n");
  CHECK(output_of("bash -c 'journalctl -q -o cat --identifier=shop:web/{0..1}' | sort") ==
        "from web/0\nfrom web/1\n");
}

TEST_CASE("with fields one journalctl selects an ecosystem, an app, an instance, a revision",
          "[logs][journal]") {
  if (!can_run()) return;
  const std::string long_line(300'000, 'm');
  for (const auto& [app, number, revision] :
       {std::tuple{"front", 0U, 1U}, {"front", 1U, 1U}, {"front", 0U, 2U}, {"back", 0U, 2U}}) {
    const auto pipe = open_with_fields(slot_of(app, number), revision);
    const auto name = app + std::string{" "} + std::to_string(number) + " " + std::to_string(revision);
    REQUIRE(write_all(pipe.fd.get(), name + "\n\n<3>bad " + name + "\n"));
    if (name == "back 0 2") REQUIRE(write_all(pipe.fd.get(), "<4>" + long_line + "\n<5>\nend"));
  }
  const auto lines = follow({{"shop:front/0", "journal:shop:front/0"},
                             {"shop:front/1", "journal:shop:front/1"},
                             {"shop:back/0", "journal:shop:back/0"}},
                            {}, [](const auto& have) { return have.size() == 10; });
  REQUIRE(lines.size() == 10);
  CHECK(std::ranges::count(lines, long_line, &Line::text) == 1);
  CHECK(std::ranges::count(lines, "end", &Line::text) == 1);
  const auto selected = [](const std::string& match) {
    return output_of("journalctl -q -o cat SVD_ECOSYSTEM=shop " + match + " | sort");
  };
  CHECK(selected("SVD_APP=front SVD_REVISION=1") == "bad front 0 1\nbad front 1 1\nfront 0 1\nfront 1 1\n");
  CHECK(selected("SVD_APP=front SVD_INSTANCE=0") == "bad front 0 1\nbad front 0 2\nfront 0 1\nfront 0 2\n");
  CHECK(selected("SVD_APP=front SVD_REVISION=2 -p err") == "bad front 0 2\n");
  CHECK(selected("-t shop:front/1") == "bad front 1 1\nfront 1 1\n");
  CHECK(selected("SVD_REVISION=2 SVD_APP=back | cut -c -9 | grep -v mmm") == "back 0 2\nbad back \nend\n");
}

TEST_CASE("a line of 1 MB, binary bytes and a line without an end come through the journal",
          "[logs][journal]") {
  if (!can_run()) return;
  const std::string megabyte(1U << 20, 'm');
  {
    auto stream = open_stream("long", 0);
    REQUIRE(write_all(stream.fd.get(), megabyte + "\n<3>an error\n\xff\xfe binary\nend"));
  }
  const auto lines =
      follow({{"shop:long/0", "journal:shop:long/0"}}, {}, [](const auto& have) { return have.size() == 4; });
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].text == megabyte);
  CHECK(lines[1].text == "an error");
  CHECK(lines[2].text == "\xff\xfe binary");
  CHECK(lines[3].text == "end");
}

TEST_CASE("the last lines and those since a time are found in the journal", "[logs][journal]") {
  if (!can_run()) return;
  auto stream = open_stream("many", 0);
  for (int i = 0; i < 40; ++i) REQUIRE(write_all(stream.fd.get(), "line " + std::to_string(i) + "\n"));
  const std::vector<cli::LogSource> sources{{"shop:many/0", "journal:shop:many/0"}};
  REQUIRE(follow(sources, {}, [](const auto& have) { return have.size() == 40; }).size() == 40);
  const auto read = [&](const LogQuery& query) {
    std::vector<std::pair<std::string, WallTime>> all;
    REQUIRE(cli::read_logs(sources, query, [&](const LogLine& line) {
      all.emplace_back(line.text, line.when.value());
      return true;
    }));
    return all;
  };
  const auto all = read({});
  REQUIRE(all.size() == 40);
  LogQuery query;
  for (const auto wanted : {0U, 1U, 7U, 40U, 100U}) {
    query.lines = wanted;
    const auto some = read(query);
    REQUIRE(some.size() == std::min(wanted, 40U));
    if (!some.empty()) CHECK(some.front().first == "line " + std::to_string(40 - some.size()));
  }
  query.lines.reset();
  query.since = all[30].second;
  const auto later = read(query);
  // Lines that journald read at once have the same time.
  const auto first = std::ranges::find(all, all[30].second, &std::pair<std::string, WallTime>::second);
  CHECK(std::ranges::equal(later, std::ranges::subrange{first, all.end()}));
}

namespace {

// A cgroup as an instance has it when svd runs as a service, and this process's child in it.
std::string instance_cgroup(const std::string& leaf) {
  for (const auto* root : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
    const auto path = std::string{root} + "/svd-journal-test.service/svd-0000abcd/" + leaf;
    std::error_code error;
    if (std::filesystem::exists(std::string{root} + "/cgroup.procs") &&
        std::filesystem::create_directories(path, error))
      return path;
  }
  return {};
}

}  // namespace

TEST_CASE("what journald suppresses is told, under the instance that met the limit", "[logs][journal]") {
  if (!can_run()) return;
  const auto cgroup = instance_cgroup("shop:noisy/2.17");
  if (cgroup.empty()) {
    WARN("passed over: no cgroup v2 to write to");
    return;
  }
  const auto stream = open_stream("noisy", 2);
  int gate[2];
  REQUIRE(::pipe2(gate, O_CLOEXEC) == 0);
  const auto app = fork_bound();
  if (app == 0) {
    std::ofstream{cgroup + "/cgroup.procs"} << ::getpid() << std::flush;
    ::close(gate[1]);
    // Far more than the limit, then one line after the other until journald's interval is over and it tells.
    for (int i = 0; i < 20'000; ++i) static_cast<void>(!write_all(stream.fd.get(), "flood\n"));
    pollfd waiting{gate[0], POLLIN, 0};
    while (::poll(&waiting, 1, 300) == 0) static_cast<void>(!write_all(stream.fd.get(), "one more\n"));
    ::_exit(0);
  }
  ::close(gate[0]);
  const auto told = [](const std::vector<Line>& have) { return have.back().note; };
  const auto lines =
      follow({{"shop:web/0", "journal:shop:web/0"}, {"shop:noisy/2", "journal:shop:noisy/2"}}, {}, told);
  ::close(gate[1]);
  ::waitpid(app, nullptr, 0);
  REQUIRE_FALSE(lines.empty());
  CHECK(lines.back().note);
  CHECK(lines.back().source == 1);
  CHECK_THAT(lines.back().text, ContainsSubstring("messages of 'svd-journal-test.service'"));
  CHECK(lines.back().text.starts_with("journald suppressed "));
  for (auto path = cgroup; path.find("svd-journal-test.service") != std::string::npos;
       path = split_path(path).directory)
    ::rmdir(path.c_str());
}

namespace {

constexpr uid_t stranger = 65534, app_user = 64999;

// Says `text` under another's name in every way that journald has, as this user; from the cgroup `into`, if
// any.
void forge(uid_t as, const std::string& text, const std::string& into = {}) {
  const auto forger = fork_bound();
  if (forger == 0) {
    if (!into.empty()) std::ofstream{into + "/cgroup.procs"} << ::getpid() << std::flush;
    if (::setgroups(0, nullptr) != 0 || ::setgid(as) != 0 || ::setuid(as) != 0) ::_exit(9);
    auto stream = open_journal_stream("/run/systemd/journal/stdout", "shop:victim/0");
    if (!stream || !write_all(stream->get(), text + " by stream\n")) ::_exit(8);
    const auto send = [](const char* path, const std::string& datagram) {
      const UniqueFd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strcpy(address.sun_path, path);
      if (::sendto(fd.get(), datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&address),
                   sizeof address) < 0)
        ::_exit(7);
    };
    send("/run/systemd/journal/socket",
         "SYSLOG_IDENTIFIER=shop:victim/0\n_UID=0\n_TRANSPORT=stdout\nMESSAGE=" + text + " natively\n");
    send("/run/systemd/journal/socket",
         "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e\nSYSLOG_IDENTIFIER=shop:victim/0\nN_DROPPED=" + text +
             "\nOBJECT_SYSTEMD_UNIT=victim.service\nMESSAGE=" + text + " as a remark\n");
    send("/run/systemd/journal/dev-log", "<6>shop:victim/0: " + text + " by syslog");
    ::pause();  // it is there when journald looks
    ::_exit(0);
  }
  // All of it has arrived when the last of it has.
  const auto arrived = [&] { return output_of("journalctl -q -o cat -t shop:victim/0"); };
  for (int i = 0; i < 400 && arrived().find(text + " by syslog") == std::string::npos; ++i)
    ::poll(nullptr, 0, 25);
  CHECK_THAT(arrived(), ContainsSubstring(text + " by stream") && ContainsSubstring(text + " natively") &&
                            ContainsSubstring(text + " as a remark") &&
                            ContainsSubstring(text + " by syslog"));
  ::kill(forger, SIGKILL);
  ::waitpid(forger, nullptr, 0);
}

}  // namespace

TEST_CASE("nobody puts lines into an instance's log: not another user, not another app", "[logs][journal]") {
  if (!can_run()) return;
  const auto victim = open_stream("victim", 0);
  for (int i = 0; i < 3; ++i) REQUIRE(write_all(victim.fd.get(), "true " + std::to_string(i) + "\n"));
  cli::JournalTrust trust{{0}, {app_user}, "/svd-journal-test.service"};
  forge(stranger, "forged by a stranger");
  if (const auto cgroup = instance_cgroup("shop:evil/0.3"); !cgroup.empty()) {
    forge(app_user, "forged by an app of the same user", cgroup);
    ::rmdir(cgroup.c_str());
  }
  const auto read = [&](const LogQuery& query) {
    std::vector<std::string> all;
    REQUIRE(
        cli::read_logs({{"shop:victim/0", "journal:shop:victim/0", trust}}, query, [&](const LogLine& line) {
          all.emplace_back(line.text);
          return true;
        }));
    return all;
  };
  CHECK(read({}) == std::vector<std::string>{"true 0", "true 1", "true 2"});
  LogQuery last;
  last.lines = 2;  // what was forged is newer, and takes no place
  CHECK(read(last) == std::vector<std::string>{"true 1", "true 2"});
}
