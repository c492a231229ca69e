// SPDX-License-Identifier: Apache-2.0
// Nothing from an app, a file or a peer reaches a terminal, or JSON, unescaped: every verb is told hostile
// text wherever a daemon, a log or a file can put some, and every byte that it prints is looked at.
#include "base/text.h"
#include "unit/cli_support.h"

using namespace svd;
using namespace svd::cli_test;

namespace {

// A title for the terminal, C1 in UTF-8 and raw, DEL, an override, isolates, separators, zero width, tags,
// CR, a bell.
const std::string hostile =
    "x\x1b]0;owned\x07\xc2\x9b"
    "2J\x9b"
    "1mA\x7f\xe2\x80\xae gnp\xe2\x81\xa6\xe2\x80\xa8\xe2\x80\x8b\xd8\x9c\xf3\xa0\x81\xa1\rB\x1b[2J\xff";

// What must not be there. Our own are: line ends, tabs, colours, and how a line of progress is written over.
std::string first_deception(std::string_view text) {
  constexpr std::string_view redraw = "\r\x1b[K";
  while (!text.empty()) {
    if (text.starts_with(redraw)) {
      text.remove_prefix(redraw.size());
    } else if (const auto colour = sgr_length(text); colour > 0) {
      text.remove_prefix(colour);
    } else {
      const auto [value, length] = first_code_point(text);
      if (value != U'\n' && value != U'\t' && is_deceptive(value)) return std::string{text.substr(0, 40)};
      text.remove_prefix(length);
    }
  }
  return "";
}

void fill(World& world) {
  auto& daemon = world.daemon;
  auto web = app("shop:web", 1, 2, hostile, hostile);
  web.exec = web.env = web.settings = web.listeners = web.degraded = {hostile, hostile};
  web.cwd = web.user = web.log = web.update = hostile;
  daemon.apps = {web};
  auto bad = instance("shop:web/0", Phase::backoff, hostile);
  bad.role = bad.directory = bad.cgroup = hostile;
  bad.log = "/log";
  auto lost = instance("shop:web/1", Phase::failed, hostile);
  lost.log = "/gone/" + hostile;
  lost.pid = 7;
  daemon.instances = {bad, lost};
  world.logs["/log"] = {hostile, hostile};
  daemon.steps = {{PlanStep::Action::replace, web.id, 1, hostile, {hostile, hostile}, {hostile}}};
  daemon.revisions = {{web.id.ecosystem, 3, noon, hostile, "failed: " + hostile, hostile, hostile, true}};
  daemon.events = {{1, noon, hostile, hostile, hostile}};
  daemon.daemon.version = daemon.daemon.address = daemon.daemon.state_directory = hostile;
  daemon.daemon.log_directory = daemon.daemon.unsaved = hostile;
  daemon.daemon.degraded = {hostile};
  auto report = change(hostile, "failed", 1, 2);
  report.view.target = report.view.error = hostile;
  report.view.steps = daemon.steps;
  report.failures = {{"shop:web/0", hostile, hostile}};
  daemon.change = report;
  world.files["/srv/shop/ok.yml"] = "ecosystem: shop\napps:\n  web: { exec: /bin/true }\n";
  world.files["/srv/shop/bad.yml"] =
      "ecosystem: shop\napps:\n  web: { exec: [\"\xe2\x80\xaex\"], wrong: \"\xc2\x9b\" }\n";
  world.files["/srv/shop/worse.yml"] = "ecosystem: \"" + hostile + "\"\n" + hostile + ": 1\n";
  world.happens(Happening::Kind::progress);
  daemon.script.push_back([]() -> Result<Happening> {
    return Happening{.kind = Happening::Kind::event, .event = {2, noon, hostile, hostile, hostile}};
  });
  daemon.script.push_back([]() -> Result<Happening> {
    return Happening{.kind = Happening::Kind::message, .instance = hostile, .text = "\"" + hostile + "\""};
  });
  world.happens(Happening::Kind::finished);
  world.happens(Happening::Kind::descriptor);
}

using Words = std::vector<std::string>;

const std::vector<Words> verbs{
    {"check", "ok.yml"},
    {"check", "bad.yml"},
    {"check", "worse.yml"},
    {"plan", "ok.yml"},
    {"apply", "ok.yml"},
    {"apply", "--dry-run", "ok.yml"},
    {"apply", "--no-wait", "ok.yml"},
    {"explain", hostile},
    {"ls"},
    {"ls", "--names"},
    {"ls", "--ecosystems"},
    {"status"},
    {"status", "shop:web"},
    {"logs", "shop:web"},
    {"logs", "-f", "shop:web"},
    {"events"},
    {"events", "-f"},
    {"messages"},
    {"history"},
    {"start", hostile},
    {"stop", "web"},
    {"restart", "web"},
    {"reload", "web"},
    {"delete", "web"},
    {"pause", hostile},
    {"scale", "web", hostile},
    {"scale", hostile, "2"},
    {"signal", "web", hostile},
    {"send", "web", hostile},
    {"rollback", "shop", hostile},
    {"daemon", "status"},
    {"daemon", "stop"},
    {"startup"},
    {"run", "ok.yml"},
    {"completion", "bash"},
    {hostile},
    {"status", "--" + hostile},
    {"logs", "--since", hostile},
    {"--color", hostile, "ls"},
};

struct Output {
  bool terminal;
  Words more;
};

}  // namespace

