// SPDX-License-Identifier: Apache-2.0
// Small text tools that several modules need.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace svd {

// The candidate nearest to `text` by edit distance, if near enough to be a plausible typing mistake
// (at most a third of its length, at least 1). Backs "did you mean".
[[nodiscard]] std::optional<std::string> nearest(std::string_view text,
                                                 std::span<const std::string> candidates);

// Splits like a POSIX shell: blanks, '…', "…" with \" \\ \$ \` and \ escapes. No expansion of any kind.
// nullopt when a quote is left open or the text ends in a backslash.
[[nodiscard]] std::optional<std::vector<std::string>> split_words(std::string_view text);

// The first code point of a text that is not empty. `length` is in bytes; where the text begins with none it
// is 1, and `value` is not_utf8.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;
};
inline constexpr char32_t not_utf8 = 0xFFFFFFFF;
[[nodiscard]] CodePoint first_code_point(std::string_view text);

// What must not get from an app, a file or a peer to somebody who looks at text: it steers a terminal (C0,
// DEL, C1), shows other text than there is (the controls of bidirectional text, UAX #9), or is not to be seen
// at all (of no width, soft hyphens, separators of lines and paragraphs, tags). not_utf8 is among it. Marks
// that combine and selectors of variants are not: languages are written with them.
[[nodiscard]] bool is_deceptive(char32_t c);

// All of that made visible (\n, \x1b, \u202e), for text from outside that goes to a terminal or log.
[[nodiscard]] std::string printable(std::string_view text);
// The same line by line: the line ends stay.
[[nodiscard]] std::string safe_lines(std::string_view text);

// Position of the first byte that is not well-formed UTF-8 (RFC 3629: no overlongs, no surrogates), or npos.
[[nodiscard]] std::size_t find_invalid_utf8(std::string_view text);

// "SIGTERM" for 15, "SIGRTMIN+3" for real-time signals, "signal 99" otherwise.
[[nodiscard]] std::string signal_name(int number);
// 15 for "SIGTERM", "TERM" or "15"; nullopt for what is no signal (1..64).
[[nodiscard]] std::optional<int> parse_signal(std::string_view text);

}  // namespace svd
