// SPDX-License-Identifier: Apache-2.0
// The engine's command line. `svd` passes its own arguments through, so both accept the same ones.
#pragma once

#include <span>
#include <string>

#include "base/result.h"

namespace svd {

struct Options {
  bool help = false;
  bool version = false;
  bool daemonize = false;  // stdout and stderr belong into LOG/svd.log
  std::string file;        // the ecosystem that this daemon is for; empty: none
  std::string profile;     // of the file
};

// Error invalid_argument: the sentence names the argument. --foreground and --ready-fd N are the keeper's and
// only checked.
[[nodiscard]] Result<Options> parse_options(std::span<const char* const> arguments);

inline constexpr const char* usage_text =
    R"(Usage: svd [--foreground | --daemonize] [--ready-fd N]
       svd [--profile PROFILE] FILE

The engine of svd. The keeper `svd` starts it; it cannot run alone.

  --foreground   log to standard error (the default)
  --daemonize    run in the background and log to svd.log in the log directory; returns when it serves
  --ready-fd N   write "ready", or why not, to descriptor N once apps are supervised
  --profile P    merge this profile of FILE over its apps
  --help         show this text
  --version      show the version

SVD_HOME names a directory that holds run, state and log of a daemon of its own.
SVD_CGROUPS=off makes it work as on a host without cgroups; `svctl daemon status` says what that costs.
SVD_CONFINE=off has the engine of a service, or of PID 1, keep all rights that it was started with.
SVD_CGROUPS=delegated says that its own cgroup was given to it, where that cannot be seen (units/user).
)";

}  // namespace svd
