// SPDX-License-Identifier: Apache-2.0
// The exit codes of svctl, in one place. `svctl --help` and the manual print this table, so that it cannot
// drift.
#pragma once

#include <array>
#include <string_view>

#include "base/result.h"

namespace svd::cli {

enum class Exit : int {
  ok = 0,
  error = 1,
  changes = 2,
  no_daemon = 3,
  not_found = 4,
  unhealthy = 5,
  usage = 64,  // EX_USAGE of <sysexits.h>: apart from 2, so that a typing mistake never reads as "there are
               // changes"
  interrupted = 130,
};

struct ExitMeaning {
  Exit code;
  std::string_view text;
};
inline constexpr std::array exit_meanings{
    ExitMeaning{Exit::ok, "done, or nothing to do"},
    ExitMeaning{Exit::error, "it failed, or the file has errors"},
    ExitMeaning{Exit::changes, "'plan' and 'apply --dry-run': there are changes to make"},
    ExitMeaning{Exit::no_daemon, "no daemon runs here"},
    ExitMeaning{Exit::not_found, "no such app, instance, ecosystem or revision"},
    ExitMeaning{Exit::unhealthy, "'status': something is not as it should be"},
    ExitMeaning{Exit::usage, "the command line is wrong"},
    ExitMeaning{Exit::interrupted, "interrupted with Ctrl-C"},
};

// What an error that ends a verb means to a script.
[[nodiscard]] constexpr Exit exit_of(const Error& error) {
  if (error.code == std::errc::connection_refused) return Exit::no_daemon;
  if (error.code == std::errc::no_such_process) return Exit::not_found;
  if (error.code == std::errc::argument_out_of_domain) return Exit::usage;
  if (error.code == std::errc::interrupted) return Exit::interrupted;
  return Exit::error;
}

}  // namespace svd::cli
