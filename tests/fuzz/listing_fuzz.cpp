// SPDX-License-Identifier: Apache-2.0
// Any bytes as what the keeper says; and a table of children as the keeper writes it is read as it was.
#include <fcntl.h>

#include <cstring>
#include <string>

#include "fuzz/fuzz.h"
#include "keeper/wire.h"
#include "kernel/keeper_messages.h"

using namespace svd;
using fuzz::require;

namespace {

template <class T>
void append(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void pad(std::string& message) { message.resize((message.size() + 7) / 8 * 8); }

std::string write_children(const std::vector<KeeperChild>& children) {
  std::string body;
  for (const auto& child : children) {
    append(body, child.facts);
    body += child.cgroup + child.cookie;
    pad(body);
  }
  return body;
}

void read_children(std::string_view body, std::uint32_t count) {
  const auto children = fuzz::within(64 * body.size() + 4096, [&] {
    std::vector<KeeperChild> found;
    add_children(body, count, found);
    return found;
  });
  require(children.size() <= count && children.size() <= body.size() / sizeof(keeper::Child));
  for (const auto& child : children)
    require(child.cgroup.size() == child.facts.cgroup_size && child.cookie.size() == child.facts.cookie_size);
  std::vector<KeeperChild> again;
  const auto written = write_children(children);
  add_children(written, static_cast<std::uint32_t>(children.size()), again);
  require(write_children(again) == written);
}

void read_held(std::string_view body, std::uint32_t count) {
  static const UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  std::vector<UniqueFd> fds;
  for (std::uint32_t i = 0; i < 3; ++i) fds.emplace_back(::fcntl(null.get(), F_DUPFD_CLOEXEC, 3));
  std::vector<NamedDescriptor> held;
  add_held(body, count, std::move(fds), held);
  require(held.size() <= 3 && held.size() <= count);
  for (const auto& [name, fd] : held) require(static_cast<bool>(fd) && name.size() <= body.size());
}

}  // namespace

FUZZ_TARGET(listing) {
  auto body = bytes;
  keeper::Header header{};
  if (!take(body, header)) return;
  read_children(body, header.count);
  read_held(body, header.count);
  require(read_reports(body, header.count).size() <= header.count);
}
