// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "engine/requests/pattern.h"
#include "support/catch.h"
#include "support/fake_ports.h"

using namespace svd;
using namespace svd::test;

namespace {

std::vector<std::string> chosen(Bench& bench, const Names& names) {
  std::vector<std::string> out;
  const auto views = bench.engine->instances(names);
  if (!views) return {views.error().text};
  for (const auto& view : *views) out.push_back(view.id.str());
  return out;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("names mean what a person means by them", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2\nredis"));
  REQUIRE(bench.apply("blog\nweb"));
  CHECK(chosen(bench, {"redis"}) == Words{"shop:redis/0"});
  CHECK(chosen(bench, {"shop:web/1"}) == Words{"shop:web/1"});
  CHECK(chosen(bench, {"web"}) == Words{"blog:web/0", "shop:web/0", "shop:web/1"});
  CHECK(chosen(bench, {"shop:"}) == Words{"shop:redis/0", "shop:web/0", "shop:web/1"});
  CHECK(chosen(bench, {"/^shop:.*s$/"}) == Words{"shop:redis/0"});
  CHECK(chosen(bench, {"shop:web/1", "shop:web", "shop:web/0"}) == Words{"shop:web/0", "shop:web/1"});
  CHECK(chosen(bench, {"all"}).size() == 4);
  CHECK(chosen(bench, {}).size() == 4);
}

TEST_CASE("a name that is not known suggests the nearest", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=2\nredis"));
  CHECK(chosen(bench, {"rediss"}) == Words{"cannot find 'rediss': no such app, did you mean 'redis'?"});
  CHECK(chosen(bench, {"web/2"}) == Words{"cannot find shop:web/2: it has 2 instances, counted from 0"});
  CHECK(chosen(bench, {"shop:wbe/0"}) ==
        Words{"cannot find 'shop:wbe/0': no such app, did you mean 'shop:web'?"});
  for (const auto* odd : {"", "/", ":", "web/", "web/x", "web/-1", "web/4294967296", "shop:web:x", "a\nb"}) {
    const auto found = bench.engine->instances({odd});
    CAPTURE(odd);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == std::errc::no_such_process);
  }
  CHECK(bench.engine->stop({}, bench.root).error().code == std::errc::invalid_argument);
}

TEST_CASE("a name that means several apps is an error for what changes something", "[engine]") {
  Bench bench;
  REQUIRE(bench.apply("shop\nweb"));
  REQUIRE(bench.apply("blog\nweb"));
  CHECK(bench.engine->stop({"web"}, bench.root).error().text ==
        "cannot tell which 'web' is meant: blog:web, shop:web");
  CHECK(bench.engine->scale("shop:", 2, bench.root).value().change != ChangeId{});
  CHECK(bench.engine->scale("shop:web/0", 2, bench.root).error().text ==
        "cannot scale 'shop:web/0': want the name of one app");
  REQUIRE(bench.engine->stop({"all"}, bench.root));
  bench.settle();
  CHECK(bench.world.living().empty());
}

TEST_CASE("a pattern matches as a regular expression does", "[engine]") {
  const auto [pattern, text, want] =
      GENERATE(table<std::string, std::string, bool>({{"we+b", "shop:weeeb", true},
                                                      {"we+b", "shop:wb", false},
                                                      {"^shop", "shop:web", true},
                                                      {"^web", "shop:web", false},
                                                      {"web$", "shop:web", true},
                                                      {"shop$", "shop:web", false},
                                                      {"w.b", "web", true},
                                                      {"^(web|api)$", "api", true},
                                                      {"^(web|api)$", "apis", false},
                                                      {"[a-c]x", "bx", true},
                                                      {"[^a-c]x", "bx", false},
                                                      {"[]x]y", "]y", true},
                                                      {"a\\.b", "a.b", true},
                                                      {"a\\.b", "axb", false},
                                                      {"", "anything", true},
                                                      {"^$", "", true},
                                                      {"^$", "x", false},
                                                      {"(a*)*b", "aab", true},
                                                      {"a?b?c", "c", true},
                                                      {"^(a|b)*c$", "ababc", true},
                                                      {"^(a|b)*c$", "abadc", false},
                                                      {"x|", "y", true},
                                                      {"^a+?$", "aa", true},
                                                      {"[a-]", "-", true}}));
  CAPTURE(pattern, text);
  const auto parsed = Pattern::parse(pattern);
  REQUIRE(parsed);
  CHECK(parsed->search(text) == want);
}

TEST_CASE("a broken pattern is an error, and a hostile one costs nothing", "[engine]") {
  for (const auto* bad : {"(", ")", "a)", "(a", "[", "[a", "*", "+a", "a|*", "\\", "(*)"}) {
    CAPTURE(bad);
    CHECK_FALSE(Pattern::parse(bad));
  }
  CHECK_FALSE(Pattern::parse(std::string(Pattern::max_length + 1, 'a')));
  CHECK(Pattern::parse(std::string(120, '(') + "a" + std::string(120, ')')));
  const auto hostile = Pattern::parse("^((a*)*)*((a|aa)+)*(a?a?a?a?a?a?a?a?)*b$");
  REQUIRE(hostile);
  CHECK_FALSE(hostile->search(std::string(127, 'a')));  // a backtracking matcher would not come back
}
