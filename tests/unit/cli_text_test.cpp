// SPDX-License-Identifier: Apache-2.0
// The small tools: JSON, widths, and the way back from the model's texts.
#include <csignal>

#include "base/text.h"
#include "cli/json.h"
#include "cli/style.h"
#include "unit/cli_support.h"

using namespace svd;
using namespace svd::cli_test;

TEST_CASE("JSON text is valid whatever bytes it is made of", "[cli]") {
  JsonWriter json;
  json.begin_object()
      .member("a\"b", "\\ \n \x01 \x7f é")
      .member("bad", std::string_view{"x\xff\xfe"
                                      "y"});
  json.member("never", WallTime{})
      .member("list", std::vector<std::string>{"1", "2"})
      .member("yes", true)
      .end_object();
  CHECK(json.take() ==
        "{\"a\\\"b\":\"\\\\ \\n \\u0001 \\u007f é\",\"bad\":\"x\xEF\xBF\xBD\xEF\xBF\xBDy\",\"never\":null,"
        "\"list\":[\"1\",\"2\"],\"yes\":true}");
  CHECK(json.begin_array().end_array().take() == "[]");
}

TEST_CASE("what deceives a reader is escaped in JSON, in what is JSON already too", "[cli]") {
  const std::string hostile =
      "\xc2\x9b"
      "2J\xe2\x80\xae\xe2\x80\xa8\xf3\xa0\x81\xa1\x7f\x1b";
  const std::string escaped = "\\u009b2J\\u202e\\u2028\\udb40\\udc61\\u007f";
  JsonWriter writer;
  CHECK(writer.value(hostile).take() == "\"" + escaped + "\\u001b\"");
  CHECK(writer.json("{\"a\":\n\"" + hostile + "\"}").take() == "{\"a\": \"" + escaped + " \"}");
}

TEST_CASE("times are RFC 3339 in UTC with microseconds, also before 1970", "[cli]") {
  CHECK(rfc3339(noon) == "2026-01-31T12:00:00.000000Z");
  CHECK(rfc3339({noon.micros + 1}) == "2026-01-31T12:00:00.000001Z");
  CHECK(rfc3339({-1}) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("text is measured and cut in code points, never in the middle of one", "[cli]") {
  CHECK(width_of("a→b") == 3);
  CHECK(cut("a→bc", 0) == "a→bc");
  CHECK(cut("a→bc", 4) == "a→bc");
  CHECK(cut("a→bc", 3) == "a→…");
  CHECK(cut("a→bc", 2) == "a…");
  CHECK(cut("a→bc", 1) == "…");
}

TEST_CASE("what the model writes as text, svctl reads back", "[cli]") {
  for (const auto& status :
       {ExitStatus{}, ExitStatus{ExitStatus::Kind::code, 255, false},
        ExitStatus{ExitStatus::Kind::signal, SIGKILL, false},
        ExitStatus{ExitStatus::Kind::signal, SIGSEGV, true}, ExitStatus{ExitStatus::Kind::signal, 40, false},
        ExitStatus{ExitStatus::Kind::signal, 33, false},
        ExitStatus{ExitStatus::Kind::signal, SIGKILL, false, Oom::limit, 64U << 20},
        ExitStatus{ExitStatus::Kind::signal, SIGKILL, false, Oom::limit, 0},
        ExitStatus{ExitStatus::Kind::signal, SIGKILL, false, Oom::app_limit, 1U << 30},
        ExitStatus{ExitStatus::Kind::signal, SIGKILL, false, Oom::machine, 0},
        ExitStatus{ExitStatus::Kind::unknown, 0, false}})
    CHECK(parse_exit_status(to_text(status)) == status);
  for (const auto name : phase_names) CHECK(to_text(parse_phase(name).value()) == name);
  CHECK_FALSE(parse_phase("asleep"));
  CHECK(parse_slot_id("shop:web/12").value().str() == "shop:web/12");
  for (const auto* wrong :
       {"web/0", "shop:web", "shop:web/", "shop:web/x", "shop:/0", ":web/0", "shop:web/4294967296", ""})
    CHECK_FALSE(parse_slot_id(wrong));
}

TEST_CASE("an age is counted from the past to now, and never negative", "[cli]") {
  CHECK(age({}, noon) == "-");
  CHECK(age(ago(90s), noon) == "90s");
  CHECK(age(ago(50h), noon) == "2d");
  CHECK(age({noon.micros + 5'000'000}, noon) == "0s");
}
