// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"

#include <bit>

namespace svd {
namespace {

struct State {
  std::uint64_t a, b, c, d;  // v0 to v3 of the paper

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
};

}  // namespace

std::uint64_t siphash(const SipKey& key, std::uint64_t value) {
  constexpr std::uint64_t length = 8ULL << 56U;  // the last word holds the number of bytes
  State state{0x736f6d6570736575 ^ key.low, 0x646f72616e646f6d ^ key.high, 0x6c7967656e657261 ^ key.low,
              0x7465646279746573 ^ key.high};
  state.absorb(value);
  state.absorb(length);
  state.c ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.a ^ state.b ^ state.c ^ state.d;
}

}  // namespace svd
