// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"
#include "base/text.h"
#include "base/units.h"
#include "model/names.h"
#include "model/phase.h"
#include "support/catch.h"

using namespace svd;

TEST_CASE("a duration is a number with one unit, and nothing else", "[base]") {
  const auto [text, want] = GENERATE(table<std::string, std::int64_t>({{"250ms", 250},
                                                                       {"10s", 10'000},
                                                                       {"2m", 120'000},
                                                                       {"1h", 3'600'000},
                                                                       {"1.5s", 1500},
                                                                       {"7d", 604'800'000},
                                                                       {"0", 0},
                                                                       {"10", -1},
                                                                       {"", -1},
                                                                       {"s", -1},
                                                                       {"1 s", -1},
                                                                       {"-1s", -1},
                                                                       {"1.5ms", -1},
                                                                       {".5s", -1},
                                                                       {"5.s", -1},
                                                                       {"1e3s", -1},
                                                                       {"99999999d", -1},
                                                                       {"1sec", -1}}));
  CAPTURE(text);
  CHECK(parse_duration(text) == (want < 0 ? std::nullopt : std::optional{Millis{want}}));
}

TEST_CASE("a duration that is formatted parses back to itself", "[base]") {
  const auto count = GENERATE(0, 1, 250, 999, 1000, 1500, 60'000, 61'000, 3'600'000, 86'400'000);
  CHECK(parse_duration(format_duration(Millis{count})) == Millis{count});
}

TEST_CASE("a size has a unit of 1000 or 1024", "[base]") {
  CHECK(parse_bytes("64KiB") == 65536U);
  CHECK(parse_bytes("1GB") == 1'000'000'000U);
  CHECK(parse_bytes("1.5GiB") == 1'610'612'736U);
  CHECK(parse_bytes("0") == 0U);
  for (const auto* bad : {"64", "64K", "64kib", "", "-1MiB", "1.5B", "99999999TiB"})
    CHECK_FALSE(parse_bytes(bad));
  CHECK(format_bytes(512U << 20) == "512MiB");
  CHECK(format_bytes(1000) == "1000B");
  CHECK(format_size(0) == "0B");
  CHECK(format_size(999) == "999B");
  CHECK(format_size(1000) == "0.9KiB");
  CHECK(format_size(9'999'999) == "9.5MiB");
  CHECK(format_size(412U << 20) == "412MiB");
  CHECK(format_size(1000U << 20) == "0.9GiB");
  CHECK(format_size(5000ULL << 40) == "5000TiB");
  CHECK(format_cpu_time(0) == "0.0s");
  CHECK(format_cpu_time(12'399'999) == "12.3s");
  CHECK(format_cpu_time(120'000'000) == "2m");
}

TEST_CASE("words split as a shell splits them", "[base]") {
  using Words = std::vector<std::string>;
  CHECK(split_words("redis-server --port 0") == Words{"redis-server", "--port", "0"});
  CHECK(split_words(R"(a 'b c' "d \"e\" $f" g\ h '')") == Words{"a", "b c", "d \"e\" $f", "g h", ""});
  CHECK_FALSE(split_words("a 'b"));
  CHECK_FALSE(split_words("a\\"));
}

TEST_CASE("a typing mistake finds its key, a stranger finds none", "[base]") {
  const std::vector<std::string> keys{"instances", "restart", "env"};
  CHECK(nearest("instnaces", keys) == "instances");
  CHECK(nearest("evn", keys) == std::nullopt);  // two edits in three letters prove nothing
  CHECK(nearest("completely-else", keys) == std::nullopt);
}

TEST_CASE("broken UTF-8 and control characters are made visible", "[base]") {
  CHECK(printable("a\nb\x1b[0m\xff€") == "a\\nb\\x1b[0m\\xff€");
  CHECK(printable("\xc2\x9b"
                  "2J \xc2\xa0") == "\\xc2\\x9b2J \xc2\xa0");  // C1: "ESC [" to an 8-bit terminal
  CHECK(find_invalid_utf8("a€\xed\xa0\x80") == 4);
  CHECK(find_invalid_utf8("\xc0\x80") == 0);
  CHECK(find_invalid_utf8("plain") == std::string_view::npos);
}

TEST_CASE("what steers a terminal, turns text around or cannot be seen is made visible", "[base]") {
  const auto [text, want] = GENERATE(table<std::string, std::string>({
      {"\x7f", "\\x7f"},           // DEL
      {"\xc2\x85", "\\xc2\\x85"},  // U+0085, next line
      {"\x9b", "\\x9b"},           // CSI as one byte: no UTF-8
      {"a\xe2\x80\xae"
       "b",
       "a\\u202eb"},                                     // right-to-left override
      {"\xe2\x81\xa6x\xe2\x81\xa9", "\\u2066x\\u2069"},  // isolates
      {"\xd8\x9c", "\\u061c"},
      {"\xe2\x80\x8f\xe2\x80\x8e", "\\u200f\\u200e"},
      {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},  // separators of lines and paragraphs
      {"web\xe2\x80\x8b", "web\\u200b"},               // zero width
      {"\xef\xbb\xbf", "\\ufeff"},
      {"\xf3\xa0\x81\xa1", "\\U000e0061"},  // a tag
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // a surrogate
      {"e\xcc\x81 \xe6\xbc\xa2 \xf0\x9f\x98\x80",
       "e\xcc\x81 \xe6\xbc\xa2 \xf0\x9f\x98\x80"},  // text as it is written
  }));
  CAPTURE(want);
  CHECK(printable(text) == want);
}

TEST_CASE("every signal's name parses back to its number", "[base]") {
  for (int i = 1; i <= 31; ++i) CHECK(parse_signal(signal_name(i)) == i);
  CHECK(parse_signal("TERM") == 15);
  CHECK(parse_signal("9") == 9);
  for (const auto* bad : {"", "SIGNOPE", "0", "65", "-1", "9x"}) CHECK_FALSE(parse_signal(bad));
}

TEST_CASE("a name is safe for a path, a cgroup and a log field", "[model]") {
  for (const auto* good : {"web", "a", "web-1.2_x", "9"}) CHECK(Name::parse(good));
  for (const auto* bad : {"", "-web", ".web", "a/b", "a b", "ä", "web:x"}) CHECK_FALSE(Name::parse(bad));
  CHECK(Name::parse(std::string(63, 'a')));
  CHECK_FALSE(Name::parse(std::string(64, 'a')));
}

TEST_CASE("an exit status and a failed start are told in words", "[model]") {
  CHECK(to_text(ExitStatus{ExitStatus::Kind::signal, 9, false}) == "signal SIGKILL");
  CHECK(to_text(ExitStatus{ExitStatus::Kind::code, 3, false}) == "exit code 3");
  const auto killed = [](Oom oom, std::uint64_t limit) {
    return to_text(ExitStatus{ExitStatus::Kind::signal, 9, false, oom, limit});
  };
  CHECK(killed(Oom::limit, 64U << 20) == "killed: out of memory (limit 64MiB)");
  CHECK(killed(Oom::app_limit, 1U << 30) == "killed: out of memory (app limit 1GiB)");
  CHECK(killed(Oom::limit, 0) == "killed: out of memory (limit)");
  CHECK(killed(Oom::machine, 0) == "killed: out of memory (of the machine or container)");
  CHECK(to_text(StartFailure{StartStage::limits, 0, "limits.cpu cannot be enforced here: no"}) ==
        "setting its limits: limits.cpu cannot be enforced here: no");
  CHECK(to_text(StartFailure{StartStage::exec, 2, "/bin/nope"}) ==
        "executing the program '/bin/nope': No such file or directory");
}

TEST_CASE("a start that failed is told in words that fit the step", "[model]") {
  using enum StartStage;
  const auto [stage, err, words] = GENERATE(table<StartStage, int, std::string>({
      {user, ENOENT, "setting the user 'it': no such user"},
      {group, ENOENT, "setting the group 'it': no such group"},
      {groups, ENOENT, "setting supplementary groups 'it': no such group"},
      {user, ENODATA, "setting the user 'it': no user has this number, so a group must be given"},
      {user, EMFILE, "setting the user 'it': Too many open files"},
      {keeper, ENOSPC, "handing it to the keeper 'it': it has as many processes as it can know"},
      {keeper, ECONNRESET, "handing it to the keeper 'it': it died meanwhile"},
      {identity, EPERM,
       "changing to the user 'it': Operation not permitted: it takes root, or CAP_SETUID and CAP_SETGID"},
      {log, ENOENT, "opening the log 'it': No such file or directory"},
      {log, ELOOP, "opening the log 'it': a symbolic link of somebody else is in the way"},
      {log, EMLINK,
       "opening the log 'it': the file has a second name, and others can write to its directory"},
      {directory, ELOOP, "changing to the working directory 'it': Too many levels of symbolic links"},
  }));
  CHECK(to_text(StartFailure{stage, err, "it"}) == words);
}

TEST_CASE("siphash is SipHash-2-4: the reference's vectors", "[base]") {
  // vectors.h of the reference implementation: key 00 … 0f, input 00 … 07.
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  CHECK(siphash(key, 0x0706050403020100) == 0x93f5f5799a932462);
  std::string text;
  CHECK(siphash(key, text) == 0x726fdb47dd0e0e31);
  for (char byte = 0; byte < 15; ++byte) text += byte;
  CHECK(siphash(key, text) == 0xa129ca6149be45e5);
}
