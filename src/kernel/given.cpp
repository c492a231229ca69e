// SPDX-License-Identifier: Apache-2.0
#include "kernel/given.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "kernel/hardening.h"

namespace svd {
namespace {

constexpr std::uint64_t bit(unsigned capability) { return std::uint64_t{1} << capability; }
constexpr std::uint32_t keepers_umask = 022;  // keeper/main.cpp

struct CapabilitySets {
  std::uint64_t effective = 0, permitted = 0;
};

std::optional<CapabilitySets> own_capabilities() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &head, data.data()) != 0) return std::nullopt;
  const auto whole = [](std::uint32_t low, std::uint32_t high) { return std::uint64_t{high} << 32U | low; };
  return CapabilitySets{whole(data[0].effective, data[1].effective),
                        whole(data[0].permitted, data[1].permitted)};
}

bool set_capabilities(std::uint64_t set) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  const auto low = static_cast<std::uint32_t>(set), high = static_cast<std::uint32_t>(set >> 32U);
  std::array<__user_cap_data_struct, 2> data{{{low, low, 0}, {high, high, 0}}};
  return ::syscall(SYS_capset, &head, data.data()) == 0;
}

std::uint64_t own_ambient() {
  std::uint64_t set = 0;
  for (unsigned one = 0; one <= CAP_LAST_CAP; ++one)
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, one, 0, 0) == 1) set |= bit(one);
  return set;
}

std::vector<std::uint32_t> own_groups() {
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  return {groups.begin(), groups.end()};
}

// Of a program that brings none by itself: root's are all that are not dropped, others' the ambient ones.
std::uint64_t capabilities_of(const LaunchPlan& plan, std::uint32_t uid) {
  const auto begun = uid == 0             ? ~std::uint64_t{0}
                     : uid == ::geteuid() ? own_ambient() | plan.harden.ambient
                                          : plan.harden.ambient;
  return begun & plan.harden.capabilities.value_or(~std::uint64_t{0});
}

std::optional<std::uint64_t> hex_number(const std::optional<std::string>& text) {
  std::uint64_t value = 0;
  if (!text || text->empty()) return std::nullopt;
  const auto* const end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, value, 16);
  return read.ec == std::errc{} && read.ptr == end ? std::optional{value} : std::nullopt;
}

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), value, 16).ptr;
  return {digits.begin(), end};
}

bool change_user(const Given& given) {
  const std::vector<gid_t> groups{given.groups.begin(), given.groups.end()};
  return ::setgroups(groups.size(), groups.data()) == 0 &&
         ::setresgid(given.gid, given.gid, given.gid) == 0 && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
         ::setresuid(given.uid, given.uid, given.uid) == 0;
}

bool is_user(const Given& given) {
  std::array<uid_t, 3> users{};
  std::array<gid_t, 3> groups{};
  if (::getresuid(&users[0], &users[1], &users[2]) != 0 ||
      ::getresgid(&groups[0], &groups[1], &groups[2]) != 0)
    return false;
  return std::ranges::all_of(users, [&](auto one) { return one == given.uid; }) &&
         std::ranges::all_of(groups, [&](auto one) { return one == given.gid; });
}

}  // namespace

bool Given::may_change_user() const { return (capabilities & (bit(CAP_SETUID) | bit(CAP_SETGID))) != 0; }

Given given_by(const LaunchPlan& plan, const Identity& identity, bool may_mount) {
  Given given;
  given.uid = identity.uid.value_or(::geteuid());
  given.gid = identity.gid.value_or(::getegid());
  given.groups = identity.groups ? *identity.groups : own_groups();
  given.capabilities = capabilities_of(plan, given.uid);
  given.umask = plan.umask.value_or(keepers_umask);
  given.own_mounts = needs_own_mounts(plan.harden, may_mount && !plan.credentials.empty());
  return given;
}

std::string write_given(const Given& given) {
  std::string groups;
  for (const auto group : given.groups) groups += (groups.empty() ? "" : ",") + std::to_string(group);
  return R"({"uid":)" + std::to_string(given.uid) + R"(,"gid":)" + std::to_string(given.gid) +
         R"(,"groups":[)" + groups + R"(],"capabilities":")" + hex(given.capabilities) + R"(","umask":)" +
         std::to_string(given.umask) + R"(,"mounts":)" + (given.own_mounts ? "true" : "false") + "}";
}

std::optional<Given> read_given(const ipc::JsonView& from) {
  const auto uid = from.integer("uid"), gid = from.integer("gid"), umask = from.integer("umask");
  const auto groups = from.member("groups");
  const auto capabilities = hex_number(from.string("capabilities"));
  const auto mounts = from.boolean("mounts");
  if (!uid || !gid || !umask || !groups || !capabilities || !mounts) return std::nullopt;
  Given given{static_cast<std::uint32_t>(*uid),
              static_cast<std::uint32_t>(*gid),
              {},
              *capabilities,
              static_cast<std::uint32_t>(*umask) & 0777U,
              *mounts};
  for (const auto& one : groups->elements()) {
    const auto group = one.integer();
    if (!group) return std::nullopt;
    given.groups.push_back(static_cast<std::uint32_t>(*group));
  }
  return given;
}

int become(const Given& given) noexcept {
  ::umask(static_cast<mode_t>(given.umask));
  if (::geteuid() == 0 && !change_user(given)) return errno;
  const auto before = own_capabilities();
  if (!before || !set_capabilities(before->permitted & given.capabilities)) return EPERM;
  const auto now = own_capabilities();
  const bool is = now && ((now->effective | now->permitted) & ~given.capabilities) == 0 && is_user(given);
  return is ? 0 : EPERM;
}

}  // namespace svd
