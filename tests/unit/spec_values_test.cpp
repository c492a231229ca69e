// SPDX-License-Identifier: Apache-2.0
// ${NAME} in values, what is taken away, warnings, and what people bring along from elsewhere.
#include "unit/spec_support.h"

using namespace svd;
using namespace svd::spec_test;
using Texts = std::vector<std::string>;

namespace {

Texts errors(const std::string& settings) { return texts(complaints("apps:\n  a: { " + settings + " }\n")); }

Texts warnings(const std::string& settings, const spec::Inputs& with = inputs()) {
  auto from = source("apps:\n  a: { exec: [x], " + settings + " }\n");
  Diagnostics notes;
  const auto decoded = spec::decode(from, with, &notes);
  if (!decoded) FAIL(spec::render(decoded.error(), from));
  return texts(notes);
}

std::string first(const Texts& texts) { return texts.empty() ? "" : texts.front(); }

}  // namespace

TEST_CASE("a value may take another variable of the app", "[spec]") {
  CHECK(errors("exec: [x, '${SVD_INSTANCE}', '${HOME}', '${PORT}'], env: { PORT: 1 }") == Texts{});
  CHECK(errors("exec: 'x --port=${PORT}', env: { PORT: 1 }") == Texts{});
  CHECK(errors("exec: 'x ${NONE:-8080}'") == Texts{});
  CHECK(errors("exec: [sh, -c, 'echo $HOME $${x} $$$$']") == Texts{});
  CHECK(errors("exec: [x], env: { PATH: './bin:${PATH}' }") == Texts{});
  CHECK(errors("exec: [x, '${HTTP_PROXY}'], pass_env: [HTTP_PROXY]") == Texts{});
  CHECK(errors("exec: [x], cwd: '${HOME}/work'") == Texts{});
  CHECK(errors("exec: [x], env: { HTTP_PROXY: 'x${HTTP_PROXY}' }, pass_env: [HTTP_PROXY]") == Texts{});
  CHECK(app("env: { HTTP_PROXY: 'x${HTTP_PROXY}' }, pass_env: [HTTP_PROXY]").secret_env.size() == 1);
  CHECK(app("cwd: '${HOME}/work'").cwd == "${HOME}/work");
}

TEST_CASE("what a value cannot take is told at its place", "[spec]") {
  const std::string nothing =
      "nothing sets 'NO' for this app: give it under 'env', write ${NO:-text}, or $${NO} "
      "for these very characters";
  CHECK(errors("exec: [x, a, '${NO}']") == Texts{"apps.a.exec[2]: " + nothing});
  CHECK(errors("exec: 'x ${NO}'") == Texts{"apps.a.exec: " + nothing});
  CHECK(errors("exec: [x], env: { B: '${NO}' }") == Texts{"apps.a.env.B: " + nothing});
  CHECK(errors("exec: [x], env: { NO: '${NO}' }") == Texts{"apps.a.env.NO: " + nothing});
  CHECK(errors("exec: [x], cwd: '${NO}'") == Texts{"apps.a.cwd: " + nothing});
  CHECK(errors("exec: [x, '${NO}'], pass_env: [NO]") ==
        Texts{"apps.a.exec[1]: " + nothing});  // not set there
  CHECK(errors("exec: [x, '${NO}'], env: { NO: ~ }") == Texts{"apps.a.exec[1]: " + nothing});
  CHECK(errors("exec: [x, '${HOME}'], env: { HOME: ~ }").size() == 1);
  CHECK(errors("exec: [x, '${A:-${B}}']") ==
        Texts{"apps.a.exec[1]: cannot read '${A:-${B}': one ${…} inside of another is not read"});
  CHECK(errors("exec: [x], logs: { path: '${HOME}/log' }") ==
        Texts{"apps.a.logs.path: ${…} is not replaced in this path: write it out"});
  CHECK(complaints("apps:\n  a:\n    exec: [x]\n    env:\n      B: 1\n      C: '${NO}'\n").front().line == 6);
}

