// SPDX-License-Identifier: Apache-2.0
// Where a daemon lives. svctl and the engine compute the same answer from the same environment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace svd {

// The D-Bus address of a socket at a path, and the path of an address: "unix:path=/a%2cb". All bytes but
// those that the D-Bus specification lets stand are escaped, so that no path is cut at a ',' or ';'. path_of:
// nullopt where it is another kind of address, one with more than a path, or several.
[[nodiscard]] std::string address_of_path(std::string_view path);
[[nodiscard]] std::optional<std::string> path_of_address(std::string_view address);

struct Directories {
  std::string runtime;  // the lock and the bus socket
  std::string state;    // revisions, runtime state (mode 0700)
  std::string log;      // log files of apps, and the daemon's own svd.log
  bool shared = false;  // `runtime` is in a directory where anybody may make something of that name first
  [[nodiscard]] std::string socket() const { return runtime + "/bus"; }
  [[nodiscard]] std::string address() const { return address_of_path(socket()); }
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// $SVD_HOME: $SVD_HOME/{run,state,log}. Else for uid 0: /run/svd, /var/lib/svd, /var/log/svd. Else the XDG
// directories: $XDG_RUNTIME_DIR/svd (default /run/user/UID/svd where `runtime_exists` says so, else
// STATE/run), $XDG_STATE_HOME/svd (default
// ~/.local/state/svd) and its log/. Error: a relative SVD_HOME, no HOME, or a socket path over the 107 bytes
// of sun_path (unix(7)).
[[nodiscard]] Result<Directories> find_directories(
    const Environment& environment, std::uint32_t uid,
    const std::function<bool(const std::string&)>& runtime_exists);

// Where a daemon of one file (`svd FILE`) lives when it may not write there, as in a container with a
// read-only root: best first. Others may make directories there, too, so the owner has to be looked at;
// `place` tells apart the containers that share one (the number of their mount namespace).
[[nodiscard]] std::vector<Directories> fallback_directories(std::uint32_t uid, std::uint64_t place);

}  // namespace svd
