// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include "unit/spec_support.h"

using namespace svd;
using namespace svd::spec_test;
using Words = std::vector<std::string>;
using Env = std::map<std::string, std::string>;

TEST_CASE("what is not written has the model's default", "[spec]") {
  auto from = source("apps: { web: { exec: node server.js } }\n");
  const auto decoded = spec::decode(from, {});
  REQUIRE(decoded);
  CHECK(decoded->name.str() == "app");  // its directory
  AppSpec want;
  want.name = *Name::parse("web");
  want.exec = {"node", "server.js"};
  want.cwd = "/srv/app";
  want.update.order = UpdatePolicy::Order::stop_first;  // it has no sockets to share with its replacement
  want.update.max_unavailable = {1, false};
  want.generation = decoded->apps.at(want.name).generation;
  CHECK(decoded->apps.at(want.name) == want);
}

TEST_CASE("every key reaches its member", "[spec]") {
  const auto text = read("corpus/spec/good/every-key.yaml");
  auto from = source(text);
  const auto decoded = spec::decode(from, inputs());
  REQUIRE(decoded);
  const auto& app = decoded->apps.at(*Name::parse("a"));
  CHECK(app.exec == Words{"prog", "--flag"});
  CHECK(app.cwd == "/srv/app/work/dir");
  CHECK(app.instances == 3);
  CHECK(app.env ==
        Env{{"A", "text"}, {"B", "1"}, {"C", "1.50"}, {"D", "true"}, {"E", ""}, {"LANG", "C.UTF-8"}});
  CHECK(app.env_file == Words{"/srv/app/one.env"});
  CHECK(app.pass_env == Words{"HTTP_PROXY", "LANG"});
  CHECK(app.increment_env == Words{"B"});
  CHECK((app.user == "1000" && app.group == "users" && app.groups == Words{"audio", "44"}));
  CHECK(app.umask == 027U);
  const RestartPolicy restart{RestartPolicy::When::on_failure,
                              Millis{0},
                              1.5,
                              Millis{1500},
                              0.25,
                              Millis{3'600'000},
                              0,
                              Millis{604'800'000},
                              {{false, 0}, {false, 3}, {false, 255}, {true, 2}, {true, 15}, {true, 37}}};
  CHECK(app.restart == restart);
  CHECK(app.stop == StopPolicy{9, Millis{0}, KillTarget::main});
  CHECK(app.logs ==
        LogPolicy{LogPolicy::To::file, "/srv/app/log/a.log", 65536, Millis{86'400'000}, 0, false});
  const auto none = Rlimit::unlimited;
  const std::map<int, Rlimit> limits{{RLIMIT_NOFILE, {1024, 4096}},
                                     {RLIMIT_NPROC, {none, none}},
                                     {RLIMIT_CORE, {0, 0}},
                                     {RLIMIT_STACK, {8U << 20, none}},
                                     {RLIMIT_AS, {1536ULL << 20, 1536ULL << 20}},
                                     {RLIMIT_DATA, {100'000'000, 100'000'000}},
                                     {RLIMIT_FSIZE, {1'000'000'000'000, 1'000'000'000'000}},
                                     {RLIMIT_MEMLOCK, {none, none}},
                                     {RLIMIT_LOCKS, {10, 10}},
                                     {RLIMIT_MSGQUEUE, {800'000, 800'000}},
                                     {RLIMIT_SIGPENDING, {100, 100}},
                                     {RLIMIT_RTPRIO, {99, 99}},
                                     {RLIMIT_RTTIME, {200'000, 200'000}},
                                     {RLIMIT_CPU, {600, 3600}}};
  CHECK(app.rlimits == limits);
  Limits each;
  each.memory = 512U << 20;
  each.memory_high = 400U << 20;
  each.memory_swap = 0;
  each.cpu = 1.5;
  each.cpu_weight = 50;
  each.io_weight = 200;
  each.io_max = {{"/dev/sda", {10U << 20, 1'000'000, 100, 50}}, {"8:16", {{}, {}, {}, 1}}};
  each.pids = 256;
  each.cpuset = "0,2-4";
  CHECK(app.limits == each);
  Limits all;
  all.memory = 1U << 30;
  all.memory_high = 900U << 20;
  all.memory_swap = 1U << 30;
  all.cpu = 2;
  all.cpu_weight = 1;
  all.io_weight = 10'000;
  all.io_max = {{"/", {4096, {}, {}, {}}}};
  all.pids = 1000;
  all.cpuset = "7";
  CHECK(app.app_limits == all);
  CHECK(app.limits_required);
  CHECK((app.nice == -20 && app.oom_score_adj == -1000));
}

