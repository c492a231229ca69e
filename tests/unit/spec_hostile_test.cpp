// SPDX-License-Identifier: Apache-2.0
// Text that wants to cost more than it should. Each must be refused with a clear sentence, at once, in
// bounded memory.
#include <sys/resource.h>

#include <ctime>

#include "unit/spec_support.h"

using namespace svd;
using namespace svd::spec_test;

namespace {

std::string repeat(std::string_view part, std::size_t times) {
  std::string out;
  out.reserve(part.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += part;
  return out;
}

std::string first(const std::string& text) {
  const auto found = complaints(text);
  return found.empty() ? "" : found[0].text;
}

// CPU time: other work on the machine does not count.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_of(const std::string& text) {
  const auto start = cpu_seconds();
  static_cast<void>(complaints(text));
  return cpu_seconds() - start;
}

#if defined(__SANITIZE_ADDRESS__)
constexpr double slower = 20;  // sanitizers
#else
constexpr double slower = 3;  // a build without optimisation
#endif

}  // namespace

TEST_CASE("a huge scalar is refused by its size, without a look at it", "[spec][hostile]") {
  auto from = source("apps: { a: { exec: [\"" + std::string(256U << 20, 'x') + "\"] } }");
  const auto start = cpu_seconds();
  const auto decoded = spec::decode(from, {});
  CHECK(cpu_seconds() - start < 0.01 * slower);
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error() == Diagnostics{{0, 0, "", "the file has 268435483 bytes, at most 8MiB are read"}});
}

TEST_CASE("aliases of aliases cost no more than what they would expand to, up to a bound",
          "[spec][hostile]") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + repeat(", " + before, 9) +
            "]\n";
  }
  CHECK(first(bomb) == "more than 400000 values, aliases counted in full");
  CHECK(first("a: &a [x]\nb: [" + repeat("*a, ", 10'001) + "]\n") == "more than 10000 aliases");
  std::string merges = "m0: &m0 { k: [" + repeat("x, ", 1000) + "] }\n";
  for (int i = 1; i < 12; ++i)
    merges += "m" + std::to_string(i) + ": &m" + std::to_string(i) + " { <<: *m" + std::to_string(i - 1) +
              ", a: *m" + std::to_string(i - 1) + ", b: *m" + std::to_string(i - 1) + " }\n";
  CHECK(first(merges) == "more than 400000 values, aliases counted in full");
}

TEST_CASE("defaults that are merged into every app are counted each time", "[spec][hostile]") {
  std::string text = "defaults: { env: {";
  for (int i = 0; i < 5000; ++i) text += " V" + std::to_string(i) + ": x,";
  text += " } }\napps:\n";
  for (int i = 0; i < 1000; ++i) text += "  a" + std::to_string(i) + ": { exec: [x] }\n";
  CHECK(first(text) == "more than 400000 values in all apps, defaults and profile merged");
}

TEST_CASE("one env file in many apps is counted each time", "[spec][hostile]") {
  std::string text = "defaults: { env_file: [big.env] }\napps:\n";
  for (int i = 0; i < 1000; ++i) text += "  a" + std::to_string(i) + ": { exec: [x] }\n";
  auto from = source(text);
  const spec::Inputs big{
      [](const std::string&) -> Result<std::string> { return "A=" + std::string(1U << 19, 'x'); }, {}};
  const auto decoded = spec::decode(from, big);
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error()[0].text == "env files amount to more than 64MiB over all apps");
}

TEST_CASE("an env file that is too large is refused without being read on", "[spec][hostile]") {
  auto from = source("apps: { a: { exec: [x], env_file: [big.env] } }\n");
  const spec::Inputs big{
      [](const std::string&) -> Result<std::string> { return std::string(spec::max_env_file + 1, 'x'); }, {}};
  const auto decoded = spec::decode(from, big);
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error()[0].text == "/srv/app/big.env:1: the file is larger than 1MiB");
  CHECK(from.env_files.empty());
}

TEST_CASE("nesting is refused before anything recurses into it", "[spec][hostile]") {
  constexpr std::size_t deep = 100'000;
  CHECK(first(repeat("[", deep)) == "too many open brackets on one line");
  CHECK(first(repeat("{a: ", deep)) == "too many open brackets on one line");
  CHECK(first(repeat("[\n", deep)) == "nested deeper than 32 levels");
  CHECK(first(repeat("{ a:\n", deep)) == "nested deeper than 32 levels");
  CHECK(first(repeat("- ", deep)) == "nested deeper than 32 levels");
  CHECK(first(repeat("? ", deep)) == "nested deeper than 32 levels");
  std::string indented;
  for (std::size_t i = 0; i < 2500; ++i) indented += std::string(i, ' ') + "a:\n";
  CHECK(first(indented) == "nested deeper than 32 levels");
  std::string ladder = "a0: &a0 [x]\n";
  for (int i = 1; i < 40; ++i)
    ladder += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  CHECK(first(ladder) == "nested deeper than 32 levels");
}

TEST_CASE("a value cannot contain itself", "[spec][hostile]") {
  CHECK(first("apps: &a [*a]\n") == "this alias refers to the value that it is a part of");
  CHECK(first("apps: &a { b: { c: *a } }\n") == "this alias refers to the value that it is a part of");
  CHECK(first("apps: &a { <<: *a }\n") == "this alias refers to the value that it is a part of");
  CHECK(first("apps: &a { exec: [&a x, *a] }\n").find("cannot") ==
        std::string::npos);  // another anchor of that name
}

