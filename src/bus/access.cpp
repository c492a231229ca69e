// SPDX-License-Identifier: Apache-2.0
#include "bus/access.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace svd::bus {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File open(const std::string& path) { return File{std::fopen(path.c_str(), "re")}; }

Result<std::vector<std::uint32_t>> groups_of(int socket) {
  std::vector<gid_t> groups(16);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      return groups;
    }
    if (errno != ERANGE) return fail_errno(errno, "cannot read the groups of a client");
    groups.resize(size / sizeof(gid_t));  // the kernel says how many it has
  }
}

struct Group {
  std::uint32_t gid = 0;
  std::vector<std::string> members;
};

Result<Group> find_group(const AccessRules& rules) {
  if (const auto file = open(rules.group_file)) {
    while (const ::group* entry = ::fgetgrent(file.get())) {
      if (rules.group != entry->gr_name) continue;
      Group found{entry->gr_gid, {}};
      for (char** member = entry->gr_mem; *member != nullptr; ++member) found.members.emplace_back(*member);
      return found;
    }
  }
  return fail(std::errc::no_such_process, "cannot find the group '" + rules.group + "'");
}

}  // namespace

Result<Peer> peer_of(int socket) {
  ucred creds{};
  socklen_t size = sizeof creds;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &creds, &size) < 0)
    return fail_errno(errno, "cannot read the credentials of a client");
  SVD_TRY(auto groups, groups_of(socket));
  std::erase(groups, creds.gid);
  groups.insert(groups.begin(), creds.gid);
  return Peer{creds.pid, creds.uid, std::move(groups)};
}

Access access_of(const Peer& peer, const AccessRules& rules) {
  if (peer.uid == 0 || peer.uid == rules.own_uid) return Access::full;
  const auto group = find_group(rules);
  if (!group) return Access::none;
  if (std::ranges::find(peer.groups, group->gid) != peer.groups.end()) return Access::member;
  const bool listed = std::ranges::find(group->members, user_name(peer.uid, rules)) != group->members.end();
  return listed ? Access::member : Access::none;
}

std::string user_name(std::uint32_t uid, const AccessRules& rules) {
  if (const auto file = open(rules.user_file)) {
    while (const ::passwd* entry = ::fgetpwent(file.get()))
      if (entry->pw_uid == uid) return entry->pw_name;
  }
  return std::to_string(uid);
}

Result<std::uint32_t> group_id(const AccessRules& rules) {
  SVD_TRY(const auto group, find_group(rules));
  return group.gid;
}

}  // namespace svd::bus
