// SPDX-License-Identifier: Apache-2.0
// What the keeper says, taken apart. Counts and sizes are believed no further than the bytes go; what does
// not fit ends the reading. Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "keeper/protocol.h"

namespace svd {

struct KeeperChild {
  keeper::Child facts;
  std::string cgroup;  // relative to the base; empty: none
  std::string cookie;
};
using NamedDescriptor = std::pair<std::string, UniqueFd>;

// Copies a fixed-size struct off the front. False: too short, and nothing was taken.
template <class T>
bool take(std::string_view& bytes, T& out) {
  if (bytes.size() < sizeof out) return false;
  std::memcpy(&out, bytes.data(), sizeof out);
  bytes.remove_prefix(sizeof out);
  return true;
}
// The bodies of messages; `count` is the header's.
void add_children(std::string_view body, std::uint32_t count, std::vector<KeeperChild>& out);
void add_held(std::string_view body, std::uint32_t count, std::vector<UniqueFd> fds,
              std::vector<NamedDescriptor>& out);
[[nodiscard]] std::vector<keeper::Report> read_reports(std::string_view body, std::uint32_t count);

}  // namespace svd
