// SPDX-License-Identifier: Apache-2.0
// Waiting for a change: progress, outcome, Ctrl-C, --timeout, a restarted engine; and `run`.
#include "cli/follow.h"
#include "unit/cli_support.h"

using namespace svd;
using namespace svd::cli_test;

namespace {

World stopping_world() {
  World world;
  world.daemon.change = change("stop", "running", 0, 4);
  return world;
}

void moves_to(World& world, std::uint32_t done, SteadyTime::duration later) {
  world.happens(Happening::Kind::progress, [&world, done, later] {
    world.daemon.change->view.done = done;
    world.steady += later;
  });
}

void finishes(World& world, const std::string& state) {
  world.happens(Happening::Kind::finished, [&world, state] {
    auto& view = world.daemon.change->view;
    view.state = state;
    view.done = state == "succeeded" ? view.total : view.done;
    view.finished = noon;
  });
}

struct FakeOwnDaemon final : OwnDaemon {
  explicit FakeOwnDaemon(std::string& log) : log_{log} {}
  ~FakeOwnDaemon() override { log_ += "dropped "; }
  [[nodiscard]] const Directories& directories() const override { return directories_; }
  [[nodiscard]] int ended() const override { return 98; }
  void wait() override { log_ += "waited "; }
  std::string& log_;
  Directories directories_{"/t/run", "/t/state", "/t/log"};
};

}  // namespace

TEST_CASE("without a terminal progress is at most a line a second", "[cli][wait]") {
  auto world = stopping_world();
  moves_to(world, 1, 200ms);
  moves_to(world, 2, 900ms);
  moves_to(world, 3, 200ms);
  finishes(world, "succeeded");
  CHECK(world.run({"stop", "all"}) == Exit::ok);
  CHECK(world.out == "stop shop: 2 of 4 done\nstop shop: succeeded after 1.2s\n");
}

TEST_CASE("on a terminal progress rewrites its line and leaves nothing of it", "[cli][wait]") {
  auto world = stopping_world();
  moves_to(world, 1, 200ms);
  finishes(world, "succeeded");
  auto context = world.context();
  context.is_terminal = true;
  context.style.columns = 80;
  CHECK(world.run({"stop", "all"}, context) == Exit::ok);
  CHECK(world.out ==
        "\r\x1b[Kstop shop: 0 of 4 done\r\x1b[Kstop shop: 1 of 4 done\r\x1b[Kstop shop: succeeded after "
        "1.2s\n");
}

TEST_CASE("many moves at once are read once, but the end is read at once", "[cli][wait]") {
  auto world = stopping_world();
  for (std::uint32_t i = 1; i <= 3; ++i) moves_to(world, i, 1ms);
  finishes(world, "succeeded");
  CHECK(world.run({"stop", "all"}) == Exit::ok);
  CHECK(std::ranges::count(world.daemon.calls, "change") == 2);
}

TEST_CASE("a failed change exits 1 with step and reason for each slot, and the end of its log",
          "[cli][wait]") {
  auto world = stopping_world();
  world.daemon.change = change("apply", "failed", 3, 4);
  world.daemon.change->view.error = "1 instance did not start";
  world.daemon.change->failures = {
      {"shop:web/3", "failed", "executing the program '/bin/nope': No such file or directory"}};
  world.daemon.instances = {instance("shop:web/3", Phase::failed)};
  for (int i = 1; i <= 12; ++i)
    world.logs[world.daemon.instances[0].log].push_back("line " + std::to_string(i));
  CHECK(world.run({"start", "web"}) == Exit::error);
  check_golden("failed_change", world.err);
  world.logs[world.daemon.instances[0].log] = {"line"};
  world.daemon.instances[0].log = "journal:shop:web/3";  // has the time of each line
  world.logs["journal:shop:web/3"] = {"new line"};
  CHECK(world.run({"start", "web"}) == Exit::error);
  CHECK_THAT(world.err, ContainsSubstring("Last lines of shop:web/3\n  | new line\n"));
  CHECK(world.asked_since == world.daemon.change->view.started);
}

