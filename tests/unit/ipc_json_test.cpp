// SPDX-License-Identifier: Apache-2.0
#include "ipc/json.h"
#include "support/catch.h"

using namespace svd::ipc;

namespace {

JsonView parsed(std::string_view text) {
  const auto view = JsonView::parse(text);
  REQUIRE(view);
  return *view;
}

}  // namespace

TEST_CASE("every kind of JSON value is one", "[ipc]") {
  const auto text =
      GENERATE(as<std::string>{}, "null", "true", "false", "0", "-0", "-1", "12", "1.5", "0.25", "1e3",
               "1E+2", "-1.25e-7", "\"\"", R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud800")", "[]", "[ ]",
               "[1,2]", "[[],[[]]]", "{}", "{ }", R"({"a":1,"b":{"c":[{}]}})",
               " \t\r\n[ 1 , { \"a\" : null } ] \n", "\"\xc3\xa9\"", R"({"":0})");
  CAPTURE(text);
  CHECK(JsonView::parse(text));
}

TEST_CASE("what is not exactly one JSON value is none", "[ipc]") {
  const auto text =
      GENERATE(as<std::string>{}, "", " ", "nul", "nulll", "True", "01", "1.", ".5", "+1", "1e", "1e+", "--1",
               "0x1", "NaN", "\"", "\"\\\"", R"("\x")", R"("\u12")", R"("\u12g4")", "\"a\nb\"", "[", "]",
               "[1", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}",
               "{'a':1}", "{\"a\":1 \"b\":2}", "[}", "{]", "1 2", "[] x", "// no", "\"\xff\"", "\"\xc3\"",
               "[\"\xed\xa0\x80\"]", "\xef\xbb\xbfnull");
  CAPTURE(text);
  CHECK_FALSE(JsonView::parse(text));
}

TEST_CASE("a NUL ends nothing: it is no JSON", "[ipc]") {
  using namespace std::string_view_literals;
  CHECK_FALSE(JsonView::parse("\"a\0b\""sv));
  CHECK_FALSE(JsonView::parse("null\0"sv));
  CHECK_FALSE(JsonView::parse("[1,\0]"sv));
}

TEST_CASE("nesting is bounded, and costs no stack", "[ipc]") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(JsonView::parse(nested(JsonView::max_depth)));
  CHECK_FALSE(JsonView::parse(nested(JsonView::max_depth + 1)));
  CHECK_FALSE(JsonView::parse(std::string(4U << 20U, '[')));
}

TEST_CASE("a member is found by its name, the last one counts, its text is untouched", "[ipc]") {
  const auto object = parsed(R"( {"a": 1.50 , "b":{"a":"}],{"},"\u0063":[ 1,"x" ],"a":-0, "d\"": true} )");
  CHECK(object.text().front() == '{');
  CHECK(object.text().back() == '}');
  CHECK(object.member("a")->text() == "-0");
  CHECK(object.member("b")->text() == R"({"a":"}],{"})");
  CHECK(object.member("b")->string("a") == "}],{");
  CHECK(object.member("c")->text() == R"([ 1,"x" ])");
  CHECK(object.boolean("d\"") == true);
  CHECK_FALSE(object.member("e"));
  CHECK_FALSE(parsed("[1]").member("a"));
  CHECK_FALSE(parsed("\"a\"").member("a"));
}

TEST_CASE("elements are found in order", "[ipc]") {
  const auto elements = parsed(R"([1, "a,]" , {"b":[2]},[],null ])").elements();
  REQUIRE(elements.size() == 5);
  CHECK(elements[0].text() == "1");
  CHECK(elements[1].string() == "a,]");
  CHECK(elements[2].text() == R"({"b":[2]})");
  CHECK(elements[3].elements().empty());
  CHECK(elements[4].kind() == JsonView::Kind::null);
  CHECK(parsed("{}").elements().empty());
}

TEST_CASE("strings are unescaped, half a surrogate pair is replaced", "[ipc]") {
  CHECK(parsed(R"("a\"\\\/\b\f\n\r\tz")").string() == "a\"\\/\b\f\n\r\tz");
  CHECK(parsed(R"("\u0041\u00e9\u20ac\ud83d\ude00")").string() == "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(parsed(R"("\ud83dx\ude00\ud83d\u0041")").string() ==
        "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd"
        "A");
  CHECK(parsed(R"("\u0000")").string() == std::string(1, '\0'));
  CHECK_FALSE(parsed("1").string());
}

TEST_CASE("an integer is a number without a fraction that a double holds exactly", "[ipc]") {
  const auto [text, want] = GENERATE(table<std::string, std::optional<std::int64_t>>({
      {"0", 0},
      {"-7", -7},
      {"1.0", 1},
      {"1e3", 1000},
      {"9007199254740992", 9007199254740992},
      {"1.5", std::nullopt},
      {"9007199254740993", std::nullopt},
      {"1e300", std::nullopt},
      {"99999999999999999999", std::nullopt},
      {"\"1\"", std::nullopt},
  }));
  CAPTURE(text);
  CHECK(parsed(text).integer() == want);
}

TEST_CASE("a quoted text reads back as it was", "[ipc]") {
  const std::string text{"a\"b\\c\n\x01\x1f/\xc3\xa9\0z", 13};
  const auto quoted = quote(text);
  CHECK(quoted.find('\n') == quoted.npos);
  CHECK(parsed(quoted).string() == text);
  CHECK(parsed(quote("a\xff"
                     "b"))
            .string() ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(quote("") == "\"\"");
}
