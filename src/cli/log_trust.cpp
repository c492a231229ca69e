// SPDX-License-Identifier: Apache-2.0
#include "cli/log_trust.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>

namespace svd::cli {
namespace {

constexpr std::string_view base_prefix = "/svd-";  // of BASE, the cgroup of all instances

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  return whole ? std::optional{number} : std::nullopt;
}

std::optional<std::uint32_t> uid_of(const std::string& user) {
  if (const auto number = number_of(user)) return number;
  const auto* const entry = ::getpwnam(user.c_str());
  return entry == nullptr ? std::nullopt : std::optional<std::uint32_t>{entry->pw_uid};
}

bool contains(const std::vector<std::uint32_t>& uids, std::uint32_t uid) {
  return std::ranges::find(uids, uid) != uids.end();
}

// "a" of "a/b/c", which becomes "b/c".
std::string_view take_part(std::string_view& path) {
  const auto part = path.substr(0, path.find('/'));
  path.remove_prefix(std::min(part.size() + 1, path.size()));
  return part;
}

// The line "0::PATH" of /proc/PID/cgroup (cgroups(7)), without what svd made below it for itself.
std::string given_cgroup(std::uint64_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/cgroup"};
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::")) continue;
    auto path = line.substr(3);
    if (path.ends_with("/supervisor")) path.resize(std::min(path.rfind(base_prefix), path.size()));
    return path;
  }
  return {};
}

}  // namespace

std::string instance_of_cgroup(std::string_view cgroup, std::string_view given) {
  if (given == "/") given = {};
  if (!cgroup.starts_with(given)) return {};
  cgroup.remove_prefix(given.size());
  if (!cgroup.starts_with(base_prefix)) return {};
  cgroup.remove_prefix(1);
  take_part(cgroup);
  const auto app = take_part(cgroup);
  const auto start = take_part(cgroup);
  const auto slot = start.substr(0, start.find('.'));
  if (slot.size() == start.size() || !number_of(slot)) return {};
  return std::string{app} + "/" + std::string{slot};
}

bool is_said_by(const JournalOrigin& origin, std::string_view instance, const JournalTrust& trust) {
  if (!trust.cgroup.empty())
    if (const auto writer = instance_of_cgroup(origin.cgroup, trust.cgroup); !writer.empty())
      return writer == instance;
  const auto uid = number_of(origin.uid);
  if (!uid) return false;
  if (*uid == 0 || *uid == ::geteuid() || contains(trust.daemon, *uid)) return true;
  return origin.transport == "stdout" && contains(trust.app, *uid);
}

JournalTrust find_journal_trust(const std::string& user, std::uint64_t keeper) {
  JournalTrust trust;
  struct stat status {};
  if (keeper != 0 && ::stat(("/proc/" + std::to_string(keeper)).c_str(), &status) == 0)
    trust.daemon = {status.st_uid};
  if (const auto uid = user.empty() ? std::nullopt : uid_of(user)) trust.app = {*uid};
  trust.cgroup = given_cgroup(keeper);
  return trust;
}

}  // namespace svd::cli
