// SPDX-License-Identifier: Apache-2.0
// A connection hears what its match rules ask for, once per turn of the loop, in an order that makes sense.
#include "bus/harness.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

const AppId web = app_id("shop", "web");
const SlotId web_0{web, 0};

// A client that writes down every signal: "InstanceChanged /org/svd1 shop:web/0 ready".
struct Listener {
  Harness& harness;
  Bus bus;
  std::vector<std::string> heard;

  explicit Listener(Harness& from) : harness{from}, bus{from.connect()} {
    sd_bus_add_filter(bus.get(), nullptr, &Listener::note, this);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void match(const char* rule, const char* verb = "AddMatch") {
    const auto reply = harness.call(
        bus.get(), "/org/freedesktop/DBus", "org.freedesktop.DBus", verb,
        [&](auto* m) { sd_bus_message_append(m, "s", rule); }, "org.freedesktop.DBus");
    REQUIRE(error_name(reply).empty());
  }
  // Everything sent before the answer to this has been heard when it returns.
  void sync() {
    harness.settle();
    REQUIRE(error_name(harness.call(bus.get(), "/org/svd1", "org.freedesktop.DBus.Peer", "Ping")).empty());
  }
  std::vector<std::string> take() {
    sync();
    return std::exchange(heard, {});
  }

 private:
  static int note(sd_bus_message* message, void* self, sd_bus_error*) {
    std::uint8_t type = 0;
    sd_bus_message_get_type(message, &type);
    if (type != SD_BUS_MESSAGE_SIGNAL) return 0;
    std::string line =
        std::string{sd_bus_message_get_member(message)} + " " + sd_bus_message_get_path(message);
    for (char kind = 0;
         sd_bus_message_peek_type(message, &kind, nullptr) > 0 && (kind == 's' || kind == 'o');) {
      const char* text = nullptr;
      sd_bus_message_read_basic(message, kind, &text);
      line += std::string{" "} + text;
    }
    static_cast<Listener*>(self)->heard.push_back(line);
    return 0;
  }
};

struct Fixture {
  Harness harness;
  Listener client{harness};
  Fixture() {
    harness.control.add_app(web, 2);
    ChangeView change;
    change.id = ChangeId{7};
    change.kind = "restart";
    change.target = "shop:web";
    change.state = "succeeded";
    harness.control.change_views[change.id] = change;
  }
  // What a restart of an instance looks like to an observer.
  void restart() {
    auto& server = *harness.server;
    server.change_started(ChangeId{7});
    server.event({1, {5}, "instance", "shop:web/0", "ready → stopping"});
    server.instance_changed(web_0);
    server.instance_changed(web_0);
    server.app_changed(web);
    server.change_changed(ChangeId{7});
    server.change_finished(ChangeId{7});
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE_METHOD(Fixture, "who asked for nothing hears nothing", "[bus]") {
  restart();
  CHECK(client.take().empty());
}

TEST_CASE_METHOD(Fixture, "a turn's changes come once, in order, and the end of a change comes last",
                 "[bus]") {
  client.match("type='signal'");
  restart();
  CHECK(client.take() == Lines{"ChangeStarted /org/svd1 /org/svd1/change/7 restart shop:web",
                               "EventRecorded /org/svd1", "InstanceChanged /org/svd1 shop:web/0 ready ",
                               "PropertiesChanged /org/svd1/instance/shop/web/0 org.svd1.Instance",
                               "PropertiesChanged /org/svd1/app/shop/web org.svd1.App",
                               "PropertiesChanged /org/svd1/change/7 org.svd1.Change",
                               "ChangeFinished /org/svd1 /org/svd1/change/7 succeeded "});
}

TEST_CASE_METHOD(Fixture, "only what a rule names is sent", "[bus]") {
  const auto [rule, want] = GENERATE(table<const char*, Lines>({
      {"member='ChangeFinished'", {"ChangeFinished /org/svd1 /org/svd1/change/7 succeeded "}},
      {"interface='org.svd1.Manager',member='EventRecorded',path='/org/svd1'", {"EventRecorded /org/svd1"}},
      {"path_namespace='/org/svd1/instance/shop'",
       {"PropertiesChanged /org/svd1/instance/shop/web/0 org.svd1.Instance"}},
      {"interface='org.freedesktop.DBus.Properties',path='/org/svd1/app/shop/web'",
       {"PropertiesChanged /org/svd1/app/shop/web org.svd1.App"}},
      {"path='/org/svd1/app/shop/other'", {}},
      {"sender='org.freedesktop.DBus'", {}},
  }));
  CAPTURE(rule);
  client.match(rule);
  restart();
  CHECK(client.take() == want);
}

TEST_CASE_METHOD(Fixture, "a removed rule ends it, and each client has its own rules", "[bus]") {
  Listener other{harness};
  client.match("member='InstanceChanged'");
  other.match("member='ChangeFinished'");
  restart();
  CHECK(client.take() == Lines{"InstanceChanged /org/svd1 shop:web/0 ready "});
  CHECK(other.take() == Lines{"ChangeFinished /org/svd1 /org/svd1/change/7 succeeded "});
  client.match("member='InstanceChanged'", "RemoveMatch");
  restart();
  CHECK(client.take().empty());
  CHECK(other.take().size() == 1);
}

TEST_CASE_METHOD(Fixture, "objects that come and go are announced", "[bus]") {
  client.match("interface='org.freedesktop.DBus.ObjectManager'");
  harness.server->instance_changed(web_0);  // was there before anybody listened
  CHECK(client.take().empty());
  const auto worker = app_id("shop", "worker");
  harness.control.add_app(worker, 1);
  harness.server->app_changed(worker);
  harness.server->instance_changed({worker, 0});
  CHECK(client.take() == Lines{"InterfacesAdded /org/svd1 /org/svd1/app/shop/worker",
                               "InterfacesAdded /org/svd1 /org/svd1/instance/shop/worker/0"});
  harness.control.app_views.erase(worker);
  harness.control.instance_views.erase({worker, 0});
  harness.server->instance_removed({worker, 0});
  harness.server->app_removed(worker);
  CHECK(client.take() == Lines{"InterfacesRemoved /org/svd1 /org/svd1/instance/shop/worker/0",
                               "InterfacesRemoved /org/svd1 /org/svd1/app/shop/worker"});
  harness.server->app_removed(worker);
  CHECK(client.take().empty());
}

TEST_CASE_METHOD(Fixture, "an object that was removed and is there again was never gone", "[bus]") {
  client.match("member='InterfacesRemoved'");
  harness.server->instance_removed(web_0);
  harness.server->instance_changed(web_0);
  CHECK(client.take().empty());
}

TEST_CASE_METHOD(Fixture, "an app's heavy properties are sent with a new revision only", "[bus]") {
  client.match("member='PropertiesChanged'");
  const auto names = [&] {
    std::vector<std::string> found;
    sd_bus_slot* slot = nullptr;
    const auto read = [](sd_bus_message* message, void* into, sd_bus_error*) -> int {
      if (sd_bus_message_is_signal(message, nullptr, "PropertiesChanged") <= 0) return 0;
      sd_bus_message_skip(message, "s");
      sd_bus_message_enter_container(message, 'a', "{sv}");
      while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
        const char* name = nullptr;
        sd_bus_message_read(message, "s", &name);
        static_cast<std::vector<std::string>*>(into)->emplace_back(name);
        sd_bus_message_skip(message, "v");
        sd_bus_message_exit_container(message);
      }
      return 0;
    };
    sd_bus_add_filter(client.bus.get(), &slot, read, &found);
    harness.server->app_changed(web);
    client.sync();
    sd_bus_slot_unref(slot);
    return found;
  };
  CHECK(names().size() == 16);  // all of them: nobody knows what this client has seen
  CHECK(names() ==
        Lines{"Instances", "Ready", "State", "Reason", "Wanted", "Revision", "Generation", "Update"});
  harness.control.app_views[web].revision = 2;
  CHECK(names().size() == 16);
}

TEST_CASE_METHOD(Fixture, "a client that left is no longer sent to", "[bus]") {
  auto other = std::make_unique<Listener>(harness);
  other->match("type='signal'");
  other.reset();
  restart();
  harness.settle();
  CHECK(harness.host.lines.empty());
  CHECK(client.take().empty());
}

TEST_CASE_METHOD(Fixture, "what programs say goes to who listens, in order, and to nobody else", "[bus]") {
  Listener other{harness};
  other.match("member='EventRecorded'");
  client.match("member='Message'");
  for (int i = 0; i < 3; ++i) harness.server->message(web_0, R"({"n":)" + std::to_string(i) + "}");
  CHECK(client.take() == Lines{R"(Message /org/svd1 shop:web/0 {"n":0})",
                               R"(Message /org/svd1 shop:web/0 {"n":1})",
                               R"(Message /org/svd1 shop:web/0 {"n":2})"});
  CHECK(other.take().empty());
}

TEST_CASE_METHOD(Fixture, "who listens to programs and does not read is disconnected; the others hear all",
                 "[bus]") {
  auto idle = harness.connect();
  const auto reply = harness.call(
      idle.get(), "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch",
      [&](auto* m) { sd_bus_message_append(m, "s", "member='Message'"); }, "org.freedesktop.DBus");
  REQUIRE(error_name(reply).empty());
  sd_bus_detach_event(idle.get());
  client.match("member='Message'");
  const std::string large(1U << 20, 'x');
  std::size_t heard = 0;
  for (int i = 0; i < 40; ++i) {
    harness.server->message(web_0, '"' + large + '"');
    heard += client.take().size();
  }
  CHECK(heard == 40);
  REQUIRE(harness.host.lines.size() == 1);
  CHECK_THAT(harness.host.lines[0], ContainsSubstring("does not read its signals"));
}
