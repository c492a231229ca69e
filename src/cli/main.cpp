// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/system.h"

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  auto context = svd::cli::real_context();
  return static_cast<int>(svd::cli::run_command_line(arguments, context));
} catch (const std::exception& error) {
  std::fprintf(stderr, "svctl: internal error: %s\n", svd::printable(error.what()).c_str());
  return static_cast<int>(svd::cli::Exit::error);
}
