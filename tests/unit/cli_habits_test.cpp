// SPDX-License-Identifier: Apache-2.0
// What people do who come from elsewhere, or from a shell: files left out, files where names are wanted,
// readers that go away.
#include "unit/cli_support.h"

using namespace svd;
using namespace svd::cli_test;

namespace {

constexpr const char* small_file = "name: shop\napps: { web: { exec: [x] } }\n";

World with_own_file() {
  World world;
  world.files["ecosystem.yaml"] = small_file;
  world.existing.insert("/srv/shop/ecosystem.yaml");
  return world;
}

Result<Begun> no_such_app(const std::string& name) {
  return fail(std::errc::no_such_process, "no app is named '" + name + "'");
}

}  // namespace

TEST_CASE("without a FILE the one of this directory is taken", "[cli]") {
  auto world = with_own_file();
  CHECK(world.run({"check"}) == Exit::ok);
  CHECK(world.out == "ecosystem.yaml: ok: ecosystem shop, 1 app, 1 instance\n");
  CHECK(world.run({"plan"}) == Exit::ok);
  world.happens(Happening::Kind::finished);
  CHECK(world.run({"apply", "--no-wait"}) == Exit::ok);
  CHECK(world.daemon.applied.file == "/srv/shop/ecosystem.yaml");
  CHECK(world.run({"check", "-f", "ecosystem.yaml"}) == Exit::ok);
}

TEST_CASE("where there is none, it is said, and what could become one", "[cli]") {
  World world;
  CHECK(world.run({"apply"}) != Exit::ok);
  CHECK(world.err == "svctl: no FILE is given, and there is no ecosystem.yaml in /srv/shop\n");
  world.existing.insert("/srv/shop/ecosystem.config.js");
  CHECK(world.run({"apply"}) != Exit::ok);
  CHECK(world.err ==
        "svctl: no FILE is given, and there is no ecosystem.yaml in /srv/shop; there is ecosystem.config.js: "
        "'svctl check ecosystem.config.js' says what to write\n");
}

TEST_CASE("check looks at every profile of the file", "[cli][check]") {
  World world;
  world.files["eco.yaml"] =
      "name: a\napps: { web: { exec: [x], channel: node } }\n"
      "profiles: { bad: { apps: { web: { update: { min_ready: 3m } } } }, good: { apps: { web: { nice: 1 } } "
      "} }\n";
  CHECK(world.run({"check", "eco.yaml"}) == Exit::error);
  CHECK_THAT(world.err, ContainsSubstring("(with --profile bad)"));
  CHECK_THAT(world.err, !ContainsSubstring("(with --profile good)"));
  CHECK(world.out.empty());
  CHECK(world.run({"check", "eco.yaml", "--profile", "good"}) == Exit::error);
  CHECK(world.run({"plan", "eco.yaml"}) == Exit::ok);  // what is applied is right
}

TEST_CASE("what is hardly meant is a warning, and no error", "[cli][check]") {
  World world;
  world.files["eco.yaml"] = "name: a\napps: { web: { exec: [x], env: { PATH: './bin:$PATH' } } }\n";
  CHECK(world.run({"check", "eco.yaml"}) == Exit::ok);
  CHECK_THAT(world.err, ContainsSubstring("warning: '$PATH' stands for itself, no shell expands it"));
  CHECK(world.run({"check", "eco.yaml", "--json"}) == Exit::ok);
  CHECK_THAT(world.out, ContainsSubstring("warning:"));
  CHECK(world.run({"plan", "eco.yaml"}) == Exit::ok);
  CHECK_THAT(world.err, ContainsSubstring("warning:"));
}

TEST_CASE("files where names of apps are wanted get what to type instead", "[cli]") {
  World world;
  world.daemon.begun = no_such_app("server.js");
  CHECK(world.run({"start", "lib/server.js"}) == Exit::not_found);
  CHECK(world.err ==
        "svctl: 'svctl start lib/server.js': it starts what a file declares. Put this into ecosystem.yaml, "
        "and 'svctl "
        "apply' runs it:\n  apps:\n    server: { exec: [node, lib/server.js] }\n");
  CHECK(world.run({"start", "job.py"}) == Exit::not_found);
  CHECK_THAT(world.err, ContainsSubstring("job: { exec: [python3, job.py] }"));
  CHECK(world.run({"reload", "ecosystem.yaml"}) == Exit::not_found);
  CHECK_THAT(world.err, ContainsSubstring("'svctl apply ecosystem.yaml', and 'svctl reload all'"));
  CHECK(world.run({"restart", "wbe"}) == Exit::not_found);
  CHECK_THAT(world.err, ContainsSubstring("no app is named"));  // the daemon's own words
}

TEST_CASE("start of an app that wants no instances says so", "[cli]") {
  World world;
  world.daemon.begun = Begun{};
  world.daemon.apps = {app("shop:web", 0, 0, "stopped")};
  CHECK(world.run({"start", "web"}) == Exit::ok);
  CHECK_THAT(world.out + world.err,
             ContainsSubstring("shop:web has 'instances: 0': 'svctl scale shop:web 1'"));
}

TEST_CASE("daemon start starts one where none runs", "[cli]") {
  World world;
  world.daemon_runs = false;
  world.daemon.daemon.keeper_pid = 42;
  CHECK(world.run({"daemon", "start"}) == Exit::ok);
  CHECK(world.daemons_started == 1);
  CHECK_THAT(world.out, ContainsSubstring("pid 42"));
  CHECK(world.run({"daemon", "start"}) == Exit::ok);
  CHECK(world.daemons_started == 1);
}

TEST_CASE("daemons of others on this machine are named where none is found", "[cli]") {
  World world;
  world.daemon_runs = false;
  world.daemons_here = {{"ann", "unix:path=/home/ann/run/bus"}};
  CHECK(world.run({"ls"}) != Exit::ok);
  CHECK_THAT(world.err,
             ContainsSubstring("a daemon of user ann runs: 'svctl --address unix:path=/home/ann/run/bus'"));
}

TEST_CASE("whatever goes on by itself ends when nobody reads it", "[cli]") {
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"logs", "-f"}, {"events", "-f"}, {"messages"}}) {
    World world;
    world.daemon.instances = {instance("shop:web/0", Phase::ready)};
    world.logs[world.daemon.instances[0].log] = {};
    world.reader_goes();
    INFO(verb.front());
    CHECK(world.run(verb) == Exit::ok);
    CHECK(world.err.empty());
  }
}

TEST_CASE("events can be asked of one app or instance", "[cli]") {
  World world;
  const auto record = [](std::uint64_t sequence, const char* subject) {
    return EventRecord{
        .sequence = sequence, .when = noon, .kind = "instance", .subject = subject, .text = "it ran"};
  };
  world.daemon.events = {record(1, "shop:web/0"), record(2, "shop:api/0"), record(3, "shop:web/1"),
                         record(4, "engine")};
  const auto lines = [&](const std::vector<std::string>& arguments) {
    CHECK(world.run(arguments) == Exit::ok);
    return std::ranges::count(world.out, '\n');
  };
  CHECK(lines({"events"}) == 4);
  CHECK(lines({"events", "web"}) == 2);
  CHECK(lines({"events", "web/1"}) == 1);
  CHECK(lines({"events", "shop:"}) == 3);
  CHECK(lines({"events", "web", "-n", "1"}) == 1);
  CHECK_THAT(world.out, ContainsSubstring("web/1"));
}
