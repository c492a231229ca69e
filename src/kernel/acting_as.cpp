// SPDX-License-Identifier: Apache-2.0
#include "kernel/acting_as.h"

#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace svd {
namespace {

std::vector<gid_t> own_groups() {
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  groups.resize(
      static_cast<std::size_t>(std::max(::getgroups(static_cast<int>(groups.size()), groups.data()), 0)));
  return groups;
}

// They tell the former one, and never an error: asked with what cannot be.
constexpr uid_t nobody_at_all = ~uid_t{0};
bool file_user_is(uid_t uid) { return static_cast<uid_t>(::setfsuid(nobody_at_all)) == uid; }
bool file_group_is(gid_t gid) { return static_cast<gid_t>(::setfsgid(nobody_at_all)) == gid; }

}  // namespace

ActingAs::ActingAs(std::uint32_t uid, std::uint32_t gid, const std::vector<std::uint32_t>& groups)
    : groups_{own_groups()} {
  // Raw: the wrapper of libc would tell all threads.
  works_ = ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
  ::setfsgid(gid);
  ::setfsuid(uid);
  works_ = works_ && file_user_is(uid) && file_group_is(gid);
}

ActingAs::~ActingAs() {
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
  ::syscall(SYS_setgroups, groups_.size(), groups_.data());
}

}  // namespace svd
