// SPDX-License-Identifier: Apache-2.0
// Any NODE_OPTIONS and arguments: the inspector's port moves, and nothing else of them.
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "ipc/node_options.h"

using namespace svd;
using fuzz::require;

FUZZ_TARGET(node_options) {
  fuzz::Input input{bytes};
  constexpr std::string_view variable = "NODE_OPTIONS=";
  const std::string options{input.line()};
  std::vector<std::string> envp{std::string{variable} + options};
  std::vector<std::string> argv{"/usr/bin/node"};
  while (!input.empty() && argv.size() < 32) argv.emplace_back(input.line());
  const auto arguments = argv.size();
  const auto before = argv;
  ipc::move_inspector(argv, envp, [](std::uint16_t port) { return static_cast<std::uint16_t>(port + 1); });
  require(argv.size() == arguments && envp.size() == 1 && envp.front().starts_with("NODE_OPTIONS="));
  for (std::size_t i = 0; i < arguments; ++i)
    require(argv[i] == before[i] || argv[i].starts_with("--inspect") || argv[i].starts_with("--debug-port"));
  const auto named = ipc::split_options(std::string_view{options});
  const auto now = ipc::split_options(envp.front().substr(variable.size()));
  require(named.has_value() == now.has_value());
  if (named) {
    require(now->size() == named->size() && ipc::split_options(ipc::join_options(*named)) == named);
    for (std::size_t i = 0; i < now->size(); ++i)
      require((*now)[i] == (*named)[i] || (*now)[i].starts_with("--inspect") ||
              (*now)[i].starts_with("--debug-port"));
  }
  const auto words = envp.front();
  ipc::add_preload(envp, "/usr/libexec/svd/node preload.cjs");
  require(envp.size() == 1 && envp.front().starts_with(words) && envp.front().ends_with("preload.cjs\""));
}
