// SPDX-License-Identifier: Apache-2.0
#include "model/expand.h"

#include "model/launch.h"
#include "support/catch.h"

using namespace svd;

TEST_CASE("what stands for itself, and what is replaced", "[model]") {
  struct Row {
    const char *text, *want;
  };
  const Variables environment{{"A", "one"}, {"EMPTY", ""}, {"B_2", "${A}"}};
  const auto row =
      GENERATE(Row{"", ""}, Row{"plain", "plain"}, Row{"${A}", "one"}, Row{"x${A}y${A}", "xoneyone"},
               Row{"$A", "$A"}, Row{"$", "$"}, Row{"cost: $5", "cost: $5"}, Row{"$$", "$"},
               Row{"$${A}", "${A}"}, Row{"$$$$", "$$"}, Row{"$$${A}", "$one"}, Row{"$(date)", "$(date)"},
               Row{"${B_2}", "${A}"},  // what comes in is not looked at again
               Row{"${EMPTY}", ""}, Row{"${EMPTY:-x}", "x"}, Row{"${NONE:-a b}", "a b"}, Row{"${NONE:-}", ""},
               Row{"${A:-x}", "one"}, Row{"${NONE:-$5}", "$5"}, Row{"${NONE:-a:-b}", "a:-b"},
               Row{"{A}", "{A}"}, Row{"é${A}ü", "éoneü"});
  INFO(row.text);
  const auto got = expand(row.text, environment);
  REQUIRE(got);
  CHECK(*got == row.want);
}

TEST_CASE("what cannot be replaced is an error, without a value in it", "[model]") {
  struct Row {
    const char *text, *error;
  };
  const Variables environment{{"A", "secret"}};
  const auto row =
      GENERATE(Row{"${NONE}", "'${NONE}' is not set"},
               Row{"${A", "cannot read '${A': want ${NAME} or ${NAME:-text}; $${ stands for ${"},
               Row{"${}", "cannot read '${}': want ${NAME} or ${NAME:-text}; $${ stands for ${"},
               Row{"${1}", "cannot read '${1}': want ${NAME} or ${NAME:-text}; $${ stands for ${"},
               Row{"${A-x}", "cannot read '${A-x}': want ${NAME} or ${NAME:-text}; $${ stands for ${"},
               Row{"${A:?x}", "cannot read '${A:?x}': want ${NAME} or ${NAME:-text}; $${ stands for ${"},
               Row{"${#A}", "cannot read '${#A}': want ${NAME} or ${NAME:-text}; $${ stands for ${"},
               Row{"${A:-${B}}", "cannot read '${A:-${B}': one ${…} inside of another is not read"});
  INFO(row.text);
  const auto got = expand(row.text, environment);
  REQUIRE(!got);
  CHECK(got.error().text == row.error);
}

TEST_CASE("references are told with their place", "[model]") {
  const auto found = references("a${A}$$b${B:-x}");
  REQUIRE(found);
  CHECK(*found == std::vector<Reference>{{"A", std::nullopt, 1}, {"B", "x", 8}});
}

namespace {
std::string value(const EnvironmentLayers& layers, const std::string& name) {
  const auto all = compose_environment(layers);
  if (!all) return "error: " + all.error().text;
  return all->contains(name) ? all->at(name) : "(none)";
}
}  // namespace

