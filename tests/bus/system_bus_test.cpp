// SPDX-License-Identifier: Apache-2.0
// org.svd1 on a message bus: a dbus-daemon of the test's own, with clients of several users.
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>

#include "bus/harness.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

constexpr std::uint32_t nobody = 65534;
constexpr std::uint32_t svd_group = 54321;
constexpr std::uint32_t listed_user = 5;  // dbus-daemon refuses a uid that the host does not know

// A dbus-daemon with a policy as a host has it: only root may own the name, everybody may call.
class MessageBus {
 public:
  explicit MessageBus(const std::string& directory) : directory_{directory} {
    std::ofstream{config()}
        << R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>unix:path=)"
        << directory << R"(/system</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow send_destination="*" eavesdrop="false"/>
<allow receive_sender="*"/></policy><policy user="root"><allow own="org.svd1"/></policy></busconfig>)";
    start();
  }
  ~MessageBus() {
    stop();
    ::unlink(config().c_str());
    ::unlink((directory_ + "/system").c_str());
  }
  MessageBus(const MessageBus&) = delete;
  MessageBus& operator=(const MessageBus&) = delete;

  void start() {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      const auto file = "--config-file=" + config();
      const auto fd = "--print-address=" + std::to_string(ends[1]);
      ::execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", file.c_str(), fd.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    char text[256];
    REQUIRE(::read(ends[0], text, sizeof text) > 0);  // it listens
    ::close(ends[0]);
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] std::string address() const { return "unix:path=" + directory_ + "/system"; }

 private:
  [[nodiscard]] std::string config() const { return directory_ + "/bus.conf"; }
  std::string directory_;
  pid_t pid_ = -1;
};

struct Files {
  std::string group, user;
  explicit Files(const std::string& directory) : group{directory + "/group"}, user{directory + "/passwd"} {
    std::ofstream{group} << "root:x:0:\nsvd:x:54321:ann\n";
    std::ofstream{user} << "root:x:0:0::/:/bin/sh\nann:x:5:60::/:/bin/sh\n";
  }
};

struct Directory {
  std::string path;
  Directory() {
    char name[] = "/tmp/svd-sysbus-XXXXXX";
    path = ::mkdtemp(name);
    ::chmod(name, 0755);
  }
  ~Directory() {
    for (const char* file : {"/group", "/passwd"}) ::unlink((path + file).c_str());
    ::rmdir(path.c_str());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
};

struct Bench {
  Directory directory;
  Files files{directory.path};
  MessageBus bus{directory.path};
  Harness harness{
      {}, bus::AccessRules{.own_uid = 0, .group = "svd", .group_file = files.group, .user_file = files.user}};

  Bench() {
    REQUIRE(harness.server->join(bus.address()));
    wait_for_name();
  }
  void wait_for_name() {
    const auto seen =
        harness.run({"busctl", "--address=" + bus.address(), "--timeout=15", "call", "org.freedesktop.DBus",
                     "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "s", "org.svd1"});
    if (seen.output == "b true\n") return;
    harness.settle();
    wait_for_name();
  }
  [[nodiscard]] Ended as(std::uint32_t uid, std::vector<gid_t> groups, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"busctl", "--address=" + bus.address(), "--timeout=15"});
    return harness.in_child([&]() -> int {
      if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(uid) != 0 || ::setuid(uid) != 0)
        return 99;
      std::vector<char*> argv;
      for (auto& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      ::execvp(argv[0], argv.data());
      return 127;
    });
  }
  [[nodiscard]] Ended call(std::uint32_t uid, std::vector<gid_t> groups, std::vector<std::string> method) {
    method.insert(method.begin(), {"call", "org.svd1", "/org/svd1", "org.svd1.Manager"});
    return as(uid, std::move(groups), std::move(method));
  }
};

bool may_test() {
  if (::geteuid() == 0) return true;
  WARN("skipped: changing users needs root");
  return false;
}

}  // namespace

