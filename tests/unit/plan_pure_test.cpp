// SPDX-License-Identifier: Apache-2.0
// What is wanted, who waits for whom, when a daemon ends, and the state of a rollout.
#include "plan/dependencies.h"
#include "plan/ending.h"
#include "plan/rollout_state.h"
#include "plan/want.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::plan;

TEST_CASE("what is wanted of an instance follows from who wants what", "[plan]") {
  struct Row {
    WantFacts facts;
    Want want;
  };
  const std::vector<Row> rows{
      {{}, Want::run},
      {{.awaits = true}, Want::hold},
      {{.blocked = true}, Want::hold},
      {{.retired = true, .blocked = true}, Want::drain},
      {{.shutting = true, .blocked = true}, Want::pause},
      {{.shutting = true, .main = false}, Want::rest},
      {{.surplus = true}, Want::drain},
      {{.surplus = true, .last = true}, Want::rest},
      {{.surplus = true, .shutting = true}, Want::rest},
      {{.wanted = false, .shutting = true}, Want::rest},
      {{.removed = true}, Want::rest},
      {{.needed = true, .removed = true}, Want::hold},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    CHECK(want(rows[i].facts) == rows[i].want);
  }
}

TEST_CASE("a rollout goes from state to state, and says what follows", "[plan]") {
  const TimePoint then{Nanos{1}}, now{Nanos{5}};
  const RolloutState idle = Idle{}, halted = Halted{}, rolling = Rolling{false, false, then},
                     back = Rolling{true, false, then}, paused = Rolling{false, true, then};
  const RolloutState fresh = Rolling{false, false, now};
  struct Row {
    RolloutState from;
    RolloutEvent event;
    RolloutStep want;
  };
  const std::vector<Row> rows{
      {idle, Began{}, {fresh}},
      {rolling, Began{}, {rolling}},
      {halted, Began{}, {fresh}},
      {idle, Accepted{}, {idle}},
      {halted, Accepted{}, {idle}},
      {rolling, Accepted{}, {fresh}},
      {idle, Renewed{}, {fresh}},
      {halted, Renewed{}, {fresh}},
      {paused, Renewed{}, {fresh}},
      {back, Renewed{}, {Rolling{true, false, now}}},
      {back, Declared{}, {rolling}},
      {paused, Declared{}, {rolling}},
      {halted, Declared{}, {halted}},
      {rolling, GotOn{}, {fresh}},
      {idle, GotOn{}, {idle}},
      {rolling, Paused{}, {paused}},
      {idle, Paused{}, {idle}},
      {paused, Resumed{}, {fresh}},
      {rolling, Left{}, {idle}},
      {halted, Left{}, {halted}},
      {rolling, Finished{}, {idle}},
      {back, Finished{}, {idle, RolloutCommand::tell_back}},
      {rolling, Failed{true}, {idle, RolloutCommand::go_back}},
      {rolling, Failed{false}, {idle, RolloutCommand::stop}},
      {back, Failed{true}, {idle, RolloutCommand::fail_back}},
      {idle, WentBack{}, {Rolling{true, false, now}}},
      {idle, Stopped{2}, {halted}},
      {idle, Stopped{0}, {idle}},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    CHECK(step(rows[i].from, rows[i].event, now) == rows[i].want);
  }
}

TEST_CASE("a daemon ends with its apps", "[plan]") {
  const AppEnd runs{}, done{.ended = true}, none{.empty = true}, fails{.ended = true, .failed = WallTime{9}},
      sooner{.ended = true, .failed = WallTime{3}}, main_runs{.essential = true},
      main_done{.essential = true, .ended = true},
      main_fails{.essential = true, .ended = true, .failed = WallTime{5}};
  struct Row {
    std::vector<AppEnd> apps;
    bool ends;
    std::optional<std::size_t> failed;
  };
  const std::vector<Row> rows{
      {{}, false, {}},
      {{runs}, false, {}},
      {{none}, false, {}},
      {{done}, true, {}},
      {{done, none}, true, {}},
      {{done, runs}, false, {}},
      {{fails, runs}, false, {}},
      {{fails, sooner, done}, true, 1},
      {{main_runs, fails}, false, {}},
      {{main_done, runs}, true, {}},
      {{main_done, main_runs}, false, {}},
      {{main_fails, main_runs, runs}, true, 0},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    const auto found = ending(rows[i].apps);
    CHECK(found.has_value() == rows[i].ends);
    if (found) CHECK(found->failed == rows[i].failed);
  }
  CHECK(exit_code(ExitStatus{ExitStatus::Kind::signal, 9, false}) == 137);
  CHECK(exit_code(ExitStatus{ExitStatus::Kind::code, 3, false}) == 3);
  CHECK(exit_code(ExitStatus{ExitStatus::Kind::code, 0, false}) == 1);
  CHECK(exit_code(StartFailure{StartStage::exec, 2, ""}) == 127);
  CHECK(exit_code(StartFailure{StartStage::exec, 13, ""}) == 126);
  CHECK(exit_code(StartFailure{StartStage::user, 2, ""}) == 1);
}

