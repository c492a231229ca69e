// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command_line.h"
#include "cli/verbs.h"

namespace svd::cli {

void add_completion(CLI::App& root, Context& context) {
  auto shell = std::make_shared<std::string>();
  auto* command = root.add_subcommand("completion", "Print a completion script for a shell")->group("Daemon");
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->type_name("bash|zsh|fish")
      ->check(one_of({"bash", "zsh", "fish"}));
  command->footer("source <(svctl completion bash)");
  command->callback([shell, &root, &context] {
    context.out(completion_text(root, *shell));
    context.finish(Exit::ok);
  });
}

}  // namespace svd::cli