TEST_CASE("on the system bus root does everything, the group all but ending the daemon, others read",
          "[bus][system]") {
  if (!may_test()) return;
  Bench bench;
  auto& calls = bench.harness.control.calls;
  bench.harness.control.add_app({*Name::parse("shop"), *Name::parse("web")}, 2);

  CHECK(bench.call(0, {}, {"Stop", "as", "1", "web"}).status == 0);
  CHECK(bench.call(0, {}, {"Shutdown", "b", "false"}).status == 0);
  CHECK(bench.call(nobody, {svd_group}, {"Restart", "as", "1", "web"}).status == 0);
  CHECK(bench.call(listed_user, {}, {"Start", "as", "1", "web"}).status == 0);
  CHECK(calls == std::vector<std::string>{"stop web by root", "shutdown by root", "restart web by 65534",
                                          "start web by ann"});
  CHECK_THAT(bench.call(nobody, {svd_group}, {"Shutdown", "b", "false"}).output, ContainsSubstring("denied"));

  const auto listed = bench.call(nobody, {}, {"ListInstances", "as", "0"});
  CHECK(listed.status == 0);
  CHECK_THAT(listed.output, ContainsSubstring("web"));
  CHECK_THAT(
      bench.as(nobody, {}, {"get-property", "org.svd1", "/org/svd1", "org.svd1.Manager", "Version"}).output,
      ContainsSubstring("1.2.3"));
  for (const auto& method : std::vector<std::vector<std::string>>{{"Stop", "as", "1", "web"},
                                                                  {"Plan", "ssa{sv}", "apps: {}", "x", "0"},
                                                                  {"Shutdown", "b", "true"},
                                                                  {"Reexecute"}}) {
    const auto refused = bench.call(nobody, {}, method);
    CAPTURE(method.front());
    CHECK(refused.status == 1);
    CHECK_THAT(refused.output, ContainsSubstring("denied"));
  }
  CHECK(calls.size() == 4);
}

TEST_CASE("busctl tree and introspect work over the system bus", "[bus][system]") {
  if (!may_test()) return;
  Bench bench;
  bench.harness.control.add_app({*Name::parse("shop"), *Name::parse("web")}, 1);
  CHECK_THAT(bench.as(nobody, {}, {"tree", "org.svd1"}).output, ContainsSubstring("/org/svd1/app"));
  CHECK_THAT(bench.as(nobody, {}, {"introspect", "org.svd1", "/org/svd1"}).output,
             ContainsSubstring("ListApps"));
}

TEST_CASE("an error keeps its name on its way over the system bus", "[bus][system]") {
  if (!may_test()) return;
  Bench bench;
  bench.harness.control.answer = fail(std::errc::no_such_process, "cannot find 'wbe': did you mean 'web'?");
  const auto told = bench.call(0, {}, {"Stop", "as", "1", "wbe"});
  CHECK(told.status == 1);
  CHECK_THAT(told.output, ContainsSubstring("did you mean 'web'"));
}

TEST_CASE("a client that has called us hears the signals, and is forgotten when it leaves", "[bus][system]") {
  if (!may_test()) return;
  Bench bench;
  sd_bus* raw = nullptr;
  sd_bus_new(&raw);
  Bus client{raw};
  sd_bus_set_address(raw, bench.bus.address().c_str());
  sd_bus_set_bus_client(raw, 1);
  REQUIRE(sd_bus_start(raw) >= 0);
  REQUIRE(sd_bus_attach_event(raw, bench.harness.loop.get(), 0) >= 0);
  unsigned heard = 0, messages = 0;
  const auto note = [](sd_bus_message*, void* count, sd_bus_error*) {
    ++*static_cast<unsigned*>(count);
    return 0;
  };
  const auto count = [&](const char* member, unsigned& into) {
    sd_bus_match_signal_async(raw, nullptr, "org.svd1", "/org/svd1", "org.svd1.Manager", member, note,
                              nullptr, &into);
  };
  count("ChangeFinished", heard);
  count("Message", messages);
  const auto reply = bench.harness.call_manager(raw, "ListApps",
                                                [](sd_bus_message* m) { sd_bus_message_append(m, "as", 0); });
  CHECK(error_name(reply).empty());
  ChangeView change;
  change.id = ChangeId{7};
  change.state = "succeeded";
  bench.harness.control.change_views[change.id] = change;
  bench.harness.server->message({{*Name::parse("shop"), *Name::parse("web")}, 0},
                                "1");  // for the private socket only
  bench.harness.server->change_finished(change.id);
  bench.harness.until([&] { return heard == 1; });
  CHECK(messages == 0);
}

