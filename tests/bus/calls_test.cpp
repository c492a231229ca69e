// SPDX-License-Identifier: Apache-2.0
// Calls reach the engine as they were meant, and its answers and errors come back.
#include "bus/harness.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

struct Fixture {
  Harness harness;
  Bus client;
  Fixture() {
    harness.control.add_app(app_id("shop", "web"), 2);
    client = harness.connect();
  }
  Message manager(const char* member, const std::function<void(sd_bus_message*)>& arguments = {}) {
    return harness.call_manager(client.get(), member, arguments);
  }
  Message object(const char* path, const char* interface, const char* member,
                 const std::function<void(sd_bus_message*)>& arguments = {}) {
    return harness.call(client.get(), path, interface, member, arguments);
  }
};

std::string path_in(const Message& reply) {
  const char* path = nullptr;
  return sd_bus_message_read(reply.get(), "o", &path) > 0 ? path : "(no path: " + error_text(reply) + ")";
}

void names(sd_bus_message* call) { sd_bus_message_append(call, "as", 2, "web", "shop:"); }
void text_and_file(sd_bus_message* call) {
  sd_bus_message_append(call, "ss", "apps: {}", "/srv/shop/eco.yaml");
}
void plain_apply(sd_bus_message* call) {
  text_and_file(call);
  sd_bus_message_append(call, "a{sv}", 0);
}

}  // namespace

TEST_CASE_METHOD(Fixture, "each verb asks the engine for just that, in the name of the caller", "[bus]") {
  const auto change = "/org/svd1/change/7";
  CHECK(path_in(manager("Start", names)) == change);
  CHECK(path_in(manager("Stop", names)) == change);
  CHECK(path_in(manager("Restart", names)) == change);
  CHECK(path_in(manager("Reload", names)) == change);
  for (const char* steer : {"Pause", "Resume", "Abort"})
    CHECK(path_in(manager(steer, [](auto* m) { sd_bus_message_append(m, "s", "web"); })) == change);
  CHECK(path_in(manager("Delete", names)) == change);
  CHECK(path_in(manager("Scale", [](auto* m) { sd_bus_message_append(m, "su", "web", 5U); })) == change);
  CHECK(path_in(manager("Rollback", [](auto* m) {
          sd_bus_message_append(m, "st", "shop", std::uint64_t{2});
        })) == change);
  manager("Signal", [](auto* m) { sd_bus_message_append(m, "asis", 1, "web", 10, "main"); });
  manager("Signal", [](auto* m) { sd_bus_message_append(m, "asis", 1, "web", 12, "group"); });
  manager("Send", [](auto* m) { sd_bus_message_append(m, "ass", 2, "web/0", "api", R"({"a":1})"); });
  manager("Shutdown", [](auto* m) { sd_bus_message_append(m, "b", 1); });
  CHECK(harness.control.calls ==
        std::vector<std::string>{"start web shop: by root", "stop web shop: by root",
                                 "restart web shop: by root", "reload web shop: by root", "pause web by root",
                                 "resume web by root", "abort web by root", "delete web shop: by root",
                                 "scale 5 web by root", "rollback 2 shop by root",
                                 "signal 10 main web by root", "signal 12 group web by root",
                                 R"(send {"a":1} web/0 api by root)", "shutdown force by root"});
  CHECK(harness.host.after == 13);
}

TEST_CASE_METHOD(Fixture, "objects pass their own name", "[bus]") {
  object("/org/svd1/app/shop/web", "org.svd1.App", "Stop");
  object("/org/svd1/app/shop/web", "org.svd1.App", "Scale",
         [](auto* m) { sd_bus_message_append(m, "u", 3U); });
  for (const char* verb : {"Reload", "Pause", "Resume", "Abort"})
    object("/org/svd1/app/shop/web", "org.svd1.App", verb);
  object("/org/svd1/app/shop/web", "org.svd1.App", "Send",
         [](auto* m) { sd_bus_message_append(m, "s", "1"); });
  object("/org/svd1/instance/shop/web/1", "org.svd1.Instance", "Send",
         [](auto* m) { sd_bus_message_append(m, "s", "2"); });
  object("/org/svd1/instance/shop/web/1", "org.svd1.Instance", "Restart");
  object("/org/svd1/instance/shop/web/1", "org.svd1.Instance", "Signal",
         [](auto* m) { sd_bus_message_append(m, "is", 1, "main"); });
  CHECK(harness.control.calls ==
        std::vector<std::string>{"stop shop:web by root", "scale 3 shop:web by root",
                                 "reload shop:web by root", "pause shop:web by root",
                                 "resume shop:web by root", "abort shop:web by root",
                                 "send 1 shop:web by root", "send 2 shop:web/1 by root",
                                 "restart shop:web/1 by root", "signal 1 main shop:web/1 by root"});
}

