// SPDX-License-Identifier: Apache-2.0
// The programs and libraries that people use work here as on a message bus.
#include <sdbus-c++/sdbus-c++.h>

#include <cstdio>

#include "bus/harness.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

struct Fixture {
  Harness harness;
  Fixture() { harness.control.add_app(app_id("shop", "web"), 2); }
};

// sdbus-c++ 2 has types of their own for names, where 1 takes text.
#if __has_include(<sdbus-c++/VTableItems.h>)
auto make_proxy(sdbus::IConnection& connection, const char* path) {
  return sdbus::createProxy(connection, sdbus::ServiceName{"org.svd1"}, sdbus::ObjectPath{path});
}
#else
auto make_proxy(sdbus::IConnection& connection, const char* path) {
  auto proxy = sdbus::createProxy(connection, "org.svd1", path);
  return proxy;
}
#endif

// Waits for one InstanceChanged and one PropertiesChanged, which the call of Restart sets off.
int listen_with_sdbus(const std::string& address) {
  auto connection = sdbus::createSessionBusConnectionWithAddress(address);
  auto manager = make_proxy(*connection, "/org/svd1");
  auto instance = make_proxy(*connection, "/org/svd1/instance/shop/web/0");
  bool changed = false, properties = false;
  manager->uponSignal("InstanceChanged")
      .onInterface("org.svd1.Manager")
      .call([&](const std::string& name, const std::string& phase, const std::string&,
                const std::uint64_t& pid) {
        changed = name == "shop:web/0" && phase == "ready" && pid == 1000;
        if (properties) connection->leaveEventLoop();
      });
  instance->uponSignal("PropertiesChanged")
      .onInterface("org.freedesktop.DBus.Properties")
      .call([&](const std::string& interface, const std::map<std::string, sdbus::Variant>& values,
                const std::vector<std::string>&) {
        properties = interface == "org.svd1.Instance" && values.at("Pid").get<std::uint64_t>() == 1000;
        if (changed) connection->leaveEventLoop();
      });
#if !__has_include(<sdbus-c++/VTableItems.h>)
  manager->finishRegistration();
  instance->finishRegistration();
#endif
  sdbus::ObjectPath change;
  manager->callMethod("Restart")
      .onInterface("org.svd1.Manager")
      .withArguments(std::vector<std::string>{"web"})
      .storeResultsTo(change);
  connection->enterEventLoop();
  std::printf("%s %d %d", std::string{change}.c_str(), changed ? 1 : 0, properties ? 1 : 0);
  std::fflush(stdout);
  return 0;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "busctl works without a message bus", "[bus][clients]") {
  const auto called =
      harness.busctl({"call", "org.svd1", "/org/svd1", "org.svd1.Manager", "ListApps", "as", "0"});
  CHECK(called.status == 0);
  CHECK(called.output ==
        "a(souussbts) 1 \"shop:web\" \"/org/svd1/app/shop/web\" 2 2 \"ready\" \"\" true 1 \"\"\n");

  const auto got = harness.busctl(
      {"get-property", "org.svd1", "/org/svd1", "org.svd1.Manager", "Version", "KeeperPid", "Degraded"});
  CHECK(got.output == "s \"1.2.3\"\nt 11\nas 1 \"no cgroups\"\n");

  const auto tree = harness.busctl({"tree", "--list", "org.svd1"});
  CHECK(tree.status == 0);
  CHECK_THAT(tree.output, ContainsSubstring("/org/svd1/instance/shop/web/1\n"));

  const auto introspected = harness.busctl({"introspect", "org.svd1", "/org/svd1/instance/shop/web/0"});
  CHECK(introspected.status == 0);
  CHECK_THAT(introspected.output, ContainsSubstring(".Phase") && ContainsSubstring("\"ready\""));

  const auto list = harness.busctl({"list"});
  CHECK(list.status == 0);
  CHECK_THAT(list.output, ContainsSubstring("org.svd1"));

  const auto managed = harness.busctl(
      {"call", "org.svd1", "/org/svd1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"});
  CHECK(managed.status == 0);
  CHECK_THAT(managed.output, ContainsSubstring("a{oa{sa{sv}}} 3 ") && ContainsSubstring("\"Slot\" u 1"));
}

TEST_CASE_METHOD(Fixture, "busctl says what went wrong", "[bus][clients]") {
  const auto unknown =
      harness.busctl({"call", "org.svd1", "/org/svd1", "org.svd1.Manager", "ListApps", "as", "1", "wbe"});
  CHECK(unknown.status == 1);
  CHECK_THAT(unknown.output, ContainsSubstring("did you mean 'web'?"));
  const auto monitor = harness.busctl({"monitor"});
  CHECK(monitor.status == 1);
  CHECK_THAT(monitor.output, ContainsSubstring("monitoring is not possible"));
}

TEST_CASE_METHOD(Fixture, "an sdbus-c++ client calls and hears signals", "[bus][clients]") {
  // The signals follow the call, so that the client cannot miss them.
  harness.host.on_request = [&] { harness.server->instance_changed({app_id("shop", "web"), 0}); };
  const auto ended = harness.in_child([&] { return listen_with_sdbus(harness.address()); });
  CHECK(ended.status == 0);
  CHECK(ended.output == "/org/svd1/change/7 1 1");
}