namespace {

// What the author of a file, an app or a path can put into a view; nobody but insiders may read it.
const std::string value = "hunter2";

void fill_with_values(FakeControl& control) {
  const auto web = app_id("shop", "web");
  control.add_app(web, 1);
  auto& app = control.app_views[web];
  app.exec = {"/bin/app", "--token", value};
  app.env = {"TOKEN=" + value, "EMPTY="};
  app.settings = {"health.exec=curl " + value};
  app.listeners = {"unix /run/" + value + " (http, shared)"};
  app.degraded = {value};
  app.cwd = "/srv/" + value;
  app.reason = "cannot run '" + value + "'";
  auto& instance = control.instance_views[{web, 0}];
  instance.reason = instance.directory = instance.log = "/x/" + value;
  ChangeView change;
  change.id = ChangeId{7};
  change.kind = "apply";
  change.state = "failed";
  change.error = "web: " + value;
  change.steps = {{PlanStep::Action::replace, web, 1, value, {"env.TOKEN changed a → " + value}, {value}}};
  change.failed = {{web, 0}};
  control.change_views[change.id] = change;
  control.event_records = {{1, {5}, "instance", "shop:web/0", "ready → backoff: " + value}};
  control.revision_views = {{web.ecosystem,
                             3,
                             {5},
                             "root (uid 0)",
                             "failed: " + value,
                             "/home/" + value + ".yml",
                             "web: " + value,
                             true}};
}

using Words = std::vector<std::string>;

// All that reads, as busctl(1) says it.
const std::vector<Words> readings{
    {"call", "org.svd1", "/org/svd1", "org.svd1.Manager", "ListApps", "as", "0"},
    {"call", "org.svd1", "/org/svd1", "org.svd1.Manager", "ListInstances", "as", "0"},
    {"call", "org.svd1", "/org/svd1", "org.svd1.Manager", "ListUsage", "as", "0"},
    {"call", "org.svd1", "/org/svd1", "org.svd1.Manager", "History", "s", ""},
    {"call", "org.svd1", "/org/svd1", "org.svd1.Manager", "ListEvents", "tu", "0", "0"},
    {"call", "org.svd1", "/org/svd1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"},
    {"call", "org.svd1", "/org/svd1", "org.freedesktop.DBus.Properties", "GetAll", "s", "org.svd1.Manager"},
    {"introspect", "org.svd1", "/org/svd1/app/shop/web"},
    {"introspect", "org.svd1", "/org/svd1/instance/shop/web/0"},
    {"introspect", "org.svd1", "/org/svd1/change/7"},
    {"get-property", "org.svd1", "/org/svd1/app/shop/web", "org.svd1.App", "Exec", "Env", "Settings", "Cwd"},
    {"get-property", "org.svd1", "/org/svd1/change/7", "org.svd1.Change", "Steps", "Error", "Failed"},
};

}  // namespace

TEST_CASE("readers on the system bus get names and no values, those who may act get both", "[bus][system]") {
  if (!may_test()) return;
  Bench bench;
  fill_with_values(bench.harness.control);
  bench.harness.host.described.unsaved = bench.harness.host.described.degraded[0] = value;

  std::string told, known;
  for (const auto& reading : readings) {
    CAPTURE(reading);
    const auto answer = bench.as(nobody, {}, reading);
    CHECK(answer.status == 0);
    CHECK_THAT(answer.output, !ContainsSubstring(value));
    told += answer.output;
    known += bench.as(nobody, {svd_group}, reading).output;
  }
  for (const char* name :
       {"TOKEN=(hidden)", "health.exec=(hidden)", "/bin/app", "shop:web/0", "replace", "failed"})
    CHECK_THAT(told, ContainsSubstring(name));
  for (const char* text : {"TOKEN=hunter2", "--token", "/home/hunter2.yml", "backoff: hunter2"})
    CHECK_THAT(known, ContainsSubstring(text));
}

