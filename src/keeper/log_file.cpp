// SPDX-License-Identifier: Apache-2.0
#include "keeper/log_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace svd::keeper {
namespace {

constexpr int most_links = 40;  // the kernel's own bound
constexpr int how_to_open = O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
constexpr mode_t new_mode = 0640;

// What is left of a path, and the directory that it is relative to.
struct Walk {
  char rest[PATH_MAX];
  char name[NAME_MAX + 1];  // the component in hand
  int directory = -1;
  int links = 0;
};

bool is_ours(const struct stat& about) { return about.st_uid == 0 || about.st_uid == ::geteuid(); }

bool is_plain(int fd) {
  struct stat about {};
  return ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 1;
}

bool only_we_write(int directory) {
  struct stat about {};
  if (::fstat(directory, &about) < 0 || !is_ours(about) || (about.st_mode & S_IWOTH) != 0) return false;
  return (about.st_mode & S_IWGRP) == 0 || about.st_gid == 0 || about.st_gid == ::getegid();
}

int enter(Walk& walk, int directory) {
  if (directory < 0) return -errno;
  if (walk.directory >= 0) ::close(walk.directory);
  walk.directory = directory;
  return 0;
}

int start(Walk& walk) {
  return enter(walk, ::open(walk.rest[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// Takes the first component off; false: it is too long. `last`: nothing follows it.
bool take_name(Walk& walk, bool& last) {
  const char* from = walk.rest;
  while (*from == '/') ++from;
  std::size_t size = 0;
  while (from[size] != '\0' && from[size] != '/') ++size;
  if (size > NAME_MAX) return false;
  std::memcpy(walk.name, from, size);
  walk.name[size] = '\0';
  from += size;
  while (*from == '/') ++from;
  last = *from == '\0';
  std::memmove(walk.rest, from, std::strlen(from) + 1);
  return true;
}

// Puts what `link` says in front of the rest. Its own words are taken as they are: links of /proc say what
// only the kernel can follow, and have been followed by it.
int follow(Walk& walk, int link) {
  struct stat about {};
  if (++walk.links > most_links || ::fstat(link, &about) < 0) return -ELOOP;
  if (!is_ours(about) || about.st_nlink != 1)
    return -ELOOP;  // somebody's second name of it is somebody's link
  char target[PATH_MAX];
  const auto size = ::readlinkat(link, "", target, sizeof target);
  if (size < 0) return -errno;
  const auto length = static_cast<std::size_t>(size);
  const std::size_t left = std::strlen(walk.rest);
  if (length + 1 + left + 1 > sizeof walk.rest) return -ENAMETOOLONG;
  std::memmove(walk.rest + length + 1, walk.rest, left + 1);
  std::memcpy(walk.rest, target, length);
  walk.rest[length] = '/';
  if (left == 0) walk.rest[length] = '\0';
  return walk.rest[0] == '/' ? start(walk) : 0;
}

bool is_in_proc(int directory) {
  struct statfs about {};
  return ::fstatfs(directory, &about) == 0 && about.f_type == PROC_SUPER_MAGIC;
}

// One step into a directory or over a link.
int descend(Walk& walk) {
  const int nofollow = is_in_proc(walk.directory) ? 0 : O_NOFOLLOW;
  const int next = ::openat(walk.directory, walk.name, O_PATH | O_CLOEXEC | nofollow);
  struct stat about {};
  if (next < 0 || ::fstat(next, &about) < 0) return -errno;
  if (S_ISDIR(about.st_mode)) return enter(walk, next);
  const int done = S_ISLNK(about.st_mode) ? follow(walk, next) : -ENOTDIR;
  ::close(next);
  return done;
}

// The last component: a descriptor, a negative errno, or 0: it was a link, and the way goes on.
int open_last(Walk& walk) {
  const int nofollow = is_in_proc(walk.directory) ? 0 : O_NOFOLLOW;
  const int fd = ::openat(walk.directory, walk.name, how_to_open | nofollow, new_mode);
  if (fd >= 0) {
    if (is_plain(fd) || only_we_write(walk.directory)) return fd;
    struct stat about {};
    const bool is_file = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    ::close(fd);
    return is_file ? -EMLINK : -EACCES;
  }
  if (errno != ELOOP || nofollow == 0) return -errno;
  const int link = ::openat(walk.directory, walk.name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
  if (link < 0) return -errno;
  const int done = follow(walk, link);
  ::close(link);
  return done;
}

int go(Walk& walk) {
  int done = start(walk);
  while (done == 0) {
    bool last = false;
    if (!take_name(walk, last)) return -ENAMETOOLONG;
    done = last ? open_last(walk) : descend(walk);
  }
  return done;
}

}  // namespace

int open_log_file(const char* path) {
  // Usually there is no link at all on the way, and the kernel can see to that in one call.
  open_how how{};
  how.flags = how_to_open;
  how.mode = new_mode;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const auto fd = static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
  if (fd >= 0 && is_plain(fd)) return fd;
  if (fd >= 0)
    ::close(fd);
  else if (errno != ELOOP && errno != ENOSYS && errno != EPERM)
    return -errno;
  Walk walk;
  if (std::strlen(path) >= sizeof walk.rest) return -ENAMETOOLONG;
  std::strcpy(walk.rest, path);
  const int opened = go(walk);
  if (walk.directory >= 0) ::close(walk.directory);
  return opened;
}

}  // namespace svd::keeper
