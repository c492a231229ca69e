// SPDX-License-Identifier: Apache-2.0
// Each verb against the scripted daemon: what it asks, prints and returns.
#include "unit/cli_support.h"

using namespace svd;
using namespace svd::cli_test;

namespace {

using Calls = std::vector<std::string>;

constexpr const char* good_file =
    "version: 1\nname: shop\napps:\n  web: { exec: [node, s.js], instances: 4 }\n  job: { exec: [x] }\n";

World world_with_file(const std::string& text = good_file) {
  World world;
  world.files["eco.yaml"] = text;
  return world;
}

PlanStep replace_step() {
  return {PlanStep::Action::replace,
          app_id("shop:web"),
          4,
          "replace 4 instances, one at a time",
          {"env.NODE_ENV changed production → staging"}};
}

}  // namespace

TEST_CASE("check needs no daemon, and counts what the file declares", "[cli][check]") {
  auto world = world_with_file();
  world.daemon_runs = false;
  CHECK(world.run({"check", "eco.yaml"}) == Exit::ok);
  CHECK(world.out == "eco.yaml: ok: ecosystem shop, 2 apps, 5 instances\n");
  CHECK(world.run({"check", "eco.yaml", "--json"}) == Exit::ok);
  CHECK(world.out == "[]\n");
}

TEST_CASE("check shows all complaints at once, under the name that was typed", "[cli][check]") {
  auto world = world_with_file("version: 1\napps:\n  web:\n    exec: [x]\n    instnaces: 4\n    nice: 99\n");
  CHECK(world.run({"check", "eco.yaml"}) == Exit::error);
  CHECK(world.out.empty());
  check_golden("diagnostics", world.err);
  CHECK(world.run({"check", "eco.yaml", "--json"}) == Exit::error);
  check_golden("diagnostics_json", world.out);
  CHECK(world.run({"check", "missing.yaml"}) == Exit::error);
  CHECK(world.err == "svctl: cannot read 'missing.yaml': No such file or directory\n");
}

