// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keeper/command.h"

namespace svd::keeper {

struct Options {
  CommandOptions command;  // its argv is nullptr unless one was given
  bool daemonize = false;
  bool adopt = false;  // an engine started us: the socket is at engine_fd
  int ready_fd = -1;
  char** engine_argv = nullptr;  // "engine", then our arguments but --ready-fd and --adopt
  char engine_path[4096] = {};
};

// -1: go on; else the exit code to end with at once (help, version, mistakes).
int read_options(int argc, char** argv, Options& out);

}  // namespace svd::keeper
