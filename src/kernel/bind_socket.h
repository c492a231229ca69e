// SPDX-License-Identifier: Apache-2.0
// One socket of a listener, from socket(2) to listen(2).
//
// It listens from the start, so that connections wait for the first instance instead of being refused, with
// one exception: with `reuse_port` the program binds the address by itself, and a second listening socket
// would take its share of the connections and never hand them to anybody. Then the address is only reserved
// (udp: not even that, since a bound UDP socket receives).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/app_spec.h"

namespace svd {

// Tells the file of a unix socket from one that somebody has put in its place. 0: no socket is there.
[[nodiscard]] std::uint64_t file_mark(const std::string& path);

// Removes the file of a unix socket: the one of this mark; 0: whichever, but only where nobody else can have
// put another one. What stays is replaced when the address is bound next.
void remove_socket_file(const std::string& path, std::uint64_t mark);

// Why a socket could not be had: an errno, and the reason in words ("Address already in use").
struct BindFailure {
  int err = 0;
  std::string reason;
};

struct BindRequest {
  Listener listener;
  bool in_group = false;                      // one of several sockets of one address (SO_REUSEPORT)
  bool blocking = true;                       // as service managers pass sockets; Node wants the other
  std::optional<std::uint32_t> uid{}, gid{};  // owner of a unix socket's file; of a reserved address
  std::vector<std::uint32_t> groups{};        // the other ones of `uid`
  bool operator==(const BindRequest&) const = default;
};
// A unix socket's file that nobody listens on any more is replaced; anything else at its path is not.
tl::expected<UniqueFd, BindFailure> bind_socket(const BindRequest& request);
// Whether somebody has the address, even one who would share it.
[[nodiscard]] std::optional<BindFailure> find_taken(const Listener& listener);

// Everything of a listener that can be changed on a bound socket: its options and its queue's length.
[[nodiscard]] std::optional<BindFailure> apply_options(int fd, const BindRequest& request);
// Who may share a reserved address.
[[nodiscard]] std::optional<BindFailure> apply_sharing(int fd, const BindRequest& request);
// The mode and the owner of a unix socket's file.
[[nodiscard]] std::optional<BindFailure> apply_file(const BindRequest& request);

[[nodiscard]] bool is_unix(const Listener& listener);
[[nodiscard]] bool is_path(const Listener& listener);    // a unix socket with a file
[[nodiscard]] bool is_stream(const Listener& listener);  // connections are accepted from it
// It is bound and nothing else: see above.
[[nodiscard]] bool is_reserved(const Listener& listener);
// "tcp 0.0.0.0:8080", "tcp [::]:80", "tcp *:80" (every address), "unix /run/x", "unix @name"
[[nodiscard]] std::string address_text(const Listener& listener);

}  // namespace svd
