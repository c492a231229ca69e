// SPDX-License-Identifier: Apache-2.0
// The whole supervisor in a simulated world. A failure prints its seed: SVD_SIM_SEED=n replays that history
// alone.
#include <array>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <random>
#include <sstream>

#include "support/catch.h"
#include "support/history.h"

using namespace svd;
using namespace svd::test;

namespace {

std::optional<std::uint64_t> number_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

// A new one each time, unless one is given: the more histories, the better.
std::uint64_t some_seed() {
  if (Catch::rngSeed() != 0) return Catch::rngSeed();
  return std::random_device{}();
}

int steps_of(std::uint64_t seed) { return 40 + static_cast<int>(seed % 8) * 30; }

// Each showed a bug of the engine, once.
constexpr std::array<std::uint64_t, 23> telling{
    367,         1'003'981,     77'008'366,    1'002'331,     2'001'124,    7'002'204,
    7'003'062,   41'006'078,    42'001'206,    77'000'907,    77'002'427,   77'003'756,
    77'008'023,  123'003'189,   300'001'495,   300'002'068,   500'000'134,  900'000'318,
    900'003'364, 2'454'392'149, 2'455'795'076, 5'500'000'948, 5'500'009'334};

// The same ones in every run: a failure is of the change at hand. Their traces are kept in `pinned`, a line a
// seed.
constexpr std::uint64_t usual_first = 100'000, usual_count = 1000;
constexpr const char* pinned = "golden/engine_calls.txt";

void replay(std::uint64_t seed) {
  History history{seed};
  history.verbose = true;
  for (const auto& violation : history.run(steps_of(seed))) FAIL_CHECK(violation);
}

// "100000 0123456789abcdef 0123456789abcdef": hashes of what the engines of a history did, and of what they
// told.
std::string run_usual(std::uint64_t seed) {
  History history{seed};
  const auto violations = history.run(steps_of(seed));
  if (!violations.empty()) FAIL("SVD_SIM_SEED=" << seed << ": " << violations.front());
  std::ostringstream line;
  line << seed << std::hex << std::setfill('0') << ' ' << std::setw(16) << history.calls().effects() << ' '
       << std::setw(16) << history.calls().news();
  return line.str();
}

}  // namespace

TEST_CASE("the usual histories keep their promises, and make the very calls that are pinned",
          "[simulation]") {
  if (number_from("SVD_SIM_SEED") || number_from("SVD_SIM_FIRST")) return;
  if (std::getenv("SVD_SIM_PIN") != nullptr) {  // on purpose: the engine is to act otherwise from now on
    std::ofstream out{pinned};
    for (auto seed = usual_first; seed < usual_first + usual_count; ++seed) out << run_usual(seed) << '\n';
    return;
  }
  std::ifstream in{pinned};
  std::string want, first;
  std::uint64_t others = 0;
  for (auto seed = usual_first; seed < usual_first + usual_count; ++seed) {
    std::getline(in, want);
    const auto have = run_usual(seed);
    if (have != want && ++others == 1) first = have + ", pinned: " + want;
  }
  if (others > 0)
    FAIL_CHECK(others << " histories call otherwise, the first is " << first
                      << "; SVD_SIM_PIN=1 pins what is");
  SUCCEED();
}

TEST_CASE("whatever happens, the supervisor keeps its promises", "[simulation]") {
  if (const auto seed = number_from("SVD_SIM_SEED")) return replay(*seed);
  const auto histories = number_from("SVD_SIM_HISTORIES").value_or(usual_count / 2);
  const auto first = number_from("SVD_SIM_FIRST").value_or(some_seed());
  for (std::uint64_t seed = first; seed < first + histories; ++seed) {
    const auto violations = History{seed}.run(steps_of(seed));
    if (violations.empty()) continue;
    FAIL_CHECK("SVD_SIM_SEED=" << seed << ": " << violations.front());
    return;
  }
  SUCCEED(histories << " histories from seed " << first);
}

// Whatever lies where in memory: equal deadlines once came in the order of addresses.
TEST_CASE("a seed makes one history, however often it is run", "[simulation]") {
  std::vector<std::unique_ptr<char[]>> holes;
  for (auto seed = usual_first; seed < usual_first + 60; ++seed) {
    const auto once = run_usual(seed);
    for (std::size_t size = 16; size < 1024; size += 16) {
      auto kept = std::make_unique<char[]>(size), gap = std::make_unique<char[]>(size + seed % 7 * 16);
      holes.push_back(std::move(kept));
    }
    CHECK(run_usual(seed) == once);
  }
}

TEST_CASE("what a history showed once stays mended", "[simulation]") {
  for (const auto seed : telling)
    for (const auto& violation : History{seed}.run(steps_of(seed)))
      FAIL_CHECK("SVD_SIM_SEED=" << seed << ": " << violation);
  SUCCEED();
}

TEST_CASE("the engine dies fifty times under churn: each end is restarted exactly once, and told right",
          "[simulation]") {
  const auto seed = number_from("SVD_SIM_SEED").value_or(some_seed());
  CAPTURE(seed);
  std::mt19937_64 random{seed};
  const auto below = [&](std::uint64_t bound) { return static_cast<std::uint32_t>(random() % bound); };
  constexpr std::uint32_t instances = 20;
  Bench bench;
  REQUIRE(bench.apply("shop\nweb instances=20 delay=0 max=1000000000"));
  bench.pass(Millis{200});
  std::map<std::uint32_t, std::pair<std::uint64_t, int>> ended;  // slot → how often, and the last exit code
  std::uint32_t fuse = 0;
  bench.world.on_call = [&] {
    if (fuse > 0 && --fuse == 0) throw EngineKilled{};
  };
  for (int deaths = 0; deaths < 50; ++deaths) {
    try {
      for (std::uint32_t i = below(6); i > 0; --i) {
        const auto slot = below(instances);
        auto* child = bench.world.living_in({{*Name::parse("shop"), *Name::parse("web")}, slot});
        if (child == nullptr) continue;
        const int code = 1 + static_cast<int>(below(200));
        ++ended[slot].first;
        ended[slot].second = code;
        bench.world.end(child->plan.id, code);
        if (below(2) == 0) bench.settle();
      }
      fuse = below(2) == 0 ? 1 + below(8) : 0;
      bench.pass(Millis{below(150)});
    } catch (const EngineKilled&) {
    }
    fuse = 0;
    bench.restart_engine();
    CHECK(bench.problems.empty());
  }
  bench.pass(Millis{1000});
  CHECK(bench.world.violations.empty());
  std::size_t total = 0;
  for (std::uint32_t slot = 0; slot < instances; ++slot) {
    const auto view = bench.instance("web", slot);
    CAPTURE(slot);
    CHECK(view.phase == Phase::ready);
    CHECK(view.restarts == ended[slot].first);
    if (ended[slot].first > 0)
      CHECK(view.last_exit == ExitStatus{ExitStatus::Kind::code, ended[slot].second, false});
    total += ended[slot].first;
  }
  CHECK(bench.world.spawns == instances + total);  // and nothing else was ever started
}
