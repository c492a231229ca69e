// SPDX-License-Identifier: Apache-2.0
#include "daemon/cpus.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/places.h"
#include "support/catch.h"

using namespace svd;

namespace {

Result<Options> parse(std::vector<const char*> arguments) { return parse_options(arguments); }
constexpr TimePoint at(std::int64_t milliseconds) { return TimePoint{Millis{milliseconds}}; }

}  // namespace

TEST_CASE("the engine takes what the keeper passes on", "[daemon]") {
  CHECK(parse({})->daemonize == false);
  CHECK(parse({"--daemonize"})->daemonize);
  CHECK_FALSE(parse({"--foreground", "--ready-fd", "7", "--ready-fd=8"})->daemonize);
  CHECK(parse({"--help"})->help);
  CHECK(parse({"--version"})->version);
}

TEST_CASE("an argument that is none is named", "[daemon]") {
  const auto arguments =
      GENERATE(std::vector<const char*>{"--deamonize"}, std::vector<const char*>{"--ready-fd"},
               std::vector<const char*>{"--ready-fd", "x"}, std::vector<const char*>{"--ready-fd=-1"},
               std::vector<const char*>{"--ready-fd=7x"}, std::vector<const char*>{"eco.yaml", "two"},
               std::vector<const char*>{"--profile"});
  const auto parsed = parse(arguments);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == std::errc::invalid_argument);
  const std::string last = arguments.back();
  CHECK_THAT(parsed.error().text, ContainsSubstring(last.substr(last.find('=') + 1)));
}

TEST_CASE("a daemon may be for one file", "[daemon]") {
  const auto options = parse({"--foreground", "--profile", "production", "eco.yaml"});
  CHECK(options->file == "eco.yaml");
  CHECK(options->profile == "production");
  CHECK(parse({"--profile=production", "eco.yaml"})->profile == "production");
  for (const auto& words : {std::vector<const char*>{"--profile=x"}, {"-"}, {"--daemonize", "eco.yaml"}}) {
    const auto parsed = parse(words);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == std::errc::invalid_argument);
  }
}

TEST_CASE("without a place to write to there are two that containers have, one a user and container",
          "[daemon]") {
  const auto places = fallback_directories(12345, 4026532178);
  REQUIRE(places.size() == 2);
  CHECK(places[0].runtime == "/dev/shm/svd-12345-4026532178");
  CHECK(places[1].address() == "unix:path=/tmp/svd-12345-4026532178/bus");
}

TEST_CASE("a home directory that is the root is no reason for a double slash", "[daemon]") {
  const auto home = [](const std::string& name) {
    return name == "HOME" ? std::optional<std::string>{"/"} : std::nullopt;
  };
  CHECK(find_directories(home, 1000, [](const std::string&) { return false; })->state == "/.local/state/svd");
}

TEST_CASE("a quota counts as the CPUs that it pays for", "[daemon]") {
  const auto [text, want] = GENERATE(table<std::string, std::optional<std::uint32_t>>({
      {"max 100000\n", std::nullopt},
      {"100000 100000\n", 1},
      {"150000 100000\n", 2},
      {"400000 100000\n", 4},
      {"1000 100000\n", 1},
      {"100000 0\n", std::nullopt},
      {"100000\n", std::nullopt},
      {"", std::nullopt},
      {"18446744073709551615 1", 1U << 20U},
  }));
  CAPTURE(text);
  CHECK(quota_of(text) == want);
}

TEST_CASE("the cgroup v2 hierarchy is found wherever it is mounted", "[daemon]") {
  const std::string mounts =
      "22 1 0:20 / /proc rw - proc proc rw\n30 22 0:26 / /sys/fs/cgroup/cpu rw,nosuid - cgroup cgroup "
      "rw,cpu\n"
      "31 22 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
  CHECK(cgroup2_mount(mounts) == "/sys/fs/cgroup/unified");
  CHECK(cgroup2_mount("22 1 0:20 / /proc rw - proc proc rw\n").empty());
  CHECK(cgroup2_path("3:cpu:/a\n0::/system.slice/svd.service\n") == "/system.slice/svd.service");
  CHECK(cgroup2_path("0::/\n") == "/");
  CHECK(cgroup2_path("3:cpu:/a\n").empty());
  CHECK(usable_cpus() >= 1);
}

TEST_CASE("the lock file's text comes back, and anything else is nobody", "[daemon]") {
  const LockOwner owner{4711, {1'700'000'000'000'000}, 12};
  CHECK(parse_lock_owner(to_text(owner)) == owner);
  for (const char* text : {"", "x", "12", "12 13", "0 1 1\n", "-3 1 1\n"})
    CHECK_FALSE(parse_lock_owner(text));
}

TEST_CASE("a budget lets a burst through, then a rate, and counts the rest", "[daemon]") {
  LineBudget budget{3, 10};
  CHECK(budget.take(at(1000)));
  CHECK(budget.take(at(1000)));
  CHECK(budget.take(at(1000)));
  CHECK_FALSE(budget.take(at(1000)));
  CHECK_FALSE(budget.take(at(1099)));
  CHECK(budget.suppressing());
  CHECK(budget.take(at(1101)));
  CHECK(budget.take_suppressed() == 2);
  CHECK_FALSE(budget.suppressing());
  CHECK_FALSE(budget.take(at(1101)));
  for (int i = 0; i < 3; ++i) CHECK(budget.take(at(60'000)));  // no more than the burst is ever saved up
  CHECK_FALSE(budget.take(at(60'000)));
}
