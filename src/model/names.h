// SPDX-License-Identifier: Apache-2.0
// Names that became safe by being parsed: nothing downstream checks them again.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace svd {

// The name of an ecosystem, app or listener: [A-Za-z0-9][A-Za-z0-9_.-]*, 1 to 63 characters. It becomes a
// cgroup directory, part of a file name and of a log field, so parse() is the only way to get one.
class Name {
 public:
  Name() = default;  // empty: "no name", only as a member before it is filled
  static Result<Name> parse(std::string_view text);

  [[nodiscard]] const std::string& str() const noexcept { return text_; }
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
  auto operator<=>(const Name&) const = default;

 private:
  explicit Name(std::string text) : text_{std::move(text)} {}
  std::string text_;
};

// An app of one ecosystem; written "shop:web".
struct AppId {
  Name ecosystem;
  Name app;
  auto operator<=>(const AppId&) const = default;
  [[nodiscard]] std::string str() const { return ecosystem.str() + ":" + app.str(); }
};

// A position of an app that instances fill one after the other; written "shop:web/0".
struct SlotId {
  AppId app;
  std::uint32_t slot = 0;
  auto operator<=>(const SlotId&) const = default;
  [[nodiscard]] std::string str() const { return app.str() + "/" + std::to_string(slot); }
};

// One start of one process, unique for the life of a state directory; 0 means none. The keeper's key for a
// child.
enum class StartId : std::uint64_t {};

// A running operation that clients wait on; unique for the life of a state directory, 0 means none.
enum class ChangeId : std::uint64_t {};

}  // namespace svd
