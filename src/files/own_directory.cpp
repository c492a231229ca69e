// SPDX-License-Identifier: Apache-2.0
#include "files/own_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "files/io.h"

namespace svd {
namespace {

bool others_may_write(const struct stat& directory) { return (directory.st_mode & (S_IWGRP | S_IWOTH)) != 0; }

Result<> check(const std::string& path, const struct stat& status, std::uint32_t uid) {
  if (!S_ISDIR(status.st_mode))
    return fail(std::errc::not_a_directory, "cannot use '" + path + "': it is no directory");
  if (status.st_uid != uid || others_may_write(status))
    return fail(std::errc::permission_denied,
                "cannot use the directory '" + path +
                    "': others may write to it, so they could take the daemon's place");
  return {};
}

// Of its entries only their own users can rename or remove one.
bool keeps_what_is_ours(int directory, std::uint32_t uid) {
  struct stat status {};
  return ::fstat(directory, &status) == 0 && (status.st_uid == 0 || status.st_uid == uid) &&
         (!others_may_write(status) || (status.st_mode & S_ISVTX) != 0);
}

}  // namespace

Result<> check_own_directory(const std::string& path, std::uint32_t uid) {
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0) return fail_errno(errno, "cannot use the directory '" + path + "'");
  return check(path, status, uid);
}

Result<> check_own_directory_among_others(const std::string& path, std::uint32_t uid) {
  const auto where = split_path(path);
  const UniqueFd parent{::open(where.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  struct stat status {};
  if (!parent || ::fstatat(parent.get(), where.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0)
    return fail_errno(errno, "cannot use the directory '" + path + "'");
  if (!keeps_what_is_ours(parent.get(), uid))
    return fail(std::errc::permission_denied,
                "cannot use the directory '" + path + "': others may put another one into its place");
  return check(path, status, uid);
}

std::uint64_t mount_namespace() {
  struct stat status {};
  return ::stat("/proc/self/ns/mnt", &status) == 0 ? static_cast<std::uint64_t>(status.st_ino) : 0;
}

}  // namespace svd