TEST_CASE("no verb passes hostile text on, to a terminal or in JSON", "[cli][hostile]") {
  const auto& output =
      GENERATE(Output{true, {}}, Output{false, {}}, Output{true, {"--json"}}, Output{false, {"--json"}});
  for (const auto& verb : verbs) {
    World world;
    fill(world);
    auto context = world.context();
    context.is_terminal = output.terminal;
    context.style.colour = output.terminal;
    context.style.columns = output.terminal ? 80 : 0;
    auto words = verb;
    words.insert(words.end(), output.more.begin(), output.more.end());
    world.run(words, context);
    CAPTURE(words, output.terminal);
    CHECK_FALSE((world.out + world.err).empty());
    const bool passes_bytes_on = verb.front() == "logs" && !output.terminal && output.more.empty();
    if (!passes_bytes_on) CHECK(first_deception(world.out) == "");
    CHECK(first_deception(world.err) == "");
  }
}

TEST_CASE("what a daemon says of an error is shown escaped", "[cli][hostile]") {
  World world;
  world.daemon.begun = fail(std::errc::io_error, hostile + "\nsecond line");
  CHECK(world.run({"restart", "web"}) == Exit::error);
  CHECK(first_deception(world.err) == "");
  CHECK_THAT(world.err, ContainsSubstring("\nsecond line\n"));
}

TEST_CASE("logs into a file or a pipe are the app's own bytes", "[cli][hostile][logs]") {
  World world;
  fill(world);
  auto context = world.context();
  CHECK(world.run({"logs", "shop:web/0"}, context) == Exit::ok);
  CHECK(world.out == hostile + "\n" + hostile + "\n");
}

TEST_CASE("only --address has any daemon believed, the environment does not", "[cli]") {
  World world;
  world.daemon.apps = {app("shop:web", 1, 1, "ready")};
  CHECK(world.run({"ls"}) == Exit::ok);
  CHECK_FALSE(world.believed);
  world.environment["SVD_ADDRESS"] = "/elsewhere/bus";
  CHECK(world.run({"ls"}) == Exit::ok);
  CHECK_FALSE(world.believed);
  CHECK(world.run({"--address", "/elsewhere/bus", "ls"}) == Exit::ok);
  CHECK(world.believed);
}

TEST_CASE("SVD_ADDRESS names a socket, and neither a program, a host nor a list", "[cli]") {
  World world;
  for (const char* address : {"unixexec:path=/tmp/evil", "tcp:host=localhost,port=1",
                              "unix:path=/a;unixexec:path=/b", "launchd:env=X", "autolaunch:"}) {
    CAPTURE(address);
    world.environment["SVD_ADDRESS"] = address;
    CHECK(world.run({"ls"}) == Exit::usage);
    CHECK_THAT(world.err, ContainsSubstring("cannot use SVD_ADDRESS"));
  }
}
