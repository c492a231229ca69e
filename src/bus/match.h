// SPDX-License-Identifier: Apache-2.0
// Match rules (D-Bus specification, "Message Bus Message Routing - Match Rules") as far as they choose among
// the signals that svd sends. What a rule says beyond that (arg0, destination, a key not known here) is
// accepted and ignored: the client then gets a signal too many, never one too few, and its library filters
// once more.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace svd::bus {

struct MatchRule {
  std::string type;            // empty: any; only "signal" can ever match
  std::string sender;          // empty: any
  std::string interface;       // empty: any
  std::string member;          // empty: any
  std::string path;            // empty: any
  std::string path_namespace;  // empty: any; "/" too
  std::string rest;  // the ignored keys in sorted order, so that rules that differ in them alone stay apart
  bool operator==(const MatchRule&) const = default;
};

// A signal that svd may send, as rules see it. An empty path stands for "some path": used to ask whether a
// rule could ever match a kind of signal.
struct SignalName {
  std::string_view interface;
  std::string_view member;
  std::string_view path;
};

// Error bad_message: not a match rule. `text` may be anything, of any length.
[[nodiscard]] Result<MatchRule> parse_match(std::string_view text);

[[nodiscard]] bool matches(const MatchRule& rule, const SignalName& signal);

// The rules of one connection. Bounded, since a client fills it.
class MatchSet {
 public:
  // Error no_buffer_space: the connection has max_rules already. Equal rules are counted, as on a message
  // bus.
  Result<> add(MatchRule rule);
  // Removes one of the rules equal to `rule`; false when there is none.
  [[nodiscard]] bool remove(const MatchRule& rule);
  [[nodiscard]] bool wants(const SignalName& signal) const;
  [[nodiscard]] bool empty() const noexcept { return rules_.empty(); }

 private:
  std::vector<MatchRule> rules_;
};

inline constexpr std::size_t max_rules = 512;         // a connection; dbus-daemon's default is 512 too
inline constexpr std::size_t max_rule_length = 1024;  // bytes; the specification's own limit

}  // namespace svd::bus
