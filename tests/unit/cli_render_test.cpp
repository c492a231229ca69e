// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "cli/json_views.h"
#include "cli/render.h"
#include "unit/cli_support.h"

using namespace svd;
using namespace svd::cli_test;

namespace {

std::vector<InstanceView> mixed_instances() {
  std::vector<InstanceView> views{
      instance("shop:web/0", Phase::ready),
      instance("shop:web/1", Phase::starting),
      instance("shop:web/2", Phase::backoff, "signal SIGKILL, restart in 200ms"),
      instance("shop:web/10", Phase::failed, "executing the program '/bin/nope': No such file or directory"),
      instance("shop:job/0", Phase::completed, "exit code 0"),
      instance("shop:redis/0", Phase::stopped, "stopped by root")};
  views[2].restarts = 4;
  views[2].last_exit = {ExitStatus::Kind::signal, SIGKILL, false};
  views[2].next_start = {noon.micros + 200'000};
  views[3].restarts = 15;
  return views;
}

std::vector<AppView> mixed_apps() {
  return {app("shop:job", 0, 1, "completed"), app("shop:redis", 1, 1, "ready"),
          app("shop:web", 2, 4, "degraded", "web/2: signal SIGKILL")};
}

// Two of three are being replaced: one's replacement is not ready yet, the other has taken over.
std::vector<InstanceView> replaced_instances() {
  std::vector<InstanceView> views{
      instance("shop:web/0", Phase::ready), instance("shop:web/0", Phase::starting),
      instance("shop:web/1", Phase::ready), instance("shop:web/1", Phase::stopping, "replaced"),
      instance("shop:web/2", Phase::ready), instance("shop:seed/0", Phase::waiting, "shop:web is not ready")};
  views[1].role = "replacement";
  views[3].role = "leaving";
  for (auto& view : views) view.directory = "/srv/releases/41";
  views[1].directory = views[2].directory = "/srv/releases/42";
  views[5].directory.clear();
  return views;
}

AppView described_app() {
  auto view = app("shop:web", 2, 4, "degraded", "web/2 in backoff: signal SIGKILL");
  view.generation = 0xabc;
  view.exec = {"node", "server.js", "--title", "it's here"};
  view.cwd = "/srv/shop";
  view.user = "www-data";
  view.env = {"NODE_ENV=production", "TOKEN=(secret)"};
  view.log = "journal";
  view.settings = {"restart.policy=always", "restart.delay=100ms", "stop.signal=SIGTERM", "umask=022",
                   "limits.nofile=65536"};
  view.usage = all_figures();
  view.degraded = {"stray children are found by process group only: no cgroup can be made here"};
  return view;
}

std::vector<PlanStep> some_steps() {
  using enum PlanStep::Action;
  return {
      {start,
       app_id("shop:api"),
       2,
       "start 2 instances",
       {"new in the file"},
       {"limits.memory cannot be enforced here: the memory controller is not delegated to svd's cgroup /x"}},
      {replace,
       app_id("shop:web"),
       4,
       "replace 4 instances, one at a time",
       {"env.NODE_ENV changed production → staging"}},
      {scale, app_id("shop:job"), 1, "scale 2 → 1", {"instances changed 2 → 1"}},
      {update,
       app_id("shop:cron"),
       1,
       "update 1 instance in place",
       {"restart.delay changed 100ms → 1s", "stop.timeout changed 10s → 20s"}},
      {stop, app_id("shop:old"), 3, "stop and remove 3 instances", {"no longer in the file"}}};
}

}  // namespace

TEST_CASE("a table has one line an instance and one title, and nothing else", "[cli]") {
  check_golden("ls", instance_table(mixed_instances(), noon, {}));
  std::vector<InstanceView> many;
  for (int i = 0; i < 1000; ++i) many.push_back(instance("bench:w/" + std::to_string(i), Phase::ready));
  CHECK(std::ranges::count(instance_table(many, noon, {}), '\n') == 1001);
}

TEST_CASE("a slot that is being replaced has a line for each of its two instances", "[cli]") {
  check_golden("ls_update", instance_table(replaced_instances(), noon, {}));
}

TEST_CASE("status tells an update, the sockets, and where the instances really are", "[cli]") {
  auto view = app("shop:web", 3, 3, "updating");
  view.update = "1 of 3 replaced";
  view.exec = {"node", "server.js"};
  view.cwd = "/srv/current";
  view.listeners = {"tcp 0.0.0.0:8080 (http, even)", "unix /run/shop/admin.sock (admin, shared)"};
  view.log = "file";
  const std::vector<AppView> both{view, app("shop:api", 1, 2, "degraded", "api/1: exit code 1")};
  check_golden("status_update",
               status_text({view, replaced_instances(), {}}, noon, {}) + app_table(both, {}));
}

TEST_CASE("names are qualified only when there is more than one ecosystem", "[cli]") {
  auto views = mixed_instances();
  views.push_back(instance("blog:web/0", Phase::ready));
  check_golden("ls_two_ecosystems", instance_table(views, noon, {}));
}

TEST_CASE("on a terminal a table has colours, and its last column is cut to the width", "[cli]") {
  check_golden("ls_narrow", instance_table(mixed_instances(), noon, {.colour = false, .columns = 60}));
  check_golden("ls_colour", instance_table(mixed_instances(), noon, {.colour = true, .columns = 100}));
}

TEST_CASE("every view renders as its golden file says", "[cli]") {
  check_golden("apps", app_table(mixed_apps(), {}));
  check_golden("plan", plan_text(some_steps(), {}));
  check_golden("plan_colour", plan_text(some_steps(), {.colour = true}));
  std::vector<RevisionView> revisions{{app_id("shop:x").ecosystem, 1, ago(50h), "root (uid 0)", "succeeded",
                                       "/srv/shop/eco.yaml", "web: start 4 instances", false},
                                      {app_id("shop:x").ecosystem, 2, ago(2h), "anna (uid 1000)",
                                       "failed: web/0: exit code 1", "-", "web: replace 4 instances", false},
                                      {app_id("shop:x").ecosystem, 3, ago(5min), "root (uid 0)", "running",
                                       "/srv/shop/eco.yaml", "rollback to 1", true}};
  check_golden("history", history_table(revisions, noon, {}));
  revisions[1].outcome += std::string(400, '!');
  check_golden("history_narrow", history_table(revisions, noon, {.colour = false, .columns = 80}));
  check_golden("event",
               event_line({7, ago(1ms), "instance", "shop:web/0", "ready → backoff: signal SIGKILL"}, {}));
}

TEST_CASE("status says what is wrong first, then how it is set", "[cli]") {
  AppStatus status{described_app(), {mixed_instances()[0], mixed_instances()[2]}, {}};
  status.tails.push_back({"shop:web/2", {"listening on 8080", "out of memory\x1b[2J"}});
  check_golden("status_app", status_text(status, noon, {}));
  status.app.wanted = false;
  status.app.state = "stopped";
  status.tails.clear();
  check_golden("status_app_stopped", status_text(status, noon, {}));
}

TEST_CASE("the daemon's own status names both pids and what it cannot guarantee", "[cli]") {
  const DaemonView daemon{"0.1.0",
                          100,
                          101,
                          ago(26h),
                          ago(2min),
                          3,
                          {"no cgroups: control group v2 is not mounted"},
                          "unix:path=/run/svd/bus",
                          "/var/lib/svd",
                          "/var/log/svd"};
  check_golden("daemon", daemon_text(daemon, noon, {}));
  check_golden("summary", summary_text(daemon, mixed_apps(), noon, {}));
}

TEST_CASE("the outcome of a change is one line, and one more for each slot that failed", "[cli]") {
  auto good = change("apply", "succeeded", 4, 4);
  good.view.revision = 3;
  auto bad = change("apply", "failed", 3, 4);
  bad.view.error = "1 instance did not start";
  bad.failures = {
      {"shop:web/3", "failed", "changing to the working directory '/nope': No such file or directory"}};
  auto quick = change("stop", "succeeded", 1, 1);
  quick.view.started = ago(7ms);
  auto slow = change("stop", "superseded", 1, 2);
  slow.view.started = ago(83'400ms);
  check_golden("outcomes", outcome_text(good, {}) + outcome_text(bad, {}) + outcome_text(quick, {}) +
                               outcome_text(slow, {}));
}

TEST_CASE("JSON holds every field under the model's own name", "[cli]") {
  auto report = change("apply", "failed", 3, 4);
  report.view.steps = some_steps();
  report.failures = {{"shop:web/3", "failed", "exit code 1"}};
  const DaemonView daemon{
      "0.1.0",        100,           101, ago(26h), ago(2min), 3, {}, "unix:path=/run/svd/bus",
      "/var/lib/svd", "/var/log/svd"};
  check_golden("json", json_lines(mixed_instances()) + json_lines(mixed_apps()) + to_json(described_app()) +
                           "\n" + to_json(report) + "\n" + to_json(daemon) + "\n" +
                           json_lines(std::vector<AppView>{}));
}

TEST_CASE("no text from a daemon can steer the terminal", "[cli]") {
  const std::string evil =
      "\x1b]0;owned\x07\nline \xc2\x9b"
      "2J \xff";
  auto view = instance("shop:web/0", Phase::failed, evil);
  auto evil_app = described_app();
  evil_app.reason = evil_app.cwd = evil_app.user = evil_app.log = evil_app.state = evil;
  evil_app.env = evil_app.settings = evil_app.degraded = evil_app.exec = {evil};
  auto report = change("apply", "failed", 0, 1);
  report.view.error = report.view.target = evil;
  report.failures = {{evil, evil, evil}};
  const PlanStep step{PlanStep::Action::start, app_id("shop:web"), 1, evil, {evil, evil}};
  const auto shown = instance_table(std::vector{view}, noon, {}) + app_table(std::vector{evil_app}, {}) +
                     status_text({evil_app, {view}, {{evil, {evil}}}}, noon, {}) + outcome_text(report, {}) +
                     plan_text(std::vector{step}, {}) + progress_text(report.view) +
                     event_line({1, noon, evil, evil, evil}, {}) +
                     daemon_text({evil, 1, 2, noon, noon, 1, {evil}, evil, evil, evil}, noon, {});
  CHECK(shown.find('\x1b') == std::string::npos);
  CHECK(shown.find('\x07') == std::string::npos);
  CHECK(shown.find("\xc2\x9b") == std::string::npos);
  CHECK(find_invalid_utf8(shown) == std::string::npos);
}