TEST_CASE_METHOD(Fixture, "nothing to do is the path /", "[bus]") {
  harness.control.answer = Begun{};
  CHECK(path_in(manager("Start", names)) == "/");
}

TEST_CASE_METHOD(Fixture, "Apply hands over text, place and options", "[bus]") {
  const auto reply = manager("Apply", [](sd_bus_message* call) {
    text_and_file(call);
    sd_bus_message_append(call, "a{sv}", 4, "profile", "s", "production", "directory", "s", "/srv/other",
                          "env_files", "a{ss}", 1, "/srv/.env", "TOKEN=x", "environment", "a{ss}", 1,
                          "HTTP_PROXY", "http://proxy");
  });
  std::uint64_t revision = 0;
  const char* path = nullptr;
  REQUIRE(sd_bus_message_read(reply.get(), "ot", &path, &revision) > 0);
  CHECK(revision == 3);
  REQUIRE(harness.control.sources.size() == 1);
  CHECK(harness.control.sources[0] == Source{.text = "apps: {}",
                                             .file = "/srv/shop/eco.yaml",
                                             .directory = "/srv/other",
                                             .profile = "production",
                                             .env_files = {{"/srv/.env", "TOKEN=x"}},
                                             .pass_env = {{"HTTP_PROXY", "http://proxy"}},
                                             .cpus = 4});
}

TEST_CASE_METHOD(Fixture, "relative paths start at the file's directory when nothing else is said", "[bus]") {
  manager("Plan", plain_apply);
  REQUIRE(harness.control.sources.size() == 1);
  CHECK(harness.control.sources[0].directory == "/srv/shop");
}

TEST_CASE_METHOD(Fixture, "options that make no sense are refused before the engine sees them", "[bus]") {
  const auto invalid = std::string{SD_BUS_ERROR_INVALID_ARGS};
  const auto refused = manager("Apply", [](sd_bus_message* call) {
    text_and_file(call);
    sd_bus_message_append(call, "a{sv}", 1, "profil", "s", "production");
  });
  CHECK(error_name(refused) == invalid);
  CHECK_THAT(error_text(refused), ContainsSubstring("profil"));
  CHECK(error_name(manager("Apply", [](sd_bus_message* call) {
          text_and_file(call);
          sd_bus_message_append(call, "a{sv}", 1, "profile", "u", 7U);
        })) == invalid);
  CHECK(error_name(manager("Apply", [](sd_bus_message* call) {
          sd_bus_message_append(call, "ssa{sv}", "apps: {}", "eco.yaml", 0);
        })) == invalid);
  CHECK(error_name(manager("Apply", [](sd_bus_message* call) {
          sd_bus_message_append(call, "ssa{sv}", "apps: {}", "-", 0);
        })) == invalid);
  CHECK(error_name(manager(
            "Signal", [](auto* m) { sd_bus_message_append(m, "asis", 1, "web", 1, "all"); })) == invalid);
  CHECK(error_name(manager("Start", [](auto* m) { sd_bus_message_append(m, "s", "web"); })) == invalid);
  CHECK(harness.control.calls.empty());
  CHECK(harness.control.sources.empty());
}

