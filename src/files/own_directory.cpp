// SPDX-License-Identifier: Apache-2.0
#include "files/own_directory.h"

#include <sys/stat.h>

#include <cerrno>

namespace svd {

Result<> check_own_directory(const std::string& path, std::uint32_t uid) {
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0) return fail_errno(errno, "cannot use the directory '" + path + "'");
  if (!S_ISDIR(status.st_mode))
    return fail(std::errc::not_a_directory, "cannot use '" + path + "': it is no directory");
  if (status.st_uid != uid || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(std::errc::permission_denied,
                "cannot use the directory '" + path +
                    "': others may write to it, so they could take the daemon's place");
  return {};
}

std::uint64_t mount_namespace() {
  struct stat status {};
  return ::stat("/proc/self/ns/mnt", &status) == 0 ? static_cast<std::uint64_t>(status.st_ino) : 0;
}

}  // namespace svd
