// SPDX-License-Identifier: Apache-2.0
// schemas/org.svd1.xml is the contract: what the daemon says of itself must be that, no more and no less.
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "bus/harness.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

// "method ListApps(in as names)(out a(souussbt) apps)", one line each, by interface.
using Interfaces = std::map<std::string, std::set<std::string>>;

std::string attribute(const std::string& tag, const std::string& name) {
  const auto at = tag.find(" " + name + "=\"");
  if (at == std::string::npos) return "";
  const auto from = at + name.size() + 3;
  return tag.substr(from, tag.find('"', from) - from);
}

std::string without_comments(std::string text) {
  for (auto at = text.find("<!--"); at != std::string::npos; at = text.find("<!--")) {
    const auto end = text.find("-->", at);
    text.erase(at, end == std::string::npos ? end : end + 3 - at);
  }
  return text;
}

// Enough of XML for introspection data: every tag in order, attributes in double quotes.
Interfaces read_interfaces(const std::string& xml) {
  Interfaces found;
  std::string interface, member;
  std::istringstream in{without_comments(xml)};
  for (std::string before, tag; std::getline(in, before, '<') && std::getline(in, tag, '>');) {
    const auto kind = tag.substr(0, tag.find_first_of(" /\n", 1));
    const bool closed = tag.back() == '/';
    if (kind == "interface") interface = attribute(tag, "name");
    if (kind == "property")
      found[interface].insert("property " + attribute(tag, "name") + " " + attribute(tag, "type") + " " +
                              attribute(tag, "access"));
    if (kind == "method" || kind == "signal") member = kind + " " + attribute(tag, "name");
    if (kind == "arg") {
      const auto direction = member.starts_with("signal") ? "" : attribute(tag, "direction") + " ";
      member += "(" + direction + attribute(tag, "type") + " " + attribute(tag, "name") + ")";
    }
    if (((kind == "method" || kind == "signal") && closed) || kind == "/method" || kind == "/signal")
      found[interface].insert(member);
  }
  return found;
}

Interfaces contract() {
  std::ifstream file{"../schemas/org.svd1.xml"};
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return read_interfaces(text.str());
}

std::string introspect(Harness& harness, sd_bus* bus, const char* path) {
  const auto reply = harness.call(bus, path, "org.freedesktop.DBus.Introspectable", "Introspect");
  const char* xml = nullptr;
  REQUIRE(sd_bus_message_read(reply.get(), "s", &xml) > 0);
  return xml;
}

}  // namespace

TEST_CASE("live introspection is what schemas/org.svd1.xml says", "[bus]") {
  Harness harness;
  harness.control.add_app(app_id("shop", "web"), 1);
  harness.control.change_views[ChangeId{7}].id = ChangeId{7};
  const auto client = harness.connect();
  const auto wanted = contract();
  REQUIRE(wanted.size() == 4);
  const std::map<std::string, const char*> places{{"org.svd1.Manager", "/org/svd1"},
                                                  {"org.svd1.App", "/org/svd1/app/shop/web"},
                                                  {"org.svd1.Instance", "/org/svd1/instance/shop/web/0"},
                                                  {"org.svd1.Change", "/org/svd1/change/7"}};
  for (const auto& [interface, members] : wanted) {
    CAPTURE(interface);
    auto live = read_interfaces(introspect(harness, client.get(), places.at(interface)));
    std::erase_if(live, [](const auto& entry) { return entry.first.starts_with("org.freedesktop.DBus"); });
    REQUIRE(live.size() == 1);
    CHECK(live.contains(interface));
    for (const auto& member : members) CHECK(live[interface].contains(member));
    for (const auto& member : live[interface]) CHECK(members.contains(member));
  }
}

TEST_CASE("the reader of this test tells members apart", "[bus]") {
  const auto found = read_interfaces(R"(<node><interface name="a.B"><!-- <method name="No"/> -->
    <method name="M"><arg name="x" type="s" direction="in"/><arg type="u" name="y" direction="out"/></method><method name="E"/>
    <signal name="S"><arg name="z" type="as"/></signal><property name="P" type="t" access="read"><annotation/></property>
    </interface></node>)");
  CHECK(
      found ==
      Interfaces{{"a.B", {"method M(in s x)(out u y)", "method E", "signal S(as z)", "property P t read"}}});
}

TEST_CASE("every object has what a client expects of any object", "[bus]") {
  Harness harness;
  harness.control.add_app(app_id("shop", "web"), 1);
  const auto client = harness.connect();
  for (const char* path : {"/org/svd1", "/org/svd1/app/shop/web", "/org/svd1/instance/shop/web/0"}) {
    const auto live = read_interfaces(introspect(harness, client.get(), path));
    CHECK(live.contains("org.freedesktop.DBus.Properties"));
    CHECK(live.contains("org.freedesktop.DBus.Peer"));
    CHECK(live.contains("org.freedesktop.DBus.Introspectable"));
    CHECK(live.contains("org.freedesktop.DBus.ObjectManager") == (std::string{path} == "/org/svd1"));
  }
}

TEST_CASE("looking at one instance does not list them all", "[bus]") {
  Harness harness;
  harness.control.add_app(app_id("shop", "web"), 3);
  const auto client = harness.connect();
  introspect(harness, client.get(), "/org/svd1/instance/shop/web/1");
  CHECK(harness.control.listings == 0);
  CHECK_THAT(introspect(harness, client.get(), "/org/svd1/instance"), ContainsSubstring("shop/web/2"));
  CHECK(harness.control.listings == 1);
}
