// SPDX-License-Identifier: Apache-2.0
#include "unit/spec_support.h"

using namespace svd;
using namespace svd::spec_test;

namespace {

std::string rendered(const std::string& text, Diagnostic diagnostic) {
  auto from = source(text);
  from.file = "/srv/eco.yaml";
  return spec::render({std::move(diagnostic)}, from);
}

}  // namespace

TEST_CASE("a diagnostic is a sentence, the line and a caret", "[spec]") {
  CHECK(rendered("a\nb: c\n", {2, 4, "b", "wrong"}) ==
        "/srv/eco.yaml:2:4: b: wrong\n    2 | b: c\n      |    ^\n");
  CHECK(rendered("a\n", {0, 0, "", "wrong"}) == "/srv/eco.yaml: wrong\n");
}

TEST_CASE("the caret stands under its character, whatever is before it", "[spec]") {
  CHECK(rendered("äöü: x", {1, 6, "", "w"}).ends_with("    1 | äöü: x\n      |      ^\n"));
  CHECK(rendered("日本: x", {1, 5, "", "w"})
            .ends_with("    1 | 日本: x\n      |       ^\n"));  // two columns each
  CHECK(rendered("a\tb: x", {1, 3, "", "w"}).ends_with("    1 | a b: x\n      |   ^\n"));
  CHECK(rendered("e\u0301: x", {1, 5, "", "w"}).ends_with("    1 | e\u0301: x\n      |    ^\n"));
  CHECK(rendered("\xef\xbb\xbf"
                 "ab\r\n",
                 {1, 2, "", "w"})
            .ends_with("    1 | ab\n      |  ^\n"));
}

TEST_CASE("a long line is cut around the caret", "[spec]") {
  const std::string line(100'000, 'x');
  const auto middle = rendered(line, {1, 50'000, "", "w"});
  CHECK(
      middle.ends_with("    1 | …" + std::string(100, 'x') + "…\n      |  " + std::string(60, ' ') + "^\n"));
  CHECK(rendered(line, {1, 100'001, "", "w"}).size() < 300);
}

TEST_CASE("nothing of the file can steer the terminal", "[spec]") {
  const auto text = rendered("a\x1b[31m\x07 \xff\xfe\xc2\x9b", {1, 1, "", "w"});
  CHECK(text.find_first_of("\x1b\x07") == std::string::npos);
  CHECK(text.find("\xff") == std::string::npos);
  CHECK(text.find("\xc2\x9b") == std::string::npos);
}

TEST_CASE("a place beyond the text is no trouble", "[spec]") {
  CHECK(rendered("a\n", {9, 9, "", "w"}) == "/srv/eco.yaml:9:9: w\n    9 | \n      | ^\n");
}