TEST_CASE("what is no YAML text is named for what it is", "[spec][hostile]") {
  using namespace std::string_literals;
  CHECK(first("apps: {}\0"s) == "a NUL byte: this is not a text file");
  CHECK(first("a\x04: b") == "control character \\x04: write it as an escape in double quotes");
  CHECK(first("a: \xc0\x80") == "not UTF-8");
  CHECK(first("\xff\xfe"
              "a\0:\0"s) == "not UTF-8");
  CHECK(first("%TAG ! tag:x,2000:\n---\napps: {}") ==
        "a line that starts with '%' would be a YAML directive: they have no meaning here");
  CHECK(first(repeat("%TAG !a! tag:x\n", 100'000)).starts_with("a line that starts with '%'"));
}

TEST_CASE("no shape of text takes long", "[spec][hostile]") {
  constexpr std::size_t size = 256U << 10;  // more takes longer in proportion: nothing is quadratic
  const auto [name, part, head, tail] = GENERATE(
      table<std::string, std::string, std::string, std::string>({{"one flow list", "a,", "[", "]"},
                                                                 {"quoted flow list", "\"a\",", "[", "]"},
                                                                 {"commas", ",", "[", ""},
                                                                 {"pairs", "a: b, ", "[", "]"},
                                                                 {"unclosed quote", "a\n", "\"", ""},
                                                                 {"plain", "x ", "a: ", ""},
                                                                 {"plain lines", " x\n", "a: x\n", ""},
                                                                 {"block", " x\n", "a: |\n", ""},
                                                                 {"folded", " x\n\n", "a: >\n", ""},
                                                                 {"comments", "# x\n", "", ""},
                                                                 {"line feeds", "\n", "", ""},
                                                                 {"blanks", " ", "", ""},
                                                                 {"tabs", "\t", "", ""},
                                                                 {"documents", "---\n", "", ""},
                                                                 {"ends", "...\n", "", ""},
                                                                 {"percent", "%", " ", ""},
                                                                 {"ampersands", "&", "", ""},
                                                                 {"stars", "*", "", ""},
                                                                 {"bangs", "!", "", ""},
                                                                 {"tags", "! ", "[", ""},
                                                                 {"quotes", "'", "", ""},
                                                                 {"colons", "a:", "", ""},
                                                                 {"keys", "\"a\":", "{", ""},
                                                                 {"escapes", "\\x41", "a: \"", "\""},
                                                                 {"questions", "? a\n", "", ""},
                                                                 {"same key", "a: b\n", "", ""},
                                                                 {"dashes", "- a\n", "", ""},
                                                                 {"crlf", "- a\r\n", "", ""},
                                                                 {"brackets", "[],", "[", "]"},
                                                                 {"backslash", "\\", "a: \"", ""}}));
  const auto text = head + repeat(part, size / part.size()) + tail;
  CAPTURE(name);
  CHECK(seconds_of(text) < 0.2 * slower);
}

TEST_CASE("a hundred complaints are shown, the others counted", "[spec][hostile]") {
  std::string text = "apps:\n";
  for (int i = 0; i < 300; ++i) text += "  a" + std::to_string(i) + ": { exec: [x], nope: 1 }\n";
  auto found = complaints(text);
  REQUIRE(found.size() == spec::max_diagnostics + 1);
  CHECK(found[99].line == 101);
  CHECK(found.back() == Diagnostic{0, 0, "", "and 200 more"});
  found = complaints("apps: { a: { exec: [x], env: {" + repeat("k: [1], ", 3000) + "} } }\n");
  CHECK(found.back().text == "and at least 900 more");
  std::string keys = "apps: { a: {";
  for (int i = 0; i < 20'000; ++i) keys += " unknown_key_" + std::to_string(i) + ": 1,\n";
  CHECK(seconds_of(keys + "} }\n") < 1.0 * slower);
}

TEST_CASE("10,000 apps are decoded in less than a second", "[spec][speed]") {
  std::string text = "version: 1\ndefaults: { env: { TZ: UTC } }\napps:\n";
  for (int i = 0; i < 10'000; ++i) {
    text += "  app" + std::to_string(i) +
            ":\n    exec: [node, server.js, --port, \"80\"]\n    cwd: /srv/shop\n    instances: 1\n";
    text +=
        "    env: { NODE_ENV: production, A: b }\n    restart:\n      policy: always\n      delay: 100ms\n   "
        "   max_delay: 30s\n";
    text += "    stop: { signal: SIGTERM, timeout: 10s }\n    logs: { to: file }\n";
  }
  auto from = source(text);
  const auto start = cpu_seconds();
  const auto decoded = spec::decode(from, {});
  CHECK(cpu_seconds() - start < 1.0 * slower);
  REQUIRE(decoded);
  CHECK(decoded->apps.size() == 10'000);
}

TEST_CASE("the text with the most tokens on a line takes bounded memory", "[spec][hostile]") {
  // Only growth counts: the cases above have used memory too.
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  const auto before = peak();
  CHECK(first("[" + repeat("\"\",", 4U << 18)) == "too much on one line: break it into several");
  CHECK_FALSE(first("[" + repeat("a,", 390'000)).empty());
  CHECK(peak() - before < 200'000);  // KiB
}
