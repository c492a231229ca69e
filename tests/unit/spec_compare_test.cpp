// SPDX-License-Identifier: Apache-2.0
#include "spec/compare.h"
#include "unit/spec_support.h"

using namespace svd;
using namespace svd::spec_test;

namespace {

std::string change(const AppSpec& have, const AppSpec& want) {
  std::string all;
  for (const auto& c : spec::compare(have, want)) {
    constexpr std::array effects{"none", "live", "scale", "replace"};
    all += to_text(c) + " (" + effects[static_cast<std::size_t>(c.effect)] + ")\n";
  }
  return all;
}

}  // namespace

TEST_CASE("each changed field is told with its values and what it does", "[spec]") {
  const auto base = app("env: { NODE_ENV: production }");
  CHECK(change(base, base).empty());
  const auto want =
      app("env: { NODE_ENV: staging, NEW: 1 }, instances: 3, cwd: /x, restart: { delay: 1s, success_exit: "
          "[0, 3] }, nice: 5, limits: { "
          "nofile: 1:2, memory: 64MiB, io_max: { /dev/sda: { rbps: 1MiB, riops: 5 }, 8:0: { wiops: 1 } } }, "
          "umask: 022");
  CHECK(change(base, want) ==
        "cwd changed /srv/app → /x (replace)\n"
        "instances changed 1 → 3 (scale)\n"
        "env.NEW changed (unset) → 1 (replace)\n"
        "env.NODE_ENV changed production → staging (replace)\n"
        "umask changed (unset) → 0022 (replace)\n"
        "restart.delay changed 100ms → 1s (live)\n"
        "restart.success_exit changed 0 SIGTERM → 0 3 (live)\n"
        "limits.memory changed (unset) → 64MiB (live)\n"
        "limits.io_max changed (unset) → /dev/sda rbps=1MiB riops=5, 8:0 wiops=1 (live)\n"
        "limits.nofile changed (unset) → 1:2 (replace)\n"
        "nice changed (unset) → 5 (replace)\n");
}

TEST_CASE("words with blanks and lists that would read alike are told apart", "[spec]") {
  auto one = app("nice: 1");
  auto two = one;
  one.exec = {"a", "b c"};
  two.exec = {"a b", "c"};
  CHECK(change(one, two) == "exec changed a 'b c' → 'a b' c (replace)\n");
  CHECK(spec::generation_of(one) != spec::generation_of(two));
}

TEST_CASE("a secret's change is told without the secret", "[spec]") {
  auto have = app("nice: 1");
  auto want = have;
  have.secret_env = {{"TOKEN", "hunter2"}, {"GONE", "hunter2"}};
  want.secret_env = {{"TOKEN", "hunter3"}, {"ADDED", "hunter2"}};
  CHECK(change(have, want) ==
        "env.ADDED changed (unset) → (secret) (replace)\n"
        "env.GONE changed (secret) → (unset) (replace)\n"
        "env.TOKEN changed (secret) → (secret) (replace)\n");
  CHECK(spec::generation_of(have) != spec::generation_of(want));
  for (const auto& line : spec::settings(have)) CHECK(line.find("hunter2") == std::string::npos);
}

TEST_CASE("a variable that moves from env to an env file needs no new process", "[spec]") {
  auto have = app("nice: 1");
  auto want = have;
  have.env = {{"A", "b"}};
  want.secret_env = {{"A", "b"}};
  want.env_file = {"/srv/app/.env"};
  CHECK(change(have, want) ==
        "env.A changed b → (secret) (none)\nenv_file changed (unset) → /srv/app/.env (none)\n");
  CHECK(spec::generation_of(have) == spec::generation_of(want));
}

