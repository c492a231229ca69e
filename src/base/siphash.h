// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 of eight bytes under a secret key (Aumasson and Bernstein, 2012): who lacks the key can neither
// compute it nor tell what was hashed. Written here because libc has no keyed hash and libsystemd shows none.
#pragma once

#include <cstdint>

namespace svd {

struct SipKey {
  std::uint64_t low = 0, high = 0;  // little-endian halves of the 16 bytes
};

// Of `value` as eight bytes, least significant first.
[[nodiscard]] std::uint64_t siphash(const SipKey& key, std::uint64_t value);

}  // namespace svd
