// SPDX-License-Identifier: Apache-2.0
// Descriptors that come from a service manager (FDSTORE, LISTEN_FDS). Whoever can talk to it, or starts us
// with an environment of their choice, can put anything there, so nothing is believed for its name: what svd
// stores bears a seal, made with a key that only svd's user can read, over the name and the very object that
// was stored. What has none is closed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/siphash.h"

namespace svd {

// What may outlive the keeper at all, by the name it is held by: sockets, channels and what they remember.
// Never state and revisions, which are read from the state directory; and no locks. `with_state`: there is no
// state directory (`svd FILE`).
[[nodiscard]] bool is_storable(std::string_view name, bool with_state);

class Seal {
 public:
  // With a key that lasts as long as this process: what it has sealed is not known again by the next.
  static Seal for_now();
  // With the key of `directory` (its file "store-key", 0600, ours), which is made when there is none. Error:
  // it cannot be, or others could have written it.
  static Result<Seal> of_directory(const std::string& directory);

  // 16 hexadecimal digits, for this name and the object behind `fd` (its file system and inode; a socket's
  // cookie, too, which no other socket of this boot ever has). Empty: the object cannot be looked at.
  [[nodiscard]] std::string over(std::string_view name, int fd) const;
  [[nodiscard]] bool fits(std::string_view seal, std::string_view name, int fd) const;

 private:
  explicit Seal(const SipKey& key) : key_{key} {}
  SipKey key_;
};

// "name~seal", as it is stored.
inline constexpr std::size_t seal_size = 1 + 16;
[[nodiscard]] std::string sealed_name(std::string_view name, std::string_view seal);

// What was passed by this name. nullopt: it is not what we have stored.
[[nodiscard]] std::optional<std::string> unseal(const Seal& seal, std::string_view passed, int fd);

}  // namespace svd