TEST_CASE_METHOD(Fixture, "errors keep their meaning", "[bus]") {
  const auto [code, member, name] = GENERATE(table<std::errc, const char*, std::string>({
      {std::errc::no_such_process, "Start", "org.svd1.Error.NotFound"},
      {std::errc::invalid_argument, "Start", SD_BUS_ERROR_INVALID_ARGS},
      {std::errc::invalid_argument, "Apply", "org.svd1.Error.InvalidFile"},
      {std::errc::invalid_argument, "Plan", "org.svd1.Error.InvalidFile"},
      {std::errc::permission_denied, "Start", SD_BUS_ERROR_ACCESS_DENIED},
      {std::errc::io_error, "Start", "org.svd1.Error.Failed"},
      {std::errc::io_error, "Apply", "org.svd1.Error.Failed"},
  }));
  CAPTURE(member, name);
  harness.control.answer = fail(code, "eco.yaml:7:5: apps.wb: unknown key\n    7 | wb: {}\n      | ^");
  const bool is_start = std::string{member} == "Start";
  const auto reply = manager(member, is_start ? names : plain_apply);
  CHECK(error_name(reply) == name);
  CHECK_THAT(error_text(reply), ContainsSubstring("unknown key\n    7 | wb: {}"));
}

TEST_CASE_METHOD(Fixture, "an error's text that is not UTF-8 arrives readable", "[bus]") {
  harness.control.answer = fail(std::errc::io_error, "cannot use '\xff'");
  const auto reply = manager("Start", names);
  CHECK(error_name(reply) == "org.svd1.Error.Failed");
  CHECK(error_text(reply) == "cannot use '\\xff'");
}

TEST_CASE_METHOD(Fixture, "what sd-bus takes for no text costs one text, not the reply", "[bus]") {
  // U+FFFF, U+FDD0 and U+10FFFE: well-formed UTF-8, which sd-bus refuses.
  const std::string odd =
      "a\xEF\xBF\xBF"
      "b\xEF\xB7\x90"
      "c\xF4\x8F\xBF\xBE"
      "d\xF0\x9F\x98\x80";
  const std::string shown =
      "a\xEF\xBF\xBD"
      "b\xEF\xBF\xBD"
      "c\xEF\xBF\xBD"
      "d\xF0\x9F\x98\x80";
  harness.control.instance_views[{app_id("shop", "web"), 0}].reason = odd;
  const auto reply = manager("ListInstances", [](auto* m) { sd_bus_message_append(m, "as", 0); });
  REQUIRE(error_name(reply).empty());
  const char *name = nullptr, *phase = nullptr, *reason = nullptr;
  REQUIRE(sd_bus_message_enter_container(reply.get(), 'a', "(ssstttttxxxssssstt)") > 0);
  REQUIRE(sd_bus_message_enter_container(reply.get(), 'r', "ssstttttxxxssssstt") > 0);
  REQUIRE(sd_bus_message_read(reply.get(), "sss", &name, &phase, &reason) > 0);
  CHECK(reason == shown);
  harness.control.answer = fail(std::errc::io_error, odd);
  CHECK(error_text(manager("Start", names)) == shown);
}

TEST_CASE_METHOD(Fixture, "what the engine throws is one failed call", "[bus]") {
  harness.control.throws = true;
  const auto none = [](auto* m) { sd_bus_message_append(m, "as", 0); };
  const auto reply = manager("ListApps", none);
  CHECK(error_name(reply) == "org.svd1.Error.Failed");
  CHECK_THAT(error_text(reply), ContainsSubstring("the fake throws"));
  harness.control.throws = false;
  CHECK(error_name(manager("ListApps", none)).empty());
}

