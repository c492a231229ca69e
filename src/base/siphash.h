// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 (Aumasson, Bernstein): a keyed hash of 64 bits. Whoever has not the key can neither make a
// hash of something nor find what one was made of.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace svd {

using SipKey = std::array<std::uint64_t, 2>;

[[nodiscard]] constexpr std::uint64_t siphash(const SipKey& key, std::string_view text) {
  std::uint64_t a = key[0] ^ 0x736f6d6570736575, b = key[1] ^ 0x646f72616e646f6d,
                c = key[0] ^ 0x6c7967656e657261, d = key[1] ^ 0x7465646279746573;
  const auto rounds = [&](int count) {
    for (; count > 0; --count) {
      a += b, b = std::rotl(b, 13) ^ a, a = std::rotl(a, 32);
      c += d, d = std::rotl(d, 16) ^ c;
      a += d, d = std::rotl(d, 21) ^ a;
      c += b, b = std::rotl(b, 17) ^ c, c = std::rotl(c, 32);
    }
  };
  const auto mix = [&](std::uint64_t word) { d ^= word, rounds(2), a ^= word; };
  const auto word_at = [&](std::size_t at) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 8 && at + i < text.size(); ++i)
      word |= std::uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
    return word;
  };
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) mix(word_at(at));
  mix(word_at(at) | std::uint64_t{text.size() & 0xffU} << 56U);
  c ^= 0xff;
  rounds(4);
  return a ^ b ^ c ^ d;
}

}  // namespace svd
