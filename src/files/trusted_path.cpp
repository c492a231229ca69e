// SPDX-License-Identifier: Apache-2.0
#include "files/trusted_path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "base/unique_fd.h"

namespace svd {
namespace {

constexpr int most_links = 40;  // the kernel's own bound
constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

UniqueFd start_of(const std::string& path) {
  return UniqueFd{::open(path.starts_with('/') ? "/" : ".", directory_flags)};
}

// The first component, taken off.
std::string take_name(std::string& path) {
  path.erase(0, path.find_first_not_of('/'));
  auto name = path.substr(0, path.find('/'));
  path.erase(0, name.size());
  return name;
}

// What a link says; empty, with errno, when it is not to be followed.
std::string words_of(int directory, const std::string& name) {
  const UniqueFd link{::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  struct stat about {};
  if (!link || ::fstat(link.get(), &about) < 0) return {};
  errno = S_ISLNK(about.st_mode) ? ELOOP : ENOTDIR;
  if (!S_ISLNK(about.st_mode) || (about.st_uid != 0 && about.st_uid != ::geteuid()) || about.st_nlink != 1)
    return {};
  std::array<char, PATH_MAX> target{};
  const auto size = ::readlinkat(link.get(), "", target.data(), target.size());
  return {target.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

int walk(std::string rest) {
  auto directory = start_of(rest);
  for (int links = 0; directory && rest.find_first_not_of('/') != std::string::npos;) {
    const auto name = take_name(rest);
    UniqueFd next{::openat(directory.get(), name.c_str(), directory_flags | O_NOFOLLOW)};
    if (next) {
      directory = std::move(next);
      continue;
    }
    if (errno != ELOOP && errno != ENOTDIR) return -1;
    const auto words = words_of(directory.get(), name);
    if (words.empty()) return -1;
    if (++links > most_links) {
      errno = ELOOP;
      return -1;
    }
    if (words.starts_with('/')) directory = start_of(words);
    rest = words + "/" + rest;
  }
  return directory.release();
}

}  // namespace

int open_trusted_directory(const std::string& path) {
  open_how how{};
  how.flags = directory_flags;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const auto fd = static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how));
  if (fd >= 0 || (errno != ELOOP && errno != ENOSYS && errno != EPERM)) return fd;
  return walk(path);
}

}  // namespace svd