TEST_CASE("addresses take what all instances have in common", "[spec]") {
  const auto port = [](const std::string& settings) { return app(settings).listen.at(0).port; };
  CHECK(port("listen: { h: { tcp: '127.0.0.1:${PORT}' } }, env: { PORT: 8080 }") == 8080);
  CHECK(port("env: { PORT: 8080 }, listen: { h: { tcp: '${PORT}' } }") == 8080);
  CHECK(port("listen: { h: { tcp: ':${PORT:-81}' } }") == 81);
  CHECK(port("listen: { h: { tcp: '${B}' } }, env: { A: 82, B: '${A}', C: '${HOME}' }") == 82);
  CHECK(app("listen: { h: { unix: '/run/${LANG}.sock' } }, pass_env: [LANG]").listen.at(0).address ==
        "/run/C.UTF-8.sock");
  CHECK(app("ready: { tcp: '127.0.0.1:${PORT}' }, env: { PORT: 83 }").ready.port == 83);
  auto from = source(
      "defaults: { env: { PORT: 84 }, listen: { h: { tcp: '${PORT}' } } }\napps: { a: { exec: [x] } }\n");
  CHECK(spec::decode(from, {})->apps.begin()->second.listen.at(0).port == 84);
  CHECK(first(errors("exec: [x], listen: { h: { tcp: '${SVD_INSTANCE}' } }")) ==
        "apps.a.listen.h.tcp: 'SVD_INSTANCE' is not set by this app's env, env_file or pass_env, and what "
        "differs from "
        "instance to instance has no place here");
  CHECK(errors("exec: [x], listen: { h: { tcp: '${A}' } }, env: { A: '${B}', B: '${A}' }").size() == 1);
  const auto secret = texts(complaints(
      "apps:\n  a: { exec: [x], pass_env: [HTTP_PROXY], listen: { h: { tcp: '${HTTP_PROXY}' } } }\n"));
  REQUIRE(secret.size() == 1);
  CHECK(secret[0].find("hunter2") == std::string::npos);
  CHECK(secret[0].ends_with("got the text '${HTTP_PROXY}'"));
}

TEST_CASE("'~' takes a variable away, wherever it would come from", "[spec]") {
  const auto one = app("env: { HOME: ~, A: 1 }");
  CHECK(one.env_removed == std::set<std::string>{"HOME"});
  CHECK(one.env == std::map<std::string, std::string>{{"A", "1"}});
  CHECK(one.generation != app("env: { A: 1 }").generation);
  CHECK(app("env: { HTTP_PROXY: ~ }, pass_env: [HTTP_PROXY]").secret_env.empty());
  auto from = source("defaults: { env: { LOG: info, B: 1 } }\napps: { a: { exec: [x], env: { LOG: ~ } } }\n");
  const auto decoded = spec::decode(from, {});
  REQUIRE(decoded);
  const auto& merged = decoded->apps.begin()->second;
  CHECK((!merged.env.contains("LOG") && merged.env.contains("B") && merged.env_removed.contains("LOG")));
  const auto changes = spec::compare(app("env: { A: 1 }"), app("env: { A: 1, HOME: ~ }"));
  REQUIRE(changes.size() == 1);
  CHECK((changes[0].path == "env.HOME" && changes[0].from == "(unset)" && changes[0].to == "~"));
}

TEST_CASE("what everybody may know is no secret, though it was passed", "[spec]") {
  const auto one = app("pass_env: [LANG, HTTP_PROXY]");
  CHECK(one.env == std::map<std::string, std::string>{{"LANG", "C.UTF-8"}});
  CHECK(one.secret_env.size() == 1);
  auto with = inputs();
  with.environment = [](const std::string&) { return std::optional<std::string>{"a$b${C}"}; };
  auto from = source("apps: { a: { exec: [x], pass_env: [PATH] } }\n");
  CHECK(spec::decode(from, with)->apps.begin()->second.env.at("PATH") == "a$$b$${C}");  // as it is
}

TEST_CASE("what a shell would replace is doubted in env", "[spec]") {
  CHECK(first(warnings("env: { PATH: './bin:$PATH' }")) ==
        "apps.a.env.PATH: warning: '$PATH' stands for itself, no shell expands it: write ${PATH} for the "
        "value, or "
        "$$PATH if it is meant so");
  CHECK(warnings("env: { A: 'costs $5', B: 'a$', C: '$$HOME', D: '${HOME}' }") == Texts{});
}

TEST_CASE("a restart policy that never gives up is doubted, with its numbers", "[spec]") {
  CHECK(warnings("nice: 1") == Texts{});  // the defaults do give up
  CHECK(first(warnings("restart: { max_restarts: 15, window: 1m }")) ==
        "apps.a.restart.max_restarts: warning: 'failed' is never reached: 15 restarts take at least 232s "
        "with these "
        "waits, and only those within 1m ('window') count");
  CHECK(warnings("restart: { max_restarts: 15, window: 1m, max_delay: 1s }") == Texts{});
  CHECK(first(warnings("restart: { reset_after: 0 }")).find("never 'failed'") != std::string::npos);
  CHECK(warnings("restart: { policy: never, max_restarts: 15, window: 1ms }") == Texts{});
}

TEST_CASE("what the machine at hand can tell is told as a warning at its key", "[spec]") {
  auto with = inputs();
  with.doubts = [](const AppSpec&) {
    return std::vector<spec::Inputs::Doubt>{{"user", "there is no user 'ann' on this machine"}};
  };
  CHECK(warnings("user: ann", with) == Texts{"apps.a.user: warning: there is no user 'ann' on this machine"});
}