TEST_CASE_METHOD(Fixture, "lists carry every column", "[bus]") {
  auto& web = harness.control.instance_views[SlotId{app_id("shop", "web"), 1}];
  web.phase = Phase::backoff;
  web.reason = "signal SIGKILL";
  web.last_exit = {ExitStatus::Kind::signal, 9, false};
  web.next_start = {77};
  harness.control.figures.memory = 1U << 20;
  web.role = "leaving";
  web.directory = "/srv/releases/7";
  const auto reply = manager("ListInstances", [](auto* m) { sd_bus_message_append(m, "as", 0); });
  REQUIRE(sd_bus_message_enter_container(reply.get(), 'a', "(ssstttttxxxssssstt)") > 0);
  REQUIRE(sd_bus_message_skip(reply.get(), "(ssstttttxxxssssstt)") > 0);
  REQUIRE(sd_bus_message_enter_container(reply.get(), 'r', "ssstttttxxxssssstt") > 0);
  const char *name = nullptr, *phase = nullptr, *reason = nullptr, *last_exit = nullptr, *cgroup = nullptr,
             *log = nullptr, *role = nullptr, *directory = nullptr;
  std::uint64_t pid = 0, start = 0, revision = 0, generation = 0, restarts = 0, memory = 0, cpu_time = 0;
  std::int64_t since = 0, started = 0, next = 0;
  REQUIRE(sd_bus_message_read(reply.get(), "ssstttttxxxssssstt", &name, &phase, &reason, &pid, &start,
                              &revision, &generation, &restarts, &since, &started, &next, &last_exit, &cgroup,
                              &log, &role, &directory, &memory, &cpu_time) > 0);
  CHECK(std::string{name} == "shop:web/1");
  CHECK(std::string{phase} == "backoff");
  CHECK(std::string{reason} == "signal SIGKILL");
  CHECK(std::string{last_exit} == "signal SIGKILL");
  CHECK(pid == 1001);
  CHECK(next == 77);
  CHECK(std::string{role} == "leaving");
  CHECK(std::string{directory} == "/srv/releases/7");
  CHECK(memory == 1U << 20);
  CHECK(cpu_time == ~0ULL);  // the fake does not know it
}

TEST_CASE_METHOD(Fixture, "use is read when somebody asks, as far as it is known", "[bus]") {
  auto& figures = harness.control.figures;
  figures.memory = 1U << 20;
  figures.pids = 3;
  figures.cpu_pressure = 12.5;
  const std::string known = "a{st} 2 \"memory\" 1048576 \"pids\" 3\n";
  const auto property = [&](const char* path, const char* interface, const char* name) {
    return harness.busctl({"get-property", "org.svd1", path, interface, name}).output;
  };
  CHECK(property("/org/svd1/instance/shop/web/1", "org.svd1.Instance", "Usage") == known);
  CHECK(property("/org/svd1/instance/shop/web/1", "org.svd1.Instance", "Pressure") ==
        "a{sd} 1 \"cpu\" 12.5\n");
  CHECK(property("/org/svd1/app/shop/web", "org.svd1.App", "Usage") == known);
  const auto listed =
      harness.busctl({"call", "org.svd1", "/org/svd1", "org.svd1.Manager", "ListUsage", "as", "0"});
  CHECK(listed.output ==
        "a(sta{st}a{sd}) 2 \"shop:web/0\" 1 2 \"memory\" 1048576 \"pids\" 3 1 \"cpu\" 12.5 "
        "\"shop:web/1\" 2 2 \"memory\" 1048576 \"pids\" 3 1 \"cpu\" 12.5\n");
}

TEST_CASE_METHOD(Fixture, "a change tells which slots hold it up, and why", "[bus]") {
  ChangeView change;
  change.id = ChangeId{7};
  change.failed = {SlotId{app_id("shop", "web"), 0}, SlotId{app_id("shop", "gone"), 3}};
  harness.control.change_views[change.id] = change;
  harness.control.instance_views[change.failed[0]].reason = "exit code 1";
  const auto got =
      harness.busctl({"get-property", "org.svd1", "/org/svd1/change/7", "org.svd1.Change", "Failed"});
  CHECK(got.output == "a(sss) 2 \"shop:web/0\" \"ready\" \"exit code 1\" \"shop:gone/3\" \"\" \"\"\n");
}

TEST_CASE_METHOD(Fixture, "what does not exist is an unknown object", "[bus]") {
  const auto name = [&](const char* path, const char* interface, const char* member) {
    return error_name(object(path, interface, member));
  };
  CHECK(name("/org/svd1/app/shop/nope", "org.svd1.App", "Stop") == SD_BUS_ERROR_UNKNOWN_OBJECT);
  CHECK(name("/org/svd1/instance/shop/web/9", "org.svd1.Instance", "Stop") == SD_BUS_ERROR_UNKNOWN_OBJECT);
  CHECK(name("/org/svd1/app/shop/web", "org.svd1.App", "Explode") == SD_BUS_ERROR_UNKNOWN_METHOD);
  CHECK(harness.control.calls.empty());
}