TEST_CASE("what is broadcast on the system bus is what everybody may see", "[bus][system]") {
  if (!may_test()) return;
  Bench bench;
  auto& control = bench.harness.control;
  sd_bus* raw = nullptr;
  sd_bus_new(&raw);
  Bus client{raw};
  sd_bus_set_address(raw, bench.bus.address().c_str());
  sd_bus_set_bus_client(raw, 1);
  REQUIRE(sd_bus_start(raw) >= 0);
  REQUIRE(sd_bus_attach_event(raw, bench.harness.loop.get(), 0) >= 0);
  struct Heard {
    std::string text;
    bool done = false;
  } heard;
  const auto note = [](sd_bus_message* message, void* into, sd_bus_error*) {
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* file = ::open_memstream(&text, &size);
    sd_bus_message_dump(message, file, SD_BUS_MESSAGE_DUMP_WITH_HEADER);
    std::fclose(file);
    auto& all = *static_cast<Heard*>(into);
    all.text.append(text, size);
    std::free(text);
    if (sd_bus_message_is_signal(message, nullptr, "ChangeFinished") > 0) all.done = true;
    return 0;
  };
  REQUIRE(sd_bus_add_match_async(raw, nullptr, "type='signal',sender='org.svd1'", note, nullptr, &heard) >=
          0);
  const auto list = [](sd_bus_message* m) { sd_bus_message_append(m, "as", 0); };
  CHECK(error_name(bench.harness.call_manager(raw, "ListApps", list))
            .empty());  // as root: now there is a session

  fill_with_values(control);
  auto& server = *bench.harness.server;
  const auto web = app_id("shop", "web");
  server.change_started(ChangeId{7});
  server.event(control.event_records[0]);
  server.app_changed(web);
  server.instance_changed({web, 0});
  server.change_changed(ChangeId{7});
  server.message({web, 0}, value);
  server.change_finished(ChangeId{7});
  bench.harness.until([&] { return heard.done; });
  for (const char* member :
       {"ChangeStarted", "EventRecorded", "InstanceChanged", "PropertiesChanged", "InterfacesAdded"})
    CHECK_THAT(heard.text, ContainsSubstring(member));
  CHECK_THAT(heard.text, !ContainsSubstring(value));
}

TEST_CASE("when the message bus is started anew, the name comes back", "[bus][system]") {
  if (!may_test()) return;
  Bench bench;
  bench.bus.stop();
  bench.harness.until([&] { return !bench.harness.server->bus_problem().empty(); });
  bench.bus.start();
  bench.harness.until([&] { return bench.harness.server->bus_problem().empty(); });
  CHECK(bench.call(0, {}, {"ListApps", "as", "0"}).status == 0);
}

TEST_CASE("without a message bus joining is an error that says so", "[bus][system]") {
  Harness harness;
  const auto joined = harness.server->join("unix:path=/nonexistent/bus");
  REQUIRE_FALSE(joined);
  CHECK_THAT(joined.error().text, ContainsSubstring("cannot connect to the system bus"));
}

TEST_CASE("a stranger's calls are served one after the other, and others do not wait behind them",
          "[bus][system]") {
  if (!may_test()) return;
  Bench bench;
  bench.harness.control.add_app({*Name::parse("shop"), *Name::parse("web")}, 2);
  // More than are taken: what is refused is refused at once. A second client is there, and quiet.
  CHECK(bench.call(nobody, {}, {"ListApps", "as", "0"}).status == 0);
  const auto flood = bench.harness.in_child([&]() -> int {
    if (::setgroups(0, nullptr) != 0 || ::setgid(nobody) != 0 || ::setuid(nobody) != 0) return 99;
    sd_bus* raw = nullptr;
    sd_bus_new(&raw);
    const Bus client{raw};
    sd_bus_set_address(raw, bench.bus.address().c_str());
    sd_bus_set_bus_client(raw, 1);
    if (sd_bus_start(raw) < 0) return 98;
    struct Counts {
      int answered = 0, refused = 0;
    } counts;
    const auto on_reply = [](sd_bus_message* reply, void* into, sd_bus_error*) {
      auto& seen = *static_cast<Counts*>(into);
      ++(sd_bus_message_is_method_error(reply, nullptr) > 0 ? seen.refused : seen.answered);
      return 0;
    };
    constexpr int calls = 100;  // below what the message bus itself lets one client have under way
    for (int i = 0; i < calls; ++i)
      if (sd_bus_call_method_async(raw, nullptr, "org.svd1", "/org/svd1", "org.svd1.Manager", "ListApps",
                                   on_reply, &counts, "as", 0) < 0)
        return 97;
    while (counts.answered + counts.refused < calls)
      if (const int r = sd_bus_process(raw, nullptr); r < 0)
        return 96;
      else if (r == 0)
        sd_bus_wait(raw, UINT64_MAX);
    return counts.answered >= 16 && counts.refused > 0 ? 0 : 1;
  });
  CHECK(flood.status == 0);
  CHECK(bench.call(0, {}, {"ListApps", "as", "0"}).status == 0);
  CHECK(bench.call(nobody, {}, {"ListApps", "as", "0"}).status == 0);
}