TEST_CASE("keys of other supervisors say what to write", "[spec]") {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"script: x.js", "exec: [node, server.js"},
      {"interpreter: python3", "first word of 'exec'"},
      {"node_args: '--a'", "before the program's file"},
      {"watch: true", "watches no files"},
      {"cron_restart: '0 3 * * *'", "no timers"},
      {"max_memory_restart: 300M", "limits: { memory: 512MiB }"},
      {"env_production: { A: 1 }", "profiles: { production:"},
      {"out_file: a.log", "'logs.path'"},
      {"error_file: a.log", "'logs.path'"},
      {"merge_logs: true", "logs: { path"},
      {"exp_backoff_restart_delay: 100", "'restart.delay'"},
      {"autorestart: false", "'restart.policy'"},
      {"min_uptime: 1000", "'restart.reset_after'"},
      {"stdout_logfile: x", "'logs.path'"},
      {"stopwaitsecs: 10", "'stop.timeout'"},
      {"numprocs: 2", "'instances'"},
      {"image: nginx", "not images"},
      {"stop_grace_period: 10s", "'stop.timeout'"},
      {"entrypoint: x", "'exec'"},
      {"healthcheck: { }", "'ready'"},
  };
  for (const auto& [key, want] : rows) {
    const auto said = first(errors("exec: [x], " + key));
    INFO(key << " → " << said);
    CHECK(said.find(want) != std::string::npos);
  }
}

TEST_CASE("files of other supervisors are told as such", "[spec]") {
  CHECK(complaints("module.exports = { apps: [{ name: 'a', script: 'a.js' }] };\n").front().text ==
        "this is a program, as PM2's ecosystem.config.js is: write an ecosystem.yaml (README.md has what its "
        "words are called there)");
  CHECK(complaints("[supervisord]\nnodaemon=true\n[program:a]\ncommand=a\n").front().text ==
        "this is a file of supervisord: write an ecosystem.yaml (README.md has what its words are called "
        "there)");
  CHECK(complaints(R"({"apps": [{"name": "a", "script": "a.js"}]})").front().text.find("as PM2 has it") !=
        std::string::npos);
  const auto compose = texts(complaints("version: '3'\nservices: {}\napps: {}\n"));
  REQUIRE(compose.size() == 2);
  CHECK(compose[0].find("1, the only version") != std::string::npos);
  CHECK(texts(complaints("services: { a: { image: x } }\n"))[0].find("they are called 'apps' here") !=
        std::string::npos);
}

TEST_CASE("sizes in the letters of other tools are told with ours", "[spec]") {
  const auto said = [](const std::string& size) {
    return first(errors("exec: [x], limits: { memory: " + size + " }"));
  };
  CHECK(said("512M").ends_with("got the text '512M': write 512MiB"));
  CHECK(said("2g").ends_with("write 2GiB"));
  CHECK(said("512mb").ends_with("write 512MiB"));
  CHECK(said("1.5G").ends_with("write 1.5GiB"));
  CHECK(said("512").find("such as 512MiB or 512GB") != std::string::npos);
  CHECK(said("lots").ends_with("got the text 'lots'"));
}

TEST_CASE("command lines of Node that leave the program without its channel", "[spec]") {
  const auto said = [](const std::string& exec) { return first(errors("channel: node, exec: " + exec)); };
  CHECK(said("[node, -e, 'code()']").find("'node -e' has no file") != std::string::npos);
  CHECK(said("[/usr/bin/node, --eval=code(), x]").find("'node --eval' has no file") != std::string::npos);
  CHECK(said("[node, --watch, server.js]").find("'node --watch' runs the program as a child") !=
        std::string::npos);
  CHECK(said("[node, --run, start]").find("'node --run' runs a script of package.json") != std::string::npos);
  CHECK(said("[env, A=1, node, --watch-path=., server.js]").find("--watch-path") != std::string::npos);
  CHECK(said("[nodemon, server.js]").find("nodemon runs the program as a child") != std::string::npos);
  CHECK(said("[./node_modules/.bin/tsx, server.ts]").find("[node, --import, tsx, server.ts]") !=
        std::string::npos);
  CHECK(said("[node, node_modules/.bin/cross-env, A=1, x]").find("under 'env'") != std::string::npos);
  CHECK(said("[pm2-runtime, x]").find("svd does what it does") != std::string::npos);
  CHECK(said("[node, --max-old-space-size=100, server.js, --watch]").empty());  // the program's own
  CHECK(said("[node, server.js, -e]").empty());
  CHECK(errors("exec: [node, -e, 'code()']").empty());  // without a channel all is well
}

TEST_CASE("profiles of a file are known without choosing one", "[spec]") {
  CHECK(spec::profiles("profiles: { a: {}, b: { apps: {} } }\napps: {}\n") == Texts{"a", "b"});
  CHECK(spec::profiles("apps: {}\n").empty());
  CHECK(spec::profiles("{{{{").empty());
}
