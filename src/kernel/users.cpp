// SPDX-License-Identifier: Apache-2.0
#include "kernel/users.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

namespace svd {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// `err`: why there is none. A database that does not exist, as in some containers, is an empty one.
File open(const std::string& path, int& err) {
  File file{std::fopen(path.c_str(), "re")};
  err = file || errno == ENOENT ? 0 : errno;
  return file;
}

constexpr std::uint32_t no_id = ~0U;  // "no change" to setresuid(2)

std::optional<std::uint32_t> parse_id(const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == no_id) return std::nullopt;
  return value;
}

// fgetpwent(3) leaves out what a line of NIS ("+name", "-name") lacks.
std::string text_of(const char* field) { return field == nullptr ? "" : field; }

struct User {
  std::uint32_t uid = 0, gid = 0;
  std::string name, home, shell;
};

std::optional<User> find_user(const std::string& file, const std::string& wanted, int& err) {
  const auto id = parse_id(wanted);
  const File passwd = open(file, err);
  if (!passwd) return std::nullopt;
  while (const struct passwd* const entry = ::fgetpwent(passwd.get()))
    if (entry->pw_uid != no_id && entry->pw_gid != no_id &&
        (wanted == entry->pw_name || (id && *id == entry->pw_uid)))
      return User{entry->pw_uid, entry->pw_gid, entry->pw_name, text_of(entry->pw_dir),
                  text_of(entry->pw_shell)};
  return std::nullopt;
}

// One reading of /etc/group answers everything that is asked of it.
struct GroupFile {
  struct Entry {
    std::string name;
    std::uint32_t gid = 0;
    bool has_user = false;
  };
  std::vector<Entry> entries;
  int err = 0;

  GroupFile(const std::string& path, const std::string& user) {
    const File file = open(path, err);
    if (!file) return;
    while (const struct group* const entry = ::fgetgrent(file.get())) {
      if (entry->gr_gid == no_id) continue;
      bool member = false;
      for (char** name = entry->gr_mem; *name != nullptr; ++name)
        member = member || (!user.empty() && user == *name);
      entries.push_back({entry->gr_name, entry->gr_gid, member});
    }
  }

  // A number need not be in the file.
  [[nodiscard]] std::optional<std::uint32_t> find(const std::string& wanted) const {
    const auto found = std::ranges::find(entries, wanted, &Entry::name);
    return found != entries.end() ? std::optional{found->gid} : parse_id(wanted);
  }
};

tl::unexpected<StartFailure> fail_user(StartStage stage, const std::string& name, int err = ENOENT) {
  return tl::make_unexpected(StartFailure{stage, err, name});
}

}  // namespace

Users::Users(std::string passwd, std::string group) : passwd_{std::move(passwd)}, group_{std::move(group)} {}

tl::expected<Identity, StartFailure> Users::resolve(const std::string& user, const std::string& group,
                                                    const std::vector<std::string>& groups) const {
  Identity identity;
  if (user.empty() && group.empty() && groups.empty()) return identity;
  int err = 0;
  const auto known = user.empty() ? std::nullopt : find_user(passwd_, user, err);
  if (err != 0) return fail_user(StartStage::user, user, err);
  if (!user.empty()) {
    identity.uid = known ? std::optional{known->uid} : parse_id(user);
    if (!identity.uid) return fail_user(StartStage::user, user);
  }
  if (known) {
    identity.gid = known->gid;
    identity.name = known->name;
    identity.home = known->home;
    identity.shell = known->shell;
  }
  const GroupFile file{group_, identity.name};
  if (file.err != 0) return fail_user(StartStage::groups, group.empty() ? user : group, file.err);
  if (!group.empty() && !(identity.gid = file.find(group))) return fail_user(StartStage::group, group);
  if (identity.uid && !identity.gid) return fail_user(StartStage::user, user, ENODATA);

  std::vector<std::uint32_t> numbers;
  if (known)
    for (const auto& entry : file.entries)
      if (entry.has_user) numbers.push_back(entry.gid);
  for (const auto& name : groups) {
    const auto gid = file.find(name);
    if (!gid) return fail_user(StartStage::groups, name);
    numbers.push_back(*gid);
  }
  if (identity.gid && known) numbers.push_back(*identity.gid);  // as initgroups(3) does
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (identity.uid || !groups.empty()) identity.groups = std::move(numbers);
  return identity;
}

}  // namespace svd
