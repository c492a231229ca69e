// SPDX-License-Identifier: Apache-2.0
#include "ipc/node_options.h"
#include "support/catch.h"

using namespace svd::ipc;
using Words = std::vector<std::string>;

TEST_CASE("the preload comes behind what NODE_OPTIONS had", "[ipc]") {
  Words envp{"PATH=/bin"};
  add_preload(envp, "/usr/libexec/svd/p.cjs");
  CHECK(envp == Words{"PATH=/bin", "NODE_OPTIONS=--require=/usr/libexec/svd/p.cjs"});
  envp = {"NODE_OPTIONS=--max-old-space-size=100 -r \"a b\"", "X=1"};
  add_preload(envp, "/opt/my \"svd\"/p.cjs");
  CHECK(envp ==
        Words{R"(NODE_OPTIONS=--max-old-space-size=100 -r "a b" --require="/opt/my \"svd\"/p.cjs")", "X=1"});
  envp = {"NODE_OPTIONS="};
  add_preload(envp, "/p");
  CHECK(envp == Words{"NODE_OPTIONS=--require=/p"});
}

TEST_CASE("NODE_OPTIONS is taken apart as Node does it", "[ipc]") {
  CHECK(split_options(R"(--title='a b' c\d "e f\"g"h  "" i)") ==
        Words{"--title='a", "b'", "c\\d", "e f\"gh", "i"});
  CHECK_FALSE(split_options("--title=\"a"));
  CHECK_FALSE(split_options("\"a\\"));
  for (const auto& words : {Words{"a b", "\"", "c\\d", "'", "e\tf"}, Words{}})
    CHECK(split_options(join_options(words)) == words);
  Words argv{"node"}, envp{R"(NODE_OPTIONS=--title='a b' -C c\d --inspect)"};
  move_inspector(argv, envp, [](std::uint16_t port) { return port; });
  CHECK(envp == Words{R"(NODE_OPTIONS=--title='a b' -C "c\\d" --inspect=9229)"});
}

TEST_CASE("each instance's inspector has a port of its own", "[ipc]") {
  const auto [word, want] = GENERATE(table<std::string, std::string>({
      {"--inspect", "--inspect=9232"},
      {"--inspect-brk", "--inspect-brk=9232"},
      {"--inspect=9300", "--inspect=9303"},
      {"--inspect=0.0.0.0:9300", "--inspect=0.0.0.0:9303"},
      {"--inspect=[::1]:9300", "--inspect=[::1]:9303"},
      {"--inspect=0.0.0.0", "--inspect=0.0.0.0:9232"},
      {"--inspect=[::1]", "--inspect=[::1]:9232"},
      {"--inspect-port=9300", "--inspect-port=9303"},
      {"--inspect=0", "--inspect=0"},
      {"--inspect=localhost:0", "--inspect=localhost:0"},
      {"--inspector-gadget=1", "--inspector-gadget=1"},
      {"--max-old-space-size=9300", "--max-old-space-size=9300"},
  }));
  CAPTURE(word);
  const auto by_three = [](std::uint16_t port) { return static_cast<std::uint16_t>(port + 3); };
  Words argv{"/usr/bin/node", "-r", "x", word, "app.js", "--inspect"}, envp{"A=1"};
  move_inspector(argv, envp, by_three);
  CHECK(argv == Words{"/usr/bin/node", "-r", "x", want, "app.js", "--inspect"});
  CHECK(envp == Words{"A=1"});

  argv = {"node", "app.js"};
  envp = {"NODE_OPTIONS=--title=\"a b\" " + word};
  move_inspector(argv, envp, by_three);
  CHECK(envp == (word == want ? Words{"NODE_OPTIONS=--title=\"a b\" " + word}
                              : Words{"NODE_OPTIONS=\"--title=a b\" " + want}));
}

TEST_CASE("a port that is named once is moved once", "[ipc]") {
  Words argv{"node", "--inspect", "--inspect-port=9300", "app.js"}, envp;
  move_inspector(argv, envp, [](std::uint16_t port) { return static_cast<std::uint16_t>(port + 1); });
  CHECK(argv == Words{"node", "--inspect", "--inspect-port=9301", "app.js"});
}

TEST_CASE("only Node's own words are touched", "[ipc]") {
  const auto never = [](std::uint16_t) -> std::uint16_t {
    FAIL("asked for a port");
    return 0;
  };
  Words argv = GENERATE(Words{"python3", "--inspect"}, Words{"node", "app.js", "--inspect"},
                        Words{"node", "--", "--inspect"}, Words{});
  const auto before = argv;
  Words envp{"NODE_OPTIONS="};
  move_inspector(argv, envp, never);
  CHECK(argv == before);
}