TEST_CASE_METHOD(Fixture, "the engine is given the time before each message, whatever it asks", "[bus]") {
  const auto before = harness.host.before;
  object("/org/svd1", "org.freedesktop.DBus.Peer", "Ping");
  object("/org/svd1/app/shop/web", "org.freedesktop.DBus.Properties", "GetAll",
         [](auto* m) { sd_bus_message_append(m, "s", "org.svd1.App"); });
  CHECK(harness.host.before == before + 2);
}

TEST_CASE_METHOD(Fixture, "Reexecute is answered, then carried out", "[bus]") {
  CHECK(error_name(manager("Reexecute")).empty());
  CHECK(harness.host.reexecutions == 1);
}

TEST_CASE_METHOD(Fixture, "the bus facade knows its two names and the client's own", "[bus]") {
  const auto ask = [&](const char* member, const char* name) {
    return harness.call(
        client.get(), "/org/freedesktop/DBus", "org.freedesktop.DBus", member,
        [&](auto* m) { sd_bus_message_append(m, "s", name); }, "org.freedesktop.DBus");
  };
  const char* unique = nullptr;
  REQUIRE(sd_bus_get_unique_name(client.get(), &unique) >= 0);
  const auto owner = [&](const char* name) {
    const auto reply = ask("GetNameOwner", name);
    const char* text = nullptr;
    if (!error_name(reply).empty()) return error_name(reply);
    return sd_bus_message_read(reply.get(), "s", &text) > 0 ? std::string{text} : "";
  };
  CHECK(owner("org.svd1") == ":1.0");
  CHECK(owner("org.freedesktop.DBus") == "org.freedesktop.DBus");
  CHECK(owner(unique) == unique);
  CHECK(owner("org.example") == SD_BUS_ERROR_NAME_HAS_NO_OWNER);
  CHECK(error_name(ask("AddMatch", "member='x")) == SD_BUS_ERROR_MATCH_RULE_INVALID);
  CHECK(error_name(ask("RemoveMatch", "member='x'")) == SD_BUS_ERROR_MATCH_RULE_NOT_FOUND);
  CHECK(error_name(ask("ListNames", "surplus")) == SD_BUS_ERROR_INVALID_ARGS);
  CHECK(error_name(ask("NoSuchThing", "x")) == SD_BUS_ERROR_UNKNOWN_METHOD);
  const auto elsewhere = harness.call(
      client.get(), "/org/svd1", "org.svd1.Manager", "ListApps",
      [](auto* m) { sd_bus_message_append(m, "as", 0); }, "org.example");
  CHECK(error_name(elsewhere) == SD_BUS_ERROR_SERVICE_UNKNOWN);
}

TEST_CASE("a generation is shown under a key of this daemon's own: it cannot be computed from the spec",
          "[bus]") {
  const auto shown_by = [](Harness& harness) {
    for (std::uint32_t slot : {0U, 1U})
      harness.control.instance_views[{app_id("shop", "web"), slot}].generation = 42;
    const auto client = harness.connect();
    std::vector<std::uint64_t> all;
    for (const char* path : {"/org/svd1/instance/shop/web/0", "/org/svd1/instance/shop/web/1"}) {
      std::uint64_t number = 0;
      const auto reply =
          harness.call(client.get(), path, "org.freedesktop.DBus.Properties", "Get",
                       [](auto* m) { sd_bus_message_append(m, "ss", "org.svd1.Instance", "Generation"); });
      REQUIRE(sd_bus_message_read(reply.get(), "v", "t", &number) > 0);
      all.push_back(number);
    }
    return all;
  };
  Harness one, other;
  one.control.add_app(app_id("shop", "web"), 2);
  other.control.add_app(app_id("shop", "web"), 2);
  const auto first = shown_by(one), second = shown_by(other);
  CHECK(first[0] == first[1]);
  CHECK(first[0] != 42);
  CHECK(first[0] != second[0]);
}