TEST_CASE("explain shows a field, and suggests one for what is none", "[cli][explain]") {
  World world;
  CHECK(world.run({"explain", "apps.web.restart.delay"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("100ms"));
  CHECK(world.run({"explain", "apps.web.instnaces"}) == Exit::error);
  CHECK_THAT(world.err, ContainsSubstring("instances"));
}

TEST_CASE("a file with mistakes is complained about before any daemon is asked or started", "[cli][apply]") {
  auto world = world_with_file("apps: { web: { exce: [x] } }\n");
  world.daemon_runs = false;
  CHECK(world.run({"apply", "eco.yaml"}) == Exit::error);
  CHECK_THAT(world.err, ContainsSubstring("eco.yaml:1:"));
  CHECK(world.daemons_started == 0);
}

TEST_CASE("plan exits 2 when there are changes and 0 when there are none", "[cli][plan]") {
  auto world = world_with_file();
  world.daemon.steps = {replace_step()};
  CHECK(world.run({"plan", "eco.yaml"}) == Exit::changes);
  CHECK(world.out ==
        "~ web: replace 4 instances, one at a time: env.NODE_ENV changed production → staging\n");
  CHECK(world.run({"apply", "eco.yaml", "--dry-run"}) == Exit::changes);
  world.daemon.steps.clear();
  CHECK(world.run({"plan", "eco.yaml"}) == Exit::ok);
  CHECK(world.out == "nothing to do: what runs is what the file says\n");
  CHECK(world.daemon.calls ==
        Calls{"plan /srv/shop/eco.yaml", "plan /srv/shop/eco.yaml", "plan /srv/shop/eco.yaml"});
}

TEST_CASE("plan without a daemon starts none and says that all is to be started", "[cli][plan]") {
  auto world = world_with_file();
  world.daemon_runs = false;
  CHECK(world.run({"plan", "eco.yaml"}) == Exit::changes);
  CHECK(world.out ==
        "+ job: start 1 instance: no daemon runs here yet\n+ web: start 4 instances: no daemon runs here "
        "yet\n");
  CHECK(world.daemons_started == 0);
}

TEST_CASE("apply starts a daemon where none runs, and says the daemon's own words when it will not start",
          "[cli][apply]") {
  auto world = world_with_file();
  world.daemon_runs = false;
  CHECK(world.run({"apply", "eco.yaml"}) == Exit::ok);
  CHECK(world.daemons_started == 1);

  world.daemon_runs = false;
  world.start_result = fail(std::errc::io_error, "cannot start the daemon: cannot lock '/h/run/lock'");
  CHECK(world.run({"apply", "eco.yaml"}) == Exit::error);
  CHECK(world.err == "svctl: cannot start the daemon: cannot lock '/h/run/lock'\n");
}

TEST_CASE("at an address no daemon is started", "[cli][apply]") {
  auto world = world_with_file();
  world.daemon_runs = false;
  CHECK(world.run({"--address", "/x/bus", "apply", "eco.yaml"}) == Exit::no_daemon);
  CHECK(world.daemons_started == 0);
  CHECK_THAT(world.err, ContainsSubstring("no daemon runs at unix:path=/x/bus"));
}

TEST_CASE("apply sends text, place, profile, env files and what pass_env names", "[cli][apply]") {
  auto world = world_with_file(
      "version: 1\nname: shop\nprofiles: { production: { apps: { web: { nice: 5 } } } }\n"
      "apps: { web: { exec: [x], env_file: [.env], pass_env: [HTTP_PROXY] } }\n");
  world.files["/srv/shop/.env"] = "TOKEN=abc\n";
  world.environment["HTTP_PROXY"] = "http://proxy";
  world.environment["OTHER"] = "stays here";
  CHECK(world.run({"apply", "eco.yaml", "--profile", "production"}) == Exit::ok);
  const auto& sent = world.daemon.applied;
  CHECK(sent.file == "/srv/shop/eco.yaml");
  CHECK(sent.directory == "/srv/shop");
  CHECK(sent.profile == "production");
  CHECK(sent.env_files == std::map<std::string, std::string>{{"/srv/shop/.env", "TOKEN=abc\n"}});
  CHECK(sent.pass_env == std::map<std::string, std::string>{{"HTTP_PROXY", "http://proxy"}});
}

TEST_CASE("standard input is a file without a name, relative to the current directory", "[cli][apply]") {
  World world;
  world.files["-"] = good_file;
  CHECK(world.run({"apply", "-"}) == Exit::ok);
  CHECK(world.daemon.applied.file == "-");
  CHECK(world.daemon.applied.directory == "/srv/shop");
}

TEST_CASE("an apply that changes nothing while not all runs says what does not, and fails", "[cli][apply]") {
  auto world = world_with_file();
  world.daemon.begun = Begun{};
  world.daemon.apps = {app("shop:web", 1, 4, "degraded", "web/1: cannot start: ./nope: No such file")};
  CHECK(world.run({"apply", "eco.yaml"}) == Exit::error);
  CHECK(world.out.empty());
  CHECK(world.err ==
        "svctl: nothing to change, but not all that the file declares runs\n"
        "  shop:web is degraded: web/1: cannot start: ./nope: No such file\n");
}

TEST_CASE("what the shell makes of <(…), and any pipe or device, is read as standard input is",
          "[cli][apply]") {
  const auto [name, is_pipe] = GENERATE(table<std::string, bool>({{"/dev/fd/63", true},
                                                                  {"/dev/fd/3", false},
                                                                  {"/proc/self/fd/12", false},
                                                                  {"/proc/811/fd/12", true},
                                                                  {"/dev/stdin", false},
                                                                  {"/tmp/fifo", true}}));
  World world;
  world.files[name] = "version: 1\napps: { web: { exec: [x], instances: none } }\n";
  if (is_pipe) world.pipes.insert(name);
  CHECK(world.run({"check", name}) == Exit::error);
  CHECK_THAT(world.err, ContainsSubstring(name + ":2:"));  // as it was typed
  world.files[name] = good_file;
  CHECK(world.run({"apply", name}) == Exit::ok);
  CHECK(world.daemon.applied.file == "-");
  CHECK(world.daemon.applied.directory == "/srv/shop");
}

TEST_CASE("a change that is done and not on the disk is a warning, and status says it", "[cli][apply]") {
  auto world = world_with_file();
  world.daemon.daemon.unsaved = "the state in '/s' is not saved: no space";
  CHECK(world.run({"apply", "eco.yaml"}) == Exit::ok);
  CHECK(world.err ==
        "svctl: warning: the state in '/s' is not saved: no space; the next start of svd will know an older "
        "state\n");
  CHECK(world.run({"status"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("\nnot saved: the state in '/s' is not saved: no space\n"));
}

TEST_CASE("an apply that changes nothing says so and exits 0", "[cli][apply]") {
  auto world = world_with_file();
  world.daemon.begun = Begun{};
  CHECK(world.run({"apply", "eco.yaml"}) == Exit::ok);
  CHECK(world.out == "nothing to do: what runs is what the file says\n");
  CHECK(world.run({"apply", "eco.yaml", "--json"}) == Exit::ok);
  CHECK_THAT(world.out,
             ContainsSubstring("\"kind\":\"apply\"") && ContainsSubstring("\"state\":\"succeeded\""));
}

TEST_CASE("what the daemon does not know is exit 4, with its suggestion", "[cli][status]") {
  World world;
  CHECK(world.run({"status", "wbe"}) == Exit::not_found);
  CHECK(world.err == "svctl: no app is named 'wbe', did you mean 'web'?\n");
}

TEST_CASE("a daemon whose socket is gone is not taken for none, and says how to mend it", "[cli]") {
  auto world = world_with_file();
  world.daemon_runs = false;
  world.hidden_daemon = 77;
  CHECK(world.run({"ls"}) == Exit::error);
  CHECK(world.err ==
        "svctl: a daemon runs (pid 77), but nobody listens at unix:path=/h/run/bus: its socket was removed, "
        "or it has another runtime directory; 'kill -HUP 77' has it make its socket anew, and no app is "
        "touched by that\n");
  world.start_result = fail(std::errc::io_error, "already running");  // the lock has the last word
  CHECK(world.run({"apply", "eco.yaml"}) == Exit::error);
  CHECK(world.daemons_started == 1);
  CHECK_THAT(world.err, ContainsSubstring("'kill -HUP 77'"));
}

TEST_CASE("without a daemon a verb says how to start one, and exits 3", "[cli]") {
  World world;
  world.daemon_runs = false;
  for (const std::vector<std::string>& arguments :
       {Calls{"ls"}, Calls{"status"}, Calls{"stop", "web"}, Calls{"history"}, Calls{"events"},
        Calls{"daemon", "stop"}, Calls{"logs"}, Calls{"scale", "web", "2"}}) {
    CHECK(world.run(arguments) == Exit::no_daemon);
    CHECK(world.err == "svctl: no daemon runs at unix:path=/h/run/bus; start one with 'svctl apply FILE'\n");
  }
  CHECK(world.run({"ls", "--names"}) == Exit::no_daemon);  // for completion: not a word
  CHECK(world.err.empty());
}

TEST_CASE("a svd FILE that could not live in the standard place is found where it lives", "[cli]") {
  World world;
  world.environment.clear();
  world.uid = 12345;
  const std::string place = "/dev/shm/svd-12345-7";
  const auto address = [&] {
    auto context = world.context();
    context.system.fallbacks = {{place, "", ""}};
    const auto found = context.endpoint();
    return found ? found->address : found.error().text;
  };
  CHECK_THAT(address(),
             ContainsSubstring("cannot find a place for the daemon"));  // a random user has no HOME
  world.existing = {place + "/bus"};
  CHECK(address() == "unix:path=" + place + "/bus");
  world.environment["HOME"] = "/home/ann";
  CHECK(address() == "unix:path=" + place + "/bus");
  world.existing.insert("/home/ann/.local/state/svd/run/bus");
  CHECK(address() == "unix:path=/home/ann/.local/state/svd/run/bus");
  world.existing = {place + "/bus"};
  world.environment["SVD_HOME"] = "/h";  // what was asked for is kept to
  CHECK(address() == "unix:path=/h/run/bus");
}

TEST_CASE("startup hands the daemon to systemd, and exchanges none that runs", "[cli][startup]") {
  World world;
  world.environment.erase("SVD_HOME");
  world.environment["HOME"] = "/home/ann";
  world.existing = {"/run/systemd/system"};
  world.daemon_runs = false;
  SECTION("of a user") {
    CHECK(world.run({"startup"}) == Exit::ok);
    CHECK(world.programs == std::vector<std::string>{"loginctl enable-linger",
                                                     "systemctl --user enable svd.service",
                                                     "systemctl --user start svd.service"});
  }
  SECTION("of the system") {
    world.uid = 0;
    CHECK(world.run({"startup"}) == Exit::ok);
    CHECK(world.programs == std::vector<std::string>{"systemd-sysusers /usr/lib/sysusers.d/svd.conf",
                                                     "systemd-tmpfiles --create /usr/lib/tmpfiles.d/svd.conf",
                                                     "systemctl enable svd.service svd.socket",
                                                     "systemctl start svd.socket svd.service"});
  }
  SECTION("of the system, where the message bus does not look for policies") {
    world.uid = 0;
    world.prefix = "/usr/local";
    world.existing.insert({"/etc/dbus-1/system.d", "/run/dbus/system_bus_socket"});
    CHECK(world.run({"startup"}) == Exit::ok);
    REQUIRE(world.programs.size() == 6);
    const std::string link = "/etc/dbus-1/system.d/org.svd1.conf";
    CHECK(world.programs[2] == "ln -sfn /usr/local/share/dbus-1/system.d/org.svd1.conf " + link);
    CHECK(world.programs[3] == "systemctl reload dbus.service");
    world.existing.insert(link);
    CHECK(world.run({"startup", "--disable"}) == Exit::ok);
    CHECK(world.programs.back() == "rm " + link);
  }
  SECTION("that runs already") {
    world.daemon_runs = true;
    CHECK(world.run({"startup"}) == Exit::ok);
    CHECK(world.programs.back() == "systemctl --user enable svd.service");
    CHECK_THAT(world.out, ContainsSubstring("a daemon runs already and goes on"));
  }
  SECTION("and the first step that fails is the last") {
    world.failing_program = "loginctl enable-linger";
    CHECK(world.run({"startup"}) == Exit::error);
    CHECK(world.programs.size() == 1);
    CHECK_THAT(world.err, ContainsSubstring("'loginctl enable-linger' ended with 1"));
    CHECK_THAT(world.err, ContainsSubstring("ask root for 'loginctl enable-linger ann'"));
  }
  SECTION("of a user who lingers already, and may not say so") {
    world.existing.insert("/var/lib/systemd/linger/ann");
    world.failing_program = "loginctl enable-linger";
    CHECK(world.run({"startup"}) == Exit::ok);
    CHECK(world.programs.front() == "systemctl --user enable svd.service");
  }
  SECTION("and takes it back") {
    CHECK(world.run({"startup", "--disable"}) == Exit::ok);
    CHECK(world.programs == std::vector<std::string>{"systemctl --user disable svd.service"});
  }
  SECTION("but not where systemd does not run") {
    world.existing.clear();
    CHECK(world.run({"startup"}) == Exit::error);
    CHECK_THAT(world.err, ContainsSubstring("systemd does not run here"));
  }
}

TEST_CASE("ls prints the table, JSON, or names for completion", "[cli][ls]") {
  World world;
  world.daemon.instances = {instance("shop:web/0", Phase::ready), instance("shop:web/1", Phase::ready)};
  world.daemon.apps = {app("shop:web", 2, 2, "ready"), app("shop:api", 1, 1, "ready")};
  CHECK(world.run({"ls", "web"}) == Exit::ok);
  CHECK(world.out ==
        "NAME   PHASE   PID  RESTARTS  AGE  MEMORY   CPU  REASON\nweb/0  ready  4000         0   3h   64MiB  "
        "1.2s\nweb/1  ready  4001    "
        "     0   3h   65MiB  1.2s\n");
  CHECK(world.daemon.calls == Calls{"instances web"});
  CHECK(world.run({"ls", "--names"}) == Exit::ok);
  CHECK(world.out == "api\nweb\n");
  world.daemon.apps.push_back(app("blog:web", 1, 1, "ready"));
  CHECK(world.run({"ls", "--names"}) == Exit::ok);
  CHECK(world.out == "blog:web\nshop:api\nshop:web\n");
  CHECK(world.run({"ls", "--ecosystems"}) == Exit::ok);
  CHECK(world.out == "blog\nshop\n");
}

TEST_CASE("status exits 5 when something is not as it should be, and shows the log of what fails",
          "[cli][status]") {
  World world;
  world.daemon.apps = {app("shop:web", 1, 2, "degraded", "web/1: exit code 1")};
  world.daemon.instances = {instance("shop:web/0", Phase::ready),
                            instance("shop:web/1", Phase::backoff, "exit code 1")};
  world.daemon.instances[1].log = "/log/web.1.log";
  world.logs["/log/web.1.log"] = {"one", "two", "three"};
  CHECK(world.run({"status", "web", "-n", "2"}) == Exit::unhealthy);
  CHECK_THAT(world.out, ContainsSubstring("Last lines of shop:web/1\n  | two\n  | three\n"));
  CHECK(world.run({"status"}) == Exit::unhealthy);
  CHECK_THAT(world.out, ContainsSubstring("1 app not as it should be"));
  world.daemon.apps[0].state = "ready";
  CHECK(world.run({"status"}) == Exit::ok);
}

TEST_CASE("start, stop, restart, reload and delete ask for what was named and wait for it",
          "[cli][actions]") {
  const auto [verb, call, nothing] = GENERATE(table<std::string, std::string, std::string>({
      {"start", "start web api", "all of it runs already"},
      {"stop", "stop web api", "all of it is stopped or stopping already"},
      {"restart", "restart web api", "there are no instances to restart"},
      {"reload", "reload web api", "there are no instances to replace"},
      {"delete", "remove web api", "there are no such apps"},
      {"rm", "remove web api", "there are no such apps"},
  }));
  World world;
  world.daemon.change = change(verb, "succeeded", 3, 3);
  CHECK(world.run({verb, "web", "api"}) == Exit::ok);
  CHECK(world.daemon.calls == Calls{call, "change"});
  world.daemon.begun = Begun{};
  CHECK(world.run({verb, "web", "api"}) == Exit::ok);
  CHECK(world.out == "nothing to do: " + nothing + "\n");
  CHECK(world.run({verb}) == Exit::usage);
}

TEST_CASE("pause, resume and abort steer the update of one app", "[cli][actions]") {
  World world;
  CHECK(world.run({"abort", "web"}) == Exit::ok);
  world.daemon.begun = Begun{};
  CHECK(world.run({"pause", "web"}) == Exit::ok);
  CHECK(world.out == "web: its update is held; 'svctl resume' goes on, 'svctl abort' takes it back\n");
  CHECK(world.run({"resume", "web"}) == Exit::ok);
  CHECK(world.daemon.calls == Calls{"abort web", "change", "pause web", "resume web"});
  world.daemon.begun = Begun{ChangeId{7}, 2};
  world.daemon.change->view.state = "running";  // and goes on to be, while the update is held
  CHECK(world.run({"pause", "web"}) == Exit::ok);
  world.daemon.change->view.state = "failed";
  world.daemon.change->view.error = "cannot replace web/1: aborted by ada; rolled back to revision 1";
  CHECK(world.run({"abort", "web"}) == Exit::ok);
  world.daemon.change->view.error += "; cannot roll back to revision 1: no such file";
  CHECK(world.run({"abort", "web"}) == Exit::error);
  world.daemon.begun = fail(std::errc::io_error, "cannot pause web: no update runs");
  CHECK(world.run({"pause", "web"}) == Exit::error);
  CHECK(world.err == "svctl: cannot pause web: no update runs\n");
  CHECK(world.run({"pause", "web", "api"}) == Exit::usage);
}

TEST_CASE("send passes one value on, from the command line or from standard input", "[cli][messages]") {
  World world;
  world.daemon.instances = {instance("shop:web/0", Phase::ready)};
  CHECK(world.run({"send", "web/0", R"({"a":1})"}) == Exit::ok);
  CHECK(world.out == "sent to 1 instance\n");
  world.files["-"] = "[1,2]";
  CHECK(world.run({"send", "web", "-"}) == Exit::ok);
  CHECK(world.daemon.calls == Calls{R"(send {"a":1} web/0)", "send [1,2] web"});
  CHECK(world.run({"send", "web"}) == Exit::usage);
}

TEST_CASE("messages shows what was asked for as it comes, and says where some may be missing",
          "[cli][messages]") {
  World world;
  world.daemon.apps = {app("shop:web", 2, 2, "ready")};
  world.daemon.instances = {instance("shop:web/0", Phase::ready), instance("shop:web/1", Phase::ready)};
  const auto says = [&](const std::string& from, const std::string& text) {
    world.daemon.script.push_back([=]() -> Result<Happening> {
      return Happening{.kind = Happening::Kind::message, .instance = from, .text = text};
    });
  };
  says("shop:web/0", "\"\x1b[2J\"");
  says("shop:api/0", "1");
  world.connection_breaks();
  says("shop:web/7", "2");  // came with a scale up
  world.happens(Happening::Kind::descriptor);
  CHECK(world.run({"messages", "web"}) == Exit::ok);
  CHECK(world.out ==
        "2026-01-31T12:00:00.000Z  shop:web/0  \"\\x1b[2J\"\n2026-01-31T12:00:00.000Z  shop:web/7  2\n");
  CHECK(world.err == "svctl: the connection was lost; messages may be missing here\n");

  says("shop:web/1", "1");
  says("shop:web/0", R"({"a":[1]})");
  CHECK(world.run({"messages", "-n", "1", "--json", "web/0"}) == Exit::ok);
  CHECK(world.out == R"({"when":"2026-01-31T12:00:00.000000Z","from":"shop:web/0","message":{"a":[1]}})"
                     "\n");
}

TEST_CASE("scale takes a number, or one relative to what is declared", "[cli][scale]") {
  const auto [typed, call] = GENERATE(table<std::string, std::string>(
      {{"6", "scale web 6"}, {"+2", "scale web 6"}, {"-1", "scale web 3"}, {"0", "scale web 0"}}));
  World world;
  world.daemon.apps = {app("shop:web", 4, 4, "ready")};
  CHECK(world.run({"scale", "web", typed}) == Exit::ok);
  CHECK(std::ranges::count(world.daemon.calls, call) == 1);
}

TEST_CASE("scale refuses what is no number of instances, without asking for it", "[cli][scale]") {
  const auto typed = GENERATE(as<std::string>{}, "many", "-5", "10001", "1.5", "+", "");
  World world;
  world.daemon.apps = {app("shop:web", 4, 4, "ready")};
  CHECK(world.run({"scale", "web", typed}) == Exit::usage);
  CHECK(std::ranges::none_of(world.daemon.calls, [](const auto& call) { return call.starts_with("scale"); }));
}

TEST_CASE("signal knows names and numbers, and whom to send to", "[cli][signal]") {
  World world;
  world.daemon.instances = {instance("shop:web/0", Phase::ready)};
  CHECK(world.run({"signal", "HUP", "web"}) == Exit::ok);
  CHECK(world.out == "SIGHUP sent to 1 instance\n");
  CHECK(world.run({"signal", "10", "web", "--group"}) == Exit::ok);
  CHECK(world.daemon.calls == Calls{"signal 1 main web", "signal 10 group web"});
  CHECK(world.run({"signal", "HPU", "web"}) == Exit::usage);
  CHECK(world.run({"signal", "HUP", "web", "--main", "--group"}) == Exit::usage);
}

TEST_CASE("rollback finds the ecosystem by itself when there is one, and tells a revision from a name",
          "[cli][rollback]") {
  World world;
  const auto revision = [](const std::string& name, std::uint64_t number) {
    return RevisionView{app_id(name + ":x").ecosystem, number, ago(1h), "root", "succeeded", "f", "", false};
  };
  world.daemon.revisions = {revision("shop", 1), revision("shop", 2)};
  const auto asked = [&](const std::vector<std::string>& arguments) {
    world.daemon.calls.clear();
    const auto exit = world.run(arguments);
    return exit == Exit::ok ? world.daemon.calls.at(1) : "exit " + std::to_string(static_cast<int>(exit));
  };
  CHECK(asked({"rollback"}) == "rollback shop 0");
  CHECK(asked({"rollback", "1"}) == "rollback shop 1");
  CHECK(asked({"rollback", "shop"}) == "rollback shop 0");
  CHECK(asked({"rollback", "shop", "1"}) == "rollback shop 1");
  CHECK(asked({"rollback", "shop", "one"}) == "exit 64");
  world.daemon.revisions.push_back(revision("7", 1));
  CHECK(asked({"rollback", "7"}) == "rollback 7 0");
  CHECK(asked({"rollback", "1"}) == "exit 64");
  CHECK_THAT(world.err, ContainsSubstring("several ecosystems: 7, shop"));
}

TEST_CASE("a rollback to what runs names the revision", "[cli][rollback]") {
  World world;
  world.daemon.revisions = {{app_id("shop:x").ecosystem, 1, ago(1h), "root", "succeeded", "f", "", false}};
  world.daemon.apps = {app("shop:web", 1, 1, "ready"), app("blog:web", 1, 1, "ready")};
  world.daemon.apps[1].revision = 9;
  world.daemon.begun = Begun{};
  CHECK(world.run({"rollback"}) == Exit::ok);
  CHECK(world.out == "nothing to do: revision 3 is what runs\n");
  CHECK(world.run({"rollback", "1"}) == Exit::ok);
  CHECK(world.out == "nothing to do: revision 1 is what runs\n");
  world.daemon.apps.push_back(app("shop:api", 1, 1, "ready"));
  world.daemon.apps[2].revision = 2;
  CHECK(world.run({"rollback"}) == Exit::ok);
  CHECK(world.out == "nothing to do: that revision is what runs\n");
}

TEST_CASE("history marks what runs, which after an automatic rollback is not what was accepted last",
          "[cli][history]") {
  World world;
  const auto shop = app_id("shop:x").ecosystem, blog = app_id("blog:x").ecosystem;
  world.daemon.revisions = {{blog, 1, ago(1h), "root", "succeeded", "f", "", true},
                            {shop, 3, ago(1h), "root", "succeeded", "f", "", false},
                            {shop, 4, ago(1h), "root", "failed: rolled back to revision 3", "f", "", true}};
  world.daemon.apps = {app("shop:web", 1, 1, "ready")};  // revision 3
  CHECK(world.run({"history"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("blog              1  *"));
  CHECK_THAT(world.out, ContainsSubstring("shop              3  *"));
  CHECK_THAT(world.out, ContainsSubstring("shop              4    "));
  // What it did not change is counted to it, and runs since an earlier one.
  world.daemon.apps.push_back(app("shop:db", 1, 1, "ready"));
  world.daemon.apps[1].revision = 4;
  world.daemon.instances = {instance("shop:web/0", Phase::ready), instance("shop:db/0", Phase::ready)};
  world.daemon.instances[1].revision = 2;
  CHECK(world.run({"history"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("shop              3  *"));
  CHECK_THAT(world.out, ContainsSubstring("shop              4    "));
  world.daemon.instances[1].revision = 4;
  CHECK(world.run({"history"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("shop              3  *"));
  CHECK_THAT(world.out, ContainsSubstring("shop              4  *"));
  // An update that stopped has changed nothing of what runs.
  world.daemon.apps = {app("shop:web", 1, 1, "degraded")};
  world.daemon.apps[0].revision = 4;
  world.daemon.apps[0].update = "0 of 1 replaced, stopped";
  world.daemon.instances.pop_back();
  CHECK(world.run({"history"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("shop              3  *"));
  CHECK_THAT(world.out, ContainsSubstring("shop              4    "));
  CHECK(world.run({"history", "--json"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring(R"("current":true)"));
}

TEST_CASE("events prints the last ones, then each new one once, through a lost connection", "[cli][events]") {
  World world;
  for (std::uint64_t i = 1; i <= 5; ++i)
    world.daemon.events.push_back({i, noon, "instance", "web/0", "event " + std::to_string(i)});
  const auto arrives = [&](std::uint64_t number) {
    world.daemon.script.push_back([&world, number]() -> Result<Happening> {
      const EventRecord record{number, noon, "instance", "web/0", "event " + std::to_string(number)};
      world.daemon.events.push_back(record);
      return Happening{.kind = Happening::Kind::event, .event = record};
    });
  };
  arrives(5);  // told by the list already
  arrives(6);
  world.connection_breaks([&] { world.daemon.events.push_back({7, noon, "daemon", "engine", "event 7"}); });
  world.happens(Happening::Kind::descriptor);
  CHECK(world.run({"events", "-f", "-n", "2"}) == Exit::ok);
  std::string numbers;
  for (std::size_t at = world.out.find("event "); at != std::string::npos;
       at = world.out.find("event ", at + 1))
    numbers += world.out[at + 6];
  CHECK(numbers == "4567");
}

TEST_CASE("daemon stop waits for the keeper's end", "[cli][daemon]") {
  World world;
  world.connection_breaks();
  CHECK(world.run({"daemon", "stop"}) == Exit::ok);
  CHECK(world.daemon.calls == Calls{"shutdown"});
  world.connection_breaks();
  world.exits_in_time = false;
  world.daemon.daemon.keeper_pid = 77;
  CHECK(world.run({"daemon", "stop", "--force"}) == Exit::error);
  CHECK_THAT(world.err, ContainsSubstring("its keeper, pid 77, is still there"));
  world.happens(Happening::Kind::descriptor);
  CHECK(world.run({"daemon", "stop"}) == Exit::interrupted);
}

TEST_CASE("daemon reexec is done when another engine answers", "[cli][daemon]") {
  World world;
  world.daemon.daemon.engine_starts = 1;
  world.daemon.daemon.engine_pid = 50;
  world.connection_breaks([&] {
    world.daemon.daemon.engine_starts = 2;
    world.daemon.daemon.engine_pid = 60;
    world.daemon.daemon.version = "0.2.0";
  });
  CHECK(world.run({"daemon", "reexec"}) == Exit::ok);
  CHECK(world.out == "the engine was restarted: pid 50 → 60, version 0.2.0; no app was touched\n");
}
