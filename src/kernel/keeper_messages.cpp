// SPDX-License-Identifier: Apache-2.0
#include "kernel/keeper_messages.h"

#include <algorithm>
#include <cstring>

namespace svd {
namespace {

bool take_text(std::string_view& bytes, std::size_t size, std::string& out) {
  if (bytes.size() < size) return false;
  out = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

void skip_padding(std::string_view& bytes, std::size_t written) {
  bytes.remove_prefix(std::min(bytes.size(), (8 - written % 8) % 8));
}

}  // namespace

void add_children(std::string_view body, std::uint32_t count, std::vector<KeeperChild>& out) {
  KeeperChild child;
  for (; count > 0 && take(body, child.facts); --count) {
    if (!take_text(body, child.facts.cgroup_size, child.cgroup) ||
        !take_text(body, child.facts.cookie_size, child.cookie))
      return;
    skip_padding(body, child.cgroup.size() + child.cookie.size());
    out.push_back(child);
  }
}

void add_held(std::string_view body, std::uint32_t count, std::vector<UniqueFd> fds,
              std::vector<NamedDescriptor>& out) {
  keeper::NamedFd head{};
  for (std::size_t i = 0; i < count && i < fds.size() && take(body, head); ++i) {
    std::string name;
    if (!take_text(body, head.name_size, name)) return;
    skip_padding(body, name.size());
    out.emplace_back(std::move(name), std::move(fds[i]));
  }
}

std::vector<keeper::Report> read_reports(std::string_view body, std::uint32_t count) {
  std::vector<keeper::Report> reports(std::min<std::size_t>(count, body.size() / sizeof(keeper::Report)));
  if (!reports.empty()) std::memcpy(reports.data(), body.data(), reports.size() * sizeof(keeper::Report));
  return reports;
}

}  // namespace svd