TEST_CASE("a text is split into words, and a list is kept as written", "[spec]") {
  const auto exec = [](const std::string& value) {
    auto from = source("apps: { web: { exec: " + value + " } }\n");
    const auto decoded = spec::decode(from, {});
    return decoded ? decoded->apps.begin()->second.exec : Words{};
  };
  CHECK(exec(R"('a "b c" d\ e ''f $x''')") == Words{"a", "b c", "d e", "f $x"});
  CHECK(exec("[sleep, 1000, 0.50, yes, 007, '4', true]") ==
        Words{"sleep", "1000", "0.50", "yes", "007", "4", "true"});
}

TEST_CASE("instances are a number, or follow the CPUs", "[spec]") {
  const auto [text, cpus, want] =
      GENERATE(table<std::string, std::uint32_t, std::uint32_t>({{"0", 4, 0},
                                                                 {"7", 4, 7},
                                                                 {"max", 4, 4},
                                                                 {"max-1", 4, 3},
                                                                 {"max-4", 4, 1},
                                                                 {"max-999999999", 4, 1},
                                                                 {"max", 0, 1}}));
  auto from = source("apps: { a: { exec: [x], instances: " + text + " } }\n");
  from.cpus = cpus;
  const auto decoded = spec::decode(from, {});
  REQUIRE(decoded);
  CHECK(decoded->apps.begin()->second.instances == want);
}

TEST_CASE("defaults lie under each app key by key, and null takes away", "[spec]") {
  auto from = source(
      "defaults: { user: app, env: { A: d, B: d, C: d }, restart: { delay: 5s, factor: 3 }, increment_env: "
      "[N] }\n"
      "apps:\n"
      "  web: { exec: [x], user: ~, env: { B: own, C: ~ }, restart: { delay: 1s }, increment_env: [] }\n");
  const auto decoded = spec::decode(from, {});
  REQUIRE(decoded);
  const auto& web = decoded->apps.begin()->second;
  CHECK(web.user.empty());
  CHECK(web.env == Env{{"A", "d"}, {"B", "own"}});
  CHECK((web.restart.delay == Millis{1000} && web.restart.factor == 3.0));
  CHECK(web.increment_env.empty());  // a list is replaced as a whole
}

TEST_CASE("a profile lies over the file: its defaults over defaults, its apps over apps", "[spec]") {
  const std::string text =
      "defaults: { env: { A: d, B: d, C: d }, nice: 1 }\n"
      "profiles:\n"
      "  p: { defaults: { env: { B: p, C: p } }, apps: { web: { env: { D: p }, nice: ~ }, gone: ~, new: { "
      "exec: [n] } } }\n"
      "apps:\n"
      "  web: { exec: [x], env: { C: own, D: own } }\n"
      "  gone: { exec: [x] }\n";
  auto from = source(text, "p");
  const auto decoded = spec::decode(from, {});
  REQUIRE(decoded);
  REQUIRE(decoded->apps.size() == 2);
  const auto& web = decoded->apps.at(*Name::parse("web"));
  CHECK(web.env == Env{{"A", "d"}, {"B", "p"}, {"C", "own"}, {"D", "p"}});
  CHECK(web.nice == std::nullopt);  // the profile's null takes the default away too
  CHECK(decoded->apps.at(*Name::parse("new")).env == Env{{"A", "d"}, {"B", "p"}, {"C", "p"}});
  auto plain = source(text);
  CHECK(spec::decode(plain, {})->apps.size() == 2);
}

TEST_CASE("anchors and merge keys: own keys win, of two bases the first", "[spec]") {
  auto from = source(
      "defaults: { env: &one { A: 1, B: 1 }, nice: &two 2 }\n"
      "apps:\n"
      "  a: { exec: [x], env: { <<: [*one, { B: 2, C: 2 }], A: own }, oom_score_adj: *two }\n");
  const auto decoded = spec::decode(from, {});
  REQUIRE(decoded);
  const auto& a = decoded->apps.begin()->second;
  CHECK(a.env == Env{{"A", "own"}, {"B", "1"}, {"C", "2"}});
  CHECK(a.oom_score_adj == 2);
}

TEST_CASE("env wins over env files, which win over passed variables; later files win", "[spec]") {
  const auto web =
      app("env: { FROM_ENV: own, HTTP_PROXY: own }, env_file: [one.env, two.env], pass_env: [HTTP_PROXY, "
          "LANG, UNSET]");
  CHECK(web.env == Env{{"FROM_ENV", "own"}, {"HTTP_PROXY", "own"}, {"LANG", "C.UTF-8"}});
  CHECK(web.secret_env == Env{{"ONE", "1"},
                              {"TWO", "it is $HOME"},
                              {"THREE", "a\nb \"q\" $x"},
                              {"PORT", "3000"},
                              {"SHARED", "two"},
                              {"EMPTY", ""},
                              {"MULTI", "line one\nline two"},
                              {"BARE", "some text"},
                              {"HASH", "a#b"},
                              {"SECRET", "hunter2"}});
}

