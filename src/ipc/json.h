// SPDX-License-Identifier: Apache-2.0
// JSON text (RFC 8259) looked at in place. parse() checks all of it once; after that values are found by
// walking over the text, and what is passed on is passed on as it was written: a message's numbers, order of
// keys and escapes are its sender's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace svd::ipc {

class JsonView {
 public:
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
  // Deeper text is refused: it is somebody's trap for a recursive reader, and its receiver may be one.
  static constexpr std::size_t max_depth = 1000;

  // nullopt: `text` is not exactly one value with blanks around it, is nested too deeply, or is no UTF-8. The
  // view refers to `text`.
  static std::optional<JsonView> parse(std::string_view text);

  [[nodiscard]] Kind kind() const noexcept;
  [[nodiscard]] std::string_view text() const noexcept { return text_; }  // without blanks around it
  // Of an object. When a name comes twice the last one counts, as it does for JavaScript.
  [[nodiscard]] std::optional<JsonView> member(std::string_view name) const;
  [[nodiscard]] std::vector<JsonView> elements() const;  // of an array; else empty
  // Unescaped; half a surrogate pair becomes U+FFFD.
  [[nodiscard]] std::optional<std::string> string() const;
  // A number that is one: 1.0 and 1e3 are, 1.5 and what is beyond 2^53 are not.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<bool> boolean() const;

  // The same, of a member; nullopt also when it is absent or of another kind.
  [[nodiscard]] std::optional<std::string> string(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view name) const;

 private:
  explicit JsonView(std::string_view text) : text_{text} {}
  std::string_view text_;
};

// `text` as a JSON string, quotes included. What is no UTF-8 becomes U+FFFD.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace svd::ipc
