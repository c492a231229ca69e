// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"

#include <bit>
#include <cstddef>

namespace svd {
namespace {

struct State {
  std::uint64_t a, b, c, d;  // v0 to v3 of the paper

  explicit State(const SipKey& key)
      : a{0x736f6d6570736575 ^ key[0]},
        b{0x646f72616e646f6d ^ key[1]},
        c{0x6c7967656e657261 ^ key[0]},
        d{0x7465646279746573 ^ key[1]} {}
  void round() {
    a += b;
    c += d;
    b = std::rotl(b, 13) ^ a;
    d = std::rotl(d, 16) ^ c;
    a = std::rotl(a, 32);
    c += b;
    a += d;
    b = std::rotl(b, 17) ^ c;
    d = std::rotl(d, 21) ^ a;
    c = std::rotl(c, 32);
  }
  void absorb(std::uint64_t word) {
    d ^= word;
    round();
    round();
    a ^= word;
  }
  std::uint64_t finish() {
    c ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return a ^ b ^ c ^ d;
  }
};

// Up to eight bytes, least significant first.
std::uint64_t word_of(std::string_view bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return word;
}

constexpr std::uint64_t length_word(std::size_t bytes) { return std::uint64_t{bytes & 0xffU} << 56U; }

}  // namespace

std::uint64_t siphash(const SipKey& key, std::string_view bytes) {
  State state{key};
  const auto length = length_word(bytes.size());
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) state.absorb(word_of(bytes.substr(0, 8)));
  state.absorb(word_of(bytes) | length);
  return state.finish();
}

std::uint64_t siphash(const SipKey& key, std::uint64_t value) {
  State state{key};
  state.absorb(value);
  state.absorb(length_word(8));
  return state.finish();
}

}  // namespace svd
