// SPDX-License-Identifier: Apache-2.0
// The regular expressions of "/regex/" names. Own and small, because std::regex backtracks: a hostile pattern
// would hang or overflow the daemon's only thread. This one runs all alternatives side by side (Thompson):
// time is at most pattern × text. Understood: literals, . [abc] [^a-z] ( ) | * + ? ^ $ and \ before any
// character, which makes it literal.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace svd {

class Pattern {
 public:
  static constexpr std::size_t max_length = 256;  // characters of a pattern

  static Result<Pattern> parse(std::string_view text);
  // It matches somewhere in `text`.
  [[nodiscard]] bool search(std::string_view text) const;

  // One instruction of the matcher; jumps are relative, so that pieces can be put together.
  struct Instruction {
    enum class Kind : std::uint8_t { one_of, split, jump, at_begin, at_end, match };
    Kind kind = Kind::match;
    std::int32_t first = 0, second = 0;  // split: both ways; jump: first
    std::uint32_t set = 0;               // one_of: index into sets
  };
  using Set = std::bitset<256>;

 private:
  std::vector<Instruction> program_;
  std::vector<Set> sets_;
};

}  // namespace svd