TEST_CASE("a failed change shows nothing of who did not fail, and not the log of who was not started",
          "[cli][wait]") {
  auto world = stopping_world();
  world.daemon.change = change("apply", "failed", 0, 2);
  world.daemon.change->view.error = "web/0: exit code 7; rolled back to revision 1";
  world.daemon.change->failures = {{"shop:web/0", "ready", ""}, {"shop:api/0", "waiting", "waits for web"}};
  SECTION("after a rollback") {
    world.daemon.instances = {instance("shop:web/0", Phase::ready)};
    world.logs[world.daemon.instances[0].log] = {"boom"};
    world.daemon.change->failures.pop_back();
    CHECK(world.run({"start", "web"}) == Exit::error);
    CHECK(world.err ==
          "svctl: apply shop: failed after 1.2s: web/0: exit code 7; rolled back to revision 1\n"
          "Last lines of shop:web/0 (some may be of earlier starts)\n  | boom\n");
  }
  SECTION("while it waits for another") {
    world.daemon.instances = {instance("shop:api/0", Phase::waiting, "waits for web")};
    world.logs[world.daemon.instances[0].log] = {"of last week"};
    CHECK(world.run({"start", "web"}) == Exit::error);
    CHECK_THAT(world.err, ContainsSubstring("  shop:api/0 waiting: waits for web\n"));
    CHECK_THAT(world.err, !ContainsSubstring("Last lines"));
    CHECK_THAT(world.err, !ContainsSubstring("shop:web/0 ready"));
  }
}

TEST_CASE("Ctrl-C stops the waiting, not the change, and exits 130", "[cli][wait]") {
  auto world = stopping_world();
  world.happens(Happening::Kind::descriptor);
  CHECK(world.run({"stop", "all"}) == Exit::interrupted);
  CHECK_THAT(world.err, ContainsSubstring("the change goes on"));
}

TEST_CASE("Ctrl-C while the daemon is asked is Ctrl-C, too", "[cli][wait]") {
  auto world = stopping_world();
  world.happens(Happening::Kind::finished,
                [&] { world.daemon.change = fail(std::errc::interrupted, "interrupted before"); });
  CHECK(world.run({"stop", "all"}) == Exit::interrupted);
  CHECK_THAT(world.err, ContainsSubstring("the change goes on"));

  world = stopping_world();
  world.daemon.begun = fail(std::errc::interrupted, "interrupted before the daemon answered");
  CHECK(world.run({"stop", "all"}) == Exit::interrupted);
  CHECK(world.err == "svctl: interrupted before the daemon answered\n");
}

TEST_CASE("--timeout exits 1 and says what is not there yet", "[cli][wait]") {
  auto world = stopping_world();
  world.daemon.change->failures = {{"shop:web/2", "stopping", "waiting for it to end"}};
  world.happens(Happening::Kind::timeout, [&] { world.steady += 2s; });
  CHECK(world.run({"stop", "all", "--timeout", "2s"}) == Exit::error);
  CHECK(world.err ==
        "svctl: stop shop: 0 of 4 done after 2s; the change goes on\n  shop:web/2 stopping: waiting for it "
        "to end\n");
  CHECK(world.run({"stop", "all", "--timeout", "soon"}) == Exit::usage);
}

TEST_CASE("a change that ended while the time ran out has ended", "[cli][wait]") {
  auto world = stopping_world();
  world.happens(Happening::Kind::timeout, [&] {
    world.steady += 2s;
    world.daemon.change->view.state = "succeeded";
  });
  CHECK(world.run({"stop", "all", "--timeout", "2s"}) == Exit::ok);
}

TEST_CASE("--no-wait returns at once, --json prints the outcome and nothing else", "[cli][wait]") {
  auto world = stopping_world();
  CHECK(world.run({"stop", "all", "--no-wait"}) == Exit::ok);
  CHECK(world.out == "stop shop: 0 of 4 done; not waiting for the rest\n");
  moves_to(world, 1, 5s);
  finishes(world, "failed");
  CHECK(world.run({"stop", "all", "--json"}) == Exit::error);
  CHECK(std::ranges::count(world.out, '\n') == 1);
  CHECK_THAT(world.out, ContainsSubstring("\"state\":\"failed\""));
  CHECK(world.err.empty());
}

TEST_CASE("a restart of the engine is waited through", "[cli][wait]") {
  auto world = stopping_world();
  world.connection_breaks([&] { world.daemon.change->view.state = "succeeded"; });
  CHECK(world.run({"stop", "all"}) == Exit::ok);
  CHECK(std::ranges::count(world.daemon.calls, "reconnect") == 1);
}