TEST_CASE("the generation follows exactly the fields that need a new process", "[spec][property]") {
  const auto base = app("nice: 1");
  const auto [settings, effect] =
      GENERATE(table<std::string, Effect>({{"cwd: /x", Effect::replace},
                                           {"env: { A: b }", Effect::replace},
                                           {"pass_env: [LANG]", Effect::replace},
                                           {"user: nobody", Effect::replace},
                                           {"group: nogroup", Effect::replace},
                                           {"groups: [a]", Effect::replace},
                                           {"umask: 022", Effect::replace},
                                           {"limits: { core: 0 }", Effect::replace},
                                           {"oom_score_adj: 3", Effect::replace},
                                           {"logs: { to: none }", Effect::replace},
                                           {"logs: { path: /x }", Effect::replace},
                                           {"listen: { a: { tcp: 80 } }", Effect::replace},
                                           {"channel: json", Effect::replace},
                                           {"preload: false", Effect::replace},
                                           {"ready: { tcp: 80 }", Effect::replace},
                                           {"ready: { notify: true }", Effect::replace},
                                           {"ready: { timeout: 1s }", Effect::live},
                                           {"update: { drain: 1s, max_surge: 2 }", Effect::live},
                                           {"instances: 2", Effect::scale},
                                           {"restart: { policy: never }", Effect::live},
                                           {"restart: { delay: 1s }", Effect::live},
                                           {"restart: { jitter: 0.5 }", Effect::live},
                                           {"stop: { timeout: 1s }", Effect::live},
                                           {"stop: { kill: main }", Effect::live},
                                           {"logs: { keep: 1, rotate: 1MiB }", Effect::live},
                                           {"limits: { memory: 1GiB, cpu: 2, cpuset: 0 }", Effect::live},
                                           {"limits: { io_max: { /: { riops: 1 } } }", Effect::live},
                                           {"app_limits: { pids: 1 }", Effect::live},
                                           {"limits: { required: true }", Effect::none}}));
  const auto want = app("nice: 1, " + settings);
  CAPTURE(settings);
  const auto changes = spec::compare(base, want);
  REQUIRE_FALSE(changes.empty());
  // Sockets bring another order of updates by default, which is a live change beside their own.
  CHECK(std::ranges::max(changes, {}, &FieldChange::effect).effect == effect);
  CHECK((want.generation != base.generation) == (effect == Effect::replace));
}

TEST_CASE("whatever differs between two specs is told", "[spec][property]") {
  const auto text = read("corpus/spec/good/every-key.yaml");
  auto from = source(text);
  const auto full = spec::decode(from, inputs())->apps.begin()->second;
  auto bare = app("nice: 1");
  const auto changes = spec::compare(bare, full);
  // Every key of the file but exec's siblings that happen to be equal: the table has no field that compare()
  // forgets.
  CHECK(changes.size() >= 57);
  CHECK(spec::compare(full, full).empty());
}

TEST_CASE(
    "a field that is left at its default is in no generation: a newer version with more of them replaces "
    "nothing",
    "[spec]") {
  CHECK(app("nice: 1").generation == app("nice: 1, channel: none, listen: {}, preload: true").generation);
}

TEST_CASE("a generation is the same on every build", "[spec]") {
  // Kept in state files: if this changes, an upgrade of svd replaces every instance on the machine.
  CHECK(app("env: { A: b }").generation == 0x655e19d4b1ad15d4);
  CHECK(app("user: www-data, limits: { nofile: 1024 }, logs: { to: file }").generation == 0xe07a81d3a4d00382);
}

TEST_CASE("settings are the effective policy, without what is unset", "[spec]") {
  const auto lines = spec::settings(app("env: { A: b }, nice: 3"));
  const auto has = [&](const std::string& line) { return std::ranges::find(lines, line) != lines.end(); };
  CHECK((has("restart.delay=100ms") && has("nice=3") && has("cwd=/srv/app") && has("instances=1")));
  for (const auto& line : lines)
    CHECK_FALSE((line.starts_with("env=") || line.starts_with("exec=") || line.starts_with("umask")));
}