TEST_CASE("layers of an environment", "[model]") {
  EnvironmentLayers layers;
  layers.base = {{"PATH", "/bin"}, {"HOME", "/root"}, {"SVD_INSTANCE", "3"}, {"NODE_APP_INSTANCE", "3"}};
  layers.given = {{"TOKEN", "a$b${C}"}, {"PORT", "8000"}};
  layers.protocol = {{"LISTEN_FDS", "1"}};
  layers.slot = 3;
  layers.increment = {"PORT"};
  layers.declared = {{"PATH", "./bin:${PATH}"},
                     {"URL", "http://localhost:${PORT}/${TOKEN}"},
                     {"NODE_APP_INSTANCE", "mine"},
                     {"LISTEN_FDS", "9"},
                     {"LATER", "${URL}"},
                     {"FDS", "${LISTEN_FDS}"},
                     {"LITERAL", "$PATH and $${PATH}"},
                     {"FALLBACK", "${NO:-none}"}};
  layers.removed = {"HOME", "TOKEN_2"};
  CHECK(value(layers, "PATH") == "./bin:/bin");
  CHECK(value(layers, "TOKEN") == "a$b${C}");  // as it is
  CHECK(value(layers, "PORT") == "8003");
  CHECK(value(layers, "URL") == "http://localhost:8003/a$b${C}");
  CHECK(value(layers, "LATER") == "http://localhost:8003/a$b${C}");
  CHECK(value(layers, "NODE_APP_INSTANCE") == "mine");
  CHECK(value(layers, "LISTEN_FDS") == "1");  // the program could not work with another
  CHECK(value(layers, "FDS") == "1");
  CHECK(value(layers, "LITERAL") == "$PATH and ${PATH}");
  CHECK(value(layers, "FALLBACK") == "none");
  CHECK(value(layers, "HOME") == "(none)");
  CHECK(value(layers, "SVD_INSTANCE") == "3");
}

TEST_CASE("environments that cannot be", "[model]") {
  EnvironmentLayers layers;
  layers.declared = {{"A", "${B}"}, {"B", "${A}"}};
  CHECK(value(layers, "A") == "error: the value of 'A' refers to itself in a circle");
  layers.declared = {{"A", "${A}"}};
  CHECK(value(layers, "A") == "error: '${A}' is not set");
  layers.declared = {{"A", "${HOME}"}};
  layers.base = {{"HOME", "/root"}};
  layers.removed = {"HOME"};
  CHECK(value(layers, "A") == "error: '${HOME}' is not set");
  layers.declared = {{"A", "x"}};
  layers.increment = {"A"};
  CHECK(value(layers, "A") == "error: increment_env A");
  layers.increment = {"NONE"};
  CHECK(value(layers, "A") == "error: increment_env NONE");
}

TEST_CASE("a hostile environment costs neither stack nor memory", "[model]") {
  EnvironmentLayers layers;
  for (int i = 100'000; i < 200'000; ++i)
    layers.declared["V" + std::to_string(i)] = "${V" + std::to_string(i + 1) + "}";
  CHECK(value(layers, "V100000").find("more than 64") != std::string::npos);
  layers.declared = {{"Z", std::string(1000, 'x')}};
  for (char c = 'A'; c < 'Z'; ++c)
    layers.declared[std::string{c}] =
        std::string{"${"} + static_cast<char>(c + 1) + "}${" + static_cast<char>(c + 1) + "}";
  CHECK(value(layers, "A").find("more than 128KiB") != std::string::npos);
  layers.declared["Z"] = "";
  CHECK(value(layers, "A").empty());  // and at once
}

TEST_CASE("a plan is written out: environment, arguments and directory, for the user of its start",
          "[model]") {
  LaunchPlan plan;
  plan.argv = {"run", "${NAME}-${SLOT:-x}", "$$HOME"};
  plan.cwd = "${HOME}/data";
  plan.environment = EnvironmentLayers{};
  plan.environment->base = {{"NAME", "svd's"}, {"LANG", "C.UTF-8"}};
  plan.environment->declared = {{"NAME", "own"}};
  plan.environment->removed = {"LANG", "SHELL"};
  REQUIRE(write_out(plan, {{"HOME", "/home/ann"}, {"SHELL", "/bin/sh"}}));
  CHECK(plan.argv == std::vector<std::string>{"run", "own-x", "$HOME"});
  CHECK(plan.cwd == "/home/ann/data");
  CHECK(plan.envp == std::vector<std::string>{"HOME=/home/ann", "NAME=own"});

  plan.environment = EnvironmentLayers{};
  plan.cwd = "${WHERE:-below}";
  CHECK(write_out(plan, {}).error().text == "the cwd 'below' is not absolute");

  LaunchPlan complete;
  complete.envp = {"A=${B}"};
  REQUIRE(write_out(complete, {{"HOME", "/"}}));
  CHECK(complete.envp == std::vector<std::string>{"A=${B}"});
}