TEST_CASE("a daemon that does not come back, or forgot the change, is an error that says so", "[cli][wait]") {
  auto world = stopping_world();
  world.daemon.reconnected = fail(std::errc::connection_refused, "nobody listens");
  world.connection_breaks();
  CHECK(world.run({"stop", "all"}) == Exit::no_daemon);

  world = stopping_world();
  world.connection_breaks([&] { world.daemon.change = fail(std::errc::not_connected, "again"); });
  CHECK(world.run({"stop", "all"}) == Exit::error);
}

TEST_CASE("run shows the logs until all apps have ended, then stops its daemon and exits as they did",
          "[cli][run]") {
  const auto [last, exit] =
      GENERATE(table<Phase, Exit>({{Phase::completed, Exit::ok}, {Phase::failed, Exit::error}}));
  World world;
  world.files["eco.yaml"] = "version: 1\napps: { job: { exec: [x], restart: { policy: never } } }\n";
  world.daemon.instances = {instance("default:job/0", Phase::ready)};
  world.logs[world.daemon.instances[0].log] = {"working"};
  world.daemon.script.push_back([&world, last = last]() -> Result<Happening> {
    world.daemon.instances[0].phase = last;
    world.daemon.instances[0].reason = "exit code 7";
    return Happening{.kind = Happening::Kind::instance,
                     .instance = "default:job/0",
                     .phase = std::string{to_text(last)},
                     .reason = "exit code 7"};
  });
  world.connection_breaks();
  std::string log;
  auto context = world.context();
  context.system.run_daemon = [&log]() -> Result<std::unique_ptr<OwnDaemon>> {
    return std::unique_ptr<OwnDaemon>{std::make_unique<FakeOwnDaemon>(log)};
  };
  CHECK(world.run({"run", "eco.yaml"}, context) == exit);
  CHECK(world.out == "job/0 | working\n");
  CHECK(world.err == (last == Phase::failed ? "svctl: job/0 failed: exit code 7\n" : ""));
  CHECK(std::ranges::count(world.daemon.calls, "shutdown") == 1);
  CHECK(log == "waited dropped ");
}

TEST_CASE("a second Ctrl-C that comes while the daemon is asked to end is not lost", "[cli][run]") {
  World world;
  world.files["eco.yaml"] = "version: 1\napps: { web: { exec: [x] } }\n";
  world.daemon.instances = {instance("default:web/0", Phase::ready)};
  world.happens(Happening::Kind::descriptor,
                [&] { world.daemon.asked_to_end = fail(std::errc::interrupted, "interrupted before"); });
  world.happens(Happening::Kind::descriptor);
  world.connection_breaks();
  std::string log;
  auto context = world.context();
  context.system.run_daemon = [&log]() -> Result<std::unique_ptr<OwnDaemon>> {
    return std::unique_ptr<OwnDaemon>{std::make_unique<FakeOwnDaemon>(log)};
  };
  CHECK(world.run({"run", "eco.yaml"}, context) == Exit::interrupted);
  CHECK(std::ranges::count(world.daemon.calls, "shutdown force") == 1);
  CHECK(log == "waited dropped ");
}

TEST_CASE("Ctrl-C ends a run in order; a second one takes the grace away", "[cli][run]") {
  World world;
  world.files["eco.yaml"] = "version: 1\napps: { web: { exec: [x] } }\n";
  world.daemon.instances = {instance("default:web/0", Phase::ready)};
  world.happens(Happening::Kind::descriptor);
  world.happens(Happening::Kind::descriptor);
  world.connection_breaks();
  std::string log;
  auto context = world.context();
  context.system.run_daemon = [&log]() -> Result<std::unique_ptr<OwnDaemon>> {
    return std::unique_ptr<OwnDaemon>{std::make_unique<FakeOwnDaemon>(log)};
  };
  CHECK(world.run({"run", "eco.yaml"}, context) == Exit::interrupted);
  CHECK(std::ranges::count(world.daemon.calls, "shutdown") == 1);
  CHECK(std::ranges::count(world.daemon.calls, "shutdown force") == 1);
  CHECK(log == "waited dropped ");
}
