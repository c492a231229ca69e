// SPDX-License-Identifier: Apache-2.0
// The little that is asked of, and told to, the keeper before it is safe to take anything over from it.
#pragma once

#include <cstdint>
#include <string_view>

namespace svd {

// Whether the keeper has started an engine before this one. Waits for its greeting, at most 10 s, and leaves
// it unread.
[[nodiscard]] bool has_served_before(int socket);
// Whether there is a keeper at all at this descriptor.
[[nodiscard]] bool is_keeper(int socket);
// The process that made the socket: the keeper, unless an engine made it for a keeper that it started; 0: it
// cannot be told.
[[nodiscard]] std::int64_t maker_of(int socket);
// The keeper ends with `code`, and tells `sentence` to whoever waits for it to be ready.
void send_quit(int socket, int code, std::string_view sentence);

}  // namespace svd
