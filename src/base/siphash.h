// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 (Aumasson and Bernstein, 2012) under a secret key: who lacks the key can neither make a hash of
// something nor find what one was made of. Written here because libc has no keyed hash and libsystemd shows
// none.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace svd {

using SipKey = std::array<std::uint64_t, 2>;  // the halves of the 16 bytes, each little-endian

[[nodiscard]] std::uint64_t siphash(const SipKey& key, std::string_view bytes);
// Of `value` as eight bytes, least significant first.
[[nodiscard]] std::uint64_t siphash(const SipKey& key, std::uint64_t value);

}  // namespace svd
