// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "bus/match.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::bus;

namespace {

constexpr SignalName instance_changed{"org.svd1.Manager", "InstanceChanged", "/org/svd1"};
constexpr SignalName web_changed{"org.freedesktop.DBus.Properties", "PropertiesChanged",
                                 "/org/svd1/app/shop/web"};

bool match(const std::string& rule, const SignalName& signal) {
  const auto parsed = parse_match(rule);
  REQUIRE(parsed);
  return matches(*parsed, signal);
}

}  // namespace

TEST_CASE("a rule takes the signals that every key of it allows", "[bus]") {
  const auto [rule, signal, want] = GENERATE(table<std::string, SignalName, bool>({
      {"", instance_changed, true},
      {"type='signal'", instance_changed, true},
      {"type=signal", instance_changed, true},
      {"type='method_call'", instance_changed, false},
      {"sender='org.svd1'", instance_changed, true},
      {"sender=':1.0'", instance_changed, true},
      {"sender='org.freedesktop.DBus'", instance_changed, false},
      {"interface='org.svd1.Manager',member='InstanceChanged'", instance_changed, true},
      {"interface='org.svd1.Manager',member='ChangeFinished'", instance_changed, false},
      {"interface='org.svd1.App'", instance_changed, false},
      {"path='/org/svd1'", instance_changed, true},
      {"path='/org/svd1'", web_changed, false},
      {"path_namespace='/org/svd1'", web_changed, true},
      {"path_namespace='/org/svd1/app/shop/web'", web_changed, true},
      {"path_namespace='/org/svd1/app/shop/we'", web_changed, false},
      {"path_namespace='/org/svd1/instance'", web_changed, false},
      {"path_namespace='/'", web_changed, true},
      {"type='signal', interface='org.svd1.Manager', path='/org/svd1',", instance_changed, true},
  }));
  CAPTURE(rule);
  CHECK(match(rule, signal) == want);
}

TEST_CASE("what a rule says beyond svd's own keys never costs a signal", "[bus]") {
  CHECK(match("arg0='shop:web/0',member='InstanceChanged'", instance_changed));
  CHECK(match("arg0namespace='org.svd1',eavesdrop='true',destination=':1.7'", instance_changed));
  CHECK(match("colour='blue'", instance_changed));
}

TEST_CASE("an unknown path may match any rule about paths", "[bus]") {
  const SignalName somewhere{web_changed.interface, web_changed.member, {}};
  CHECK(match("path='/org/svd1/app/shop/web'", somewhere));
  CHECK(match("path_namespace='/org/svd1/app'", somewhere));
  CHECK_FALSE(match("path='/org/svd1/app/shop/web',member='InterfacesAdded'", somewhere));
}

TEST_CASE("quotes and escapes are read as the specification says", "[bus]") {
  const auto value = [](const std::string& rule) { return parse_match(rule)->member; };
  CHECK(value("member=plain") == "plain");
  CHECK(value("member='a,b'") == "a,b");
  CHECK(value("member='a'b'c'") == "abc");
  CHECK(value(R"(member=a\'b)") == "a'b");
  CHECK(value(R"(member='a\')") == R"(a\)");
  CHECK(value(R"(member='don'\''t')") == "don't");
}

TEST_CASE("what is no rule is refused", "[bus]") {
  const auto rule =
      GENERATE(as<std::string>{}, "member", "='x'", "member='x", "member=''", ",", "member='a',member='b'",
               "path='/a',path_namespace='/b'", "mem ber='x'", "'member'='x'");
  CAPTURE(rule);
  const auto parsed = parse_match(rule);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == std::errc::bad_message);
  CHECK_THAT(parsed.error().text, ContainsSubstring("match rule"));
}

TEST_CASE("a rule longer than the specification allows is refused", "[bus]") {
  CHECK(parse_match("member='" + std::string(max_rule_length - 9, 'x') + "'"));
  CHECK_FALSE(parse_match("member='" + std::string(max_rule_length - 8, 'x') + "'"));
}

TEST_CASE("rules are counted: each removal takes one", "[bus]") {
  MatchSet set;
  const auto rule = *parse_match("member='InstanceChanged'");
  REQUIRE(set.add(rule));
  REQUIRE(set.add(rule));
  CHECK(set.remove(rule));
  CHECK(set.wants(instance_changed));
  CHECK(set.remove(rule));
  CHECK_FALSE(set.wants(instance_changed));
  CHECK_FALSE(set.remove(rule));
}

TEST_CASE("rules that differ only in what is ignored are still two", "[bus]") {
  MatchSet set;
  REQUIRE(set.add(*parse_match("member='InstanceChanged',arg0='a'")));
  CHECK_FALSE(set.remove(*parse_match("member='InstanceChanged',arg0='b'")));
  CHECK(set.remove(*parse_match("arg0='a',member=InstanceChanged")));
  CHECK(set.empty());
}

TEST_CASE("a connection has so many rules and no more", "[bus]") {
  MatchSet set;
  for (std::size_t i = 0; i < max_rules; ++i)
    REQUIRE(set.add(*parse_match("arg0='" + std::to_string(i) + "'")));
  const auto refused = set.add({});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == std::errc::no_buffer_space);
}