namespace {

AppId id(const char* app) { return {*Name::parse("shop"), *Name::parse(app)}; }

struct Table final : Graph {
  struct App {
    std::map<Name, Dependency> depends_on;
    DependencySlot slot;
    std::string unbound;
  };
  std::map<AppId, App> apps;
  std::map<AppId, std::set<AppId>> named_by;

  App& add(const char* app, std::vector<const char*> others, Dependency how = Dependency::ready) {
    auto& made = apps[id(app)];
    for (const auto* other : others) {
      made.depends_on[*Name::parse(other)] = how;
      named_by[id(other)].insert(id(app));
    }
    return made;
  }
  const std::map<Name, Dependency>* depends_on(const AppId& app) const override {
    return apps.contains(app) ? &apps.at(app).depends_on : nullptr;
  }
  const std::set<AppId>* dependents(const AppId& app) const override {
    return named_by.contains(app) ? &named_by.at(app) : nullptr;
  }
  bool all_slots(const AppId& app, const std::function<bool(const DependencySlot&)>& holds) const override {
    return holds(apps.at(app).slot);
  }
  std::string unbound(const AppId& app) const override { return apps.at(app).unbound; }
  std::string why_ended(const AppId& app, std::uint32_t) const override {
    return app.app.str() + "/0: exit code 1";
  }
};

}  // namespace

TEST_CASE("a dependency is met as the app wants it", "[plan]") {
  struct Row {
    DependencySlot slot;
    bool started, ready, completed;
  };
  const std::vector<Row> rows{
      {{.phase = Phase::waiting}, false, false, false},
      {{.phase = Phase::starting}, false, false, false},
      {{.phase = Phase::starting, .has_process = true}, true, false, false},
      {{.phase = Phase::ready, .has_process = true}, true, true, false},
      {{.phase = Phase::completed}, true, true, true},
      {{.phase = Phase::failed}, false, false, false},
      {{.phase = Phase::failed, .counts = false}, true, true, true},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    CHECK(meets(rows[i].slot, Dependency::started) == rows[i].started);
    CHECK(meets(rows[i].slot, Dependency::ready) == rows[i].ready);
    CHECK(meets(rows[i].slot, Dependency::completed) == rows[i].completed);
  }
}

TEST_CASE("who waits says for what, and whether that may last", "[plan]") {
  Table table;
  table.add("web", {"api"});
  auto& api = table.add("api", {"db"});
  auto& db = table.add("db", {});
  CHECK(waits(table, id("web")));
  CHECK(awaits(table, id("web")).text == "waiting for api to be ready");
  CHECK_FALSE(awaits(table, id("web")).down);
  CHECK_FALSE(waits(table, id("db")));
  db.slot.phase = Phase::failed;
  CHECK(awaits(table, id("web")).text ==
        "waiting for api to be ready, which is waiting for db to be ready, which has failed: db/0: exit code "
        "1");
  CHECK(awaits(table, id("web")).down);
  db.unbound = "port 80 is taken";
  CHECK(awaits(table, id("api")).text == "waiting for db to be ready, which has failed: port 80 is taken");
  api.slot.phase = db.slot.phase = Phase::ready;
  CHECK_FALSE(waits(table, id("web")));
  table.add("lone", {"nobody"});
  CHECK_FALSE(waits(table, id("lone")));
}

TEST_CASE("what is to end is needed while a dependent that is to end has not, and never in a circle",
          "[plan]") {
  Table table;
  auto& web = table.add("web", {"db"});
  auto& db = table.add("db", {});
  CHECK_FALSE(is_needed(table, id("db")));  // nobody ends
  web.slot.ending = web.slot.live = true;
  CHECK(is_needed(table, id("db")));
  CHECK_FALSE(is_needed(table, id("web")));
  web.slot.live = false;
  CHECK_FALSE(is_needed(table, id("db")));
  web.slot.live = true;
  db.depends_on[*Name::parse("web")] = Dependency::ready;
  CHECK_FALSE(is_needed(table, id("db")));
}