TEST_CASE("what came from outside is kept in the source, and only what was asked for", "[spec]") {
  auto from = source(
      "profiles: { p: { apps: { b: { exec: [x], env_file: [not-asked-for.env], pass_env: [LANG] } } } }\n"
      "apps: { a: { exec: [x], env_file: [two.env], pass_env: [HTTP_PROXY] } }\n");
  REQUIRE(spec::decode(from, inputs()));
  CHECK(from.env_files == Env{{"/srv/app/two.env", "SHARED=two\r\nSECRET=hunter2\r\n"}});
  CHECK(from.pass_env == Env{{"HTTP_PROXY", "http://user:hunter2@proxy"}});
}

TEST_CASE("a file that many apps use is asked for once", "[spec]") {
  auto from = source(
      "defaults: { env_file: [one.env] }\napps: { a: { exec: [x] }, b: { exec: [x] }, c: { exec: [x] } }\n");
  int asked = 0;
  const spec::Inputs counting{[&](const std::string&) -> Result<std::string> {
                                ++asked;
                                return std::string{"A=b"};
                              },
                              {}};
  REQUIRE(spec::decode(from, counting));
  CHECK(asked == 1);
}

TEST_CASE("a null in env leaves a variable unset; an unset variable is not passed", "[spec]") {
  const auto web = app("env: { A: ~, B: null, C: '' }, pass_env: [UNSET]");
  CHECK(web.env == Env{{"C", ""}});
  CHECK(web.secret_env.empty());
}

TEST_CASE("paths start at the file's directory", "[spec]") {
  CHECK(app("cwd: .").cwd == "/srv/app");
  CHECK(app("cwd: ./x//y/").cwd == "/srv/app/x/y");
  CHECK(app("cwd: ../z").cwd == "/srv/app/../z");
  CHECK(app("cwd: /").cwd == "/");
  CHECK(app("logs: { path: a.log }").logs.path == "/srv/app/a.log");
}

TEST_CASE("a log path means a file", "[spec]") {
  CHECK(app("logs: { path: a.log }").logs.to == LogPolicy::To::file);
  CHECK(app("logs: { to: auto }").logs.to == LogPolicy::To::automatic);
}

TEST_CASE("a mistake in defaults is reported once, where it is", "[spec]") {
  std::string text = "defaults: { nice: 99 }\napps:\n";
  for (int i = 0; i < 50; ++i) text += "  a" + std::to_string(i) + ": { exec: [x] }\n";
  const auto found = complaints(text);
  REQUIRE(found.size() == 1);
  CHECK(found[0] ==
        Diagnostic{1, 19, "defaults.nice", "want a whole number, -20 to 19; got the number '99'"});
}

TEST_CASE("a misspelt key gets the nearest one, the word of another tool ours, and a misplaced one its place",
          "[spec]") {
  const auto [key, want] =
      GENERATE(table<std::string, std::string>({{"instnaces", "'instances'"},
                                                {"restrat", "'restart'"},
                                                {"command", "'exec'"},
                                                {"environment", "'env'"},
                                                {"cmd", "'exec'"},
                                                {"max_restarts", "'restart.max_restarts'"},
                                                {"nofile", "'limits.nofile'"}}));
  const auto found = complaints("apps: { a: { exec: [x], " + key + ": 1 } }\n");
  REQUIRE(found.size() == 1);
  CHECK(found[0].text == "unknown key, did you mean " + want + "?");
  CHECK(complaints("apps: { a: { exec: [x], xyzzy: 1 } }\n")[0].text == "unknown key");
}

TEST_CASE("a file without a name has that of its directory", "[spec]") {
  const auto named = [](const std::string& directory) {
    auto from = source("apps: {}\n");
    from.directory = directory;
    const auto decoded = spec::decode(from, {});
    return decoded ? decoded->name.str() : decoded.error().front().text;
  };
  CHECK(named("/srv/shop") == "shop");
  CHECK(named("/srv/blog/") == "blog");
  CHECK(named("/srv/my shop (old)") == "my-shop-old");
  CHECK(named("/srv/.hidden") == "hidden");
  CHECK(named("/srv/v1.2_b") == "v1.2_b");
  CHECK(named("/srv/" + std::string(80, 'x')) == std::string(63, 'x'));
  CHECK(named("/srv/shop/current") == "shop");
  CHECK(named("/current") == "current");
  CHECK(named("/srv/caf\u00e9") == "caf");
  CHECK(named("/") == "default");
  CHECK(named("") == "default");
  CHECK(named("/srv/\u5e97") ==
        "no name can be made of the directory '\u5e97': write 'name: NAME' at the top of the file");
  auto given = source("name: mine\napps: {}\n");
  given.directory = "/srv/\u5e97";
  CHECK(spec::decode(given, {})->name.str() == "mine");
}
