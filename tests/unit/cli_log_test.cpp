// SPDX-License-Identifier: Apache-2.0
#include "cli/log_printer.h"
#include "unit/cli_support.h"

using namespace svd;
using namespace svd::cli_test;

namespace {

std::string print(LogPrinterOptions options, const std::vector<LogLine>& lines) {
  std::string out;
  LogPrinter printer{std::move(options), [&](std::string_view text) { out += text; }};
  for (const auto& line : lines) printer.print(line);
  printer.finish();
  return out;
}

LogLine line(std::size_t source, std::string_view text, bool complete = true) {
  return {LogLine::Kind::text, source, std::nullopt, text, complete};
}
LogLine note(std::size_t source, std::string_view text) {
  return {LogLine::Kind::note, source, std::nullopt, text, true};
}

}  // namespace

TEST_CASE("each line has its instance in front, set flush", "[cli][logs]") {
  CHECK(print({.names = {"web/0", "redis/0"}},
              {line(0, "one"), line(1, "two"), note(0, "12 messages suppressed")}) ==
        "web/0   | one\nredis/0 | two\nweb/0   svd: 12 messages suppressed\n");
  CHECK(print({.names = {"web/0"}, .prefix = false}, {line(0, "one"), note(0, "lost")}) ==
        "one\nsvd: lost\n");
}

TEST_CASE("the pieces of a long line are one line again, unless another instance speaks in between",
          "[cli][logs]") {
  CHECK(print({.names = {"a", "b"}}, {line(0, "one ", false), line(0, "piece"), line(1, "x")}) ==
        "a | one piece\nb | x\n");
  CHECK(print({.names = {"a", "b"}}, {line(0, "one ", false), line(1, "x"), line(0, "piece")}) ==
        "a | one \nb | x\na | piece\n");
  CHECK(print({.names = {"a"}}, {line(0, "no end", false)}) == "a | no end\n");
}

TEST_CASE("bytes go through unchanged to a file, and harmless to a terminal", "[cli][logs]") {
  const std::string_view bytes = "tab\there \x1b[31mred\x1b[0m \x1b[2J\xff";
  CHECK(print({.names = {"a"}, .prefix = false}, {line(0, bytes)}) == std::string{bytes} + "\n");
  CHECK(safe_log_text(bytes, true) == "tab\there \x1b[31mred\x1b[0m \\x1b[2J\\xff\x1b[0m");
  CHECK(safe_log_text(bytes, false) == "tab\there red \\x1b[2J\\xff");
  CHECK(safe_log_text("\x1b[31", true) == "\\x1b[31");
}

TEST_CASE("as JSON a line is one object with instance, time and text", "[cli][logs]") {
  auto stamped = line(0, "say \"hi\"");
  stamped.when = noon;
  CHECK(print({.names = {"shop:web/0"}, .json = true}, {stamped, line(0, "half", false), note(0, "lost")}) ==
        "{\"instance\":\"shop:web/0\",\"when\":\"2026-01-31T12:00:00.000000Z\",\"text\":\"say \\\"hi\\\"\"}\n"
        "{\"instance\":\"shop:web/0\",\"when\":null,\"text\":\"half\",\"complete\":false}\n"
        "{\"instance\":\"shop:web/0\",\"when\":null,\"note\":\"lost\"}\n");
}

TEST_CASE("logs names the instances only when there is more than one to tell apart", "[cli][logs]") {
  World world;
  world.daemon.instances = {instance("shop:web/0", Phase::ready)};
  world.logs[world.daemon.instances[0].log] = {"first", "second", "third"};
  CHECK(world.run({"logs", "web/0"}) == Exit::ok);
  CHECK(world.out == "first\nsecond\nthird\n");
  CHECK(world.run({"logs", "web", "-n", "1"}) == Exit::ok);
  CHECK(world.out == "web/0 | third\n");
}

TEST_CASE("logs says where the output of an app went that it cannot read", "[cli][logs]") {
  World world;
  world.daemon.instances = {instance("shop:web/0", Phase::ready)};
  world.daemon.instances[0].log = "none";
  CHECK(world.run({"logs", "web"}) == Exit::ok);
  CHECK(world.err == "svctl: nothing to read of shop:web/0: its logs go to nowhere (logs.to: none)\n");
}

TEST_CASE("logs says that a log file was removed under a process that writes to it", "[cli][logs]") {
  World world;
  world.daemon.instances = {instance("shop:web/0", Phase::ready)};
  const auto path = world.daemon.instances[0].log;
  CHECK(world.run({"logs", "web"}) == Exit::ok);
  CHECK(world.err == "svctl: there is no log file of shop:web/0 at " + path +
                         ": if it was removed, what shop:web/0 writes is lost until 'svctl restart "
                         "shop:web/0'\n");
  world.logs[path] = {"one"};
  CHECK(world.run({"logs", "web"}) == Exit::ok);
  CHECK(world.err.empty());
}

TEST_CASE("a followed app's new instances join, and a restart of the engine is survived", "[cli][logs]") {
  World world;
  world.daemon.instances = {instance("shop:web/0", Phase::ready)};
  world.logs[world.daemon.instances[0].log] = {"old"};
  world.daemon.script.push_back([&]() -> Result<Happening> {
    world.daemon.instances.push_back(instance("shop:web/1", Phase::starting));
    world.daemon.instances.back().log = "journal:shop:web/1";
    world.logs["journal:shop:web/1"] = {"new"};
    return Happening{.kind = Happening::Kind::instance, .instance = "shop:web/1", .phase = "starting"};
  });
  world.connection_breaks();
  world.happens(Happening::Kind::descriptor);
  CHECK(world.run({"logs", "web", "-f"}) == Exit::ok);
  CHECK(world.out == "web/0 | old\nweb/1 | new\n");
  CHECK(std::ranges::count(world.daemon.calls, "reconnect") == 1);
}

TEST_CASE("--since takes how long ago, or a time", "[cli][logs]") {
  World world;
  CHECK(world.run({"logs", "--since", "10m"}) == Exit::ok);
  CHECK(world.run({"logs", "--since", "2026-01-31T11:00:00Z"}) == Exit::ok);
  CHECK(world.run({"logs", "--since", "yesterday"}) == Exit::usage);
  CHECK_THAT(world.err, ContainsSubstring("want how long ago"));
}
