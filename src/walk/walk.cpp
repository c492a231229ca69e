// SPDX-License-Identifier: Apache-2.0
#include "walk/walk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace svd::walk {
namespace {

static_assert(sizeof Found::name == NAME_MAX + 1);

constexpr int most_links = 40;  // the kernel's own bound
constexpr int quietly = O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
constexpr int to_append = O_WRONLY | O_APPEND | O_CREAT | quietly;
constexpr mode_t new_mode = 0640;
constexpr int went_on = -4096;  // a step that has no descriptor to give yet; no errno is that large

// What is left of a path, and the directory that it is relative to.
struct Walk {
  Found& found;
  Want want;
  Links links;
  char rest[PATH_MAX];
  int directory = -1;
  struct stat here {};
  int count = 0;  // links so far
};

int refuse(Walk& walk, Blame blame, int err) {
  walk.found.blame = blame;
  return -err;
}

bool is_plain(int fd) {
  struct stat about {};
  return ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 1;
}

bool only_we_write(const struct stat& about) {
  if (!is_trusted(about.st_uid) || (about.st_mode & S_IWOTH) != 0) return false;
  return (about.st_mode & S_IWGRP) == 0 || about.st_gid == 0 || about.st_gid == ::getegid();
}

int enter(Walk& walk, int directory) {
  if (directory < 0) return -errno;
  if (walk.directory >= 0) ::close(walk.directory);
  walk.directory = directory;
  return ::fstat(directory, &walk.here) < 0 ? -errno : went_on;
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
  std::memcpy(walk.found.name, from, size);
  walk.found.name[size] = '\0';
  if (size == 0) std::strcpy(walk.found.name, ".");  // of "/"
  from += size;
  while (*from == '/') ++from;
  last = *from == '\0';
  std::memmove(walk.rest, from, std::strlen(from) + 1);
  return true;
}

// Somebody else's link, or his second name of one of ours.
bool is_foreign(const struct stat& link) { return !is_trusted(link.st_uid) || link.st_nlink != 1; }

// Puts what `link` says in front of the rest.
int follow(Walk& walk, int link, const struct stat& about) {
  if (++walk.count > most_links) return -ELOOP;
  if (walk.links == Links::trusted && is_foreign(about)) return refuse(walk, Blame::link, ELOOP);
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
  return walk.rest[0] == '/' ? start(walk) : went_on;
}

bool is_in_proc(int directory) {
  struct statfs about {};
  return ::fstatfs(directory, &about) == 0 && about.f_type == PROC_SUPER_MAGIC;
}

// Links of /proc say what only the kernel can follow. Whose process they are of has a say.
int meet_link_of_proc(Walk& walk) {
  struct stat link {};
  if (::fstatat(walk.directory, walk.found.name, &link, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(link.st_mode))
    return went_on;
  if (walk.links == Links::trusted && !is_trusted(link.st_uid)) return refuse(walk, Blame::link, ELOOP);
  hear(walk.found.say, walk.here, link);
  return went_on;
}

// How the component in hand is to be opened, or a negative errno.
int flag_for_links(Walk& walk) {
  if (!is_in_proc(walk.directory)) return O_NOFOLLOW;
  const int met = meet_link_of_proc(walk);
  return met == went_on ? 0 : met;
}

int judge(Walk& walk, const struct stat& about) {
  hear(walk.found.say, walk.here, about);
  if (walk.links == Links::trusted) return went_on;
  if (S_ISDIR(about.st_mode) && !they_may(walk.found.say, about, may_search))
    return refuse(walk, Blame::way, EACCES);
  return went_on;
}

// The component in hand, O_PATH.
int take_hold(Walk& walk, struct stat& about) {
  const int flag = flag_for_links(walk);
  if (flag < 0) return flag;
  const int fd = ::openat(walk.directory, walk.found.name, O_PATH | O_CLOEXEC | flag);
  if (fd < 0) return -errno;
  const int judged = ::fstat(fd, &about) < 0 ? -errno : judge(walk, about);
  if (judged == went_on) return fd;
  ::close(fd);
  return judged;
}

// One step into a directory or over a link.
int descend(Walk& walk, bool& entered) {
  struct stat about {};
  const int next = take_hold(walk, about);
  if (next < 0) return next;
  entered = S_ISDIR(about.st_mode);
  if (entered) return enter(walk, next);
  const int done = S_ISLNK(about.st_mode) ? follow(walk, next, about) : -ENOTDIR;
  ::close(next);
  return done;
}

// Of a regular file, judged again: it may be another one than the one that we had hold of.
int read_last(Walk& walk) {
  const int flag = flag_for_links(walk);
  if (flag < 0) return flag;
  const int fd = ::openat(walk.directory, walk.found.name, O_RDONLY | quietly | flag);
  if (fd < 0) return -errno;
  struct stat about {};
  int done = ::fstat(fd, &about) < 0 ? -errno : judge(walk, about);
  if (done == went_on && !S_ISREG(about.st_mode)) done = refuse(walk, Blame::kind, EINVAL);
  if (done == went_on && !they_may(walk.found.say, about, may_read)) done = refuse(walk, Blame::file, EACCES);
  if (done == went_on) return fd;
  ::close(fd);
  return done;
}

int append_last(Walk& walk, int flag) {
  const int fd = ::openat(walk.directory, walk.found.name, to_append | flag, new_mode);
  if (fd < 0) return -errno;
  if (is_plain(fd) || only_we_write(walk.here)) return fd;
  struct stat about {};
  const bool is_file = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  ::close(fd);
  return is_file ? refuse(walk, Blame::names, EMLINK) : refuse(walk, Blame::kind, EACCES);
}

// What is there, or a step over it if it is a link.
int look_at_last(Walk& walk) {
  struct stat about {};
  const int fd = take_hold(walk, about);
  if (fd < 0) return fd;
  if (!S_ISLNK(about.st_mode) && walk.want == Want::object) return fd;
  int done = S_ISLNK(about.st_mode) ? follow(walk, fd, about) : read_last(walk);
  if (!S_ISLNK(about.st_mode) && !S_ISREG(about.st_mode) && done >= 0) {
    ::close(done);
    done = -ESTALE;  // exchanged under our eyes
  }
  ::close(fd);
  return done;
}

// A descriptor, a negative errno, or went_on: it was a link.
int open_last(Walk& walk) {
  if (walk.want != Want::append) return look_at_last(walk);
  const int flag = flag_for_links(walk);
  if (flag < 0) return flag;
  const int fd = append_last(walk, flag);
  if (fd != -ELOOP || flag == 0) return fd;
  struct stat about {};
  const int link = ::openat(walk.directory, walk.found.name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
  if (link < 0) return -errno;
  const int done = ::fstat(link, &about) < 0 ? -errno
                   : !S_ISLNK(about.st_mode) ? -ESTALE
                                             : follow(walk, link, about);
  ::close(link);
  return done;
}

int give_directory(Walk& walk) {
  if (walk.want == Want::directory) {
    const int fd = ::openat(walk.directory, ".", O_RDONLY | O_DIRECTORY | quietly);
    return fd < 0 ? -errno : fd;
  }
  hear_writers(walk.found.say, walk.here);
  const int fd = walk.directory;
  walk.directory = -1;
  return fd;
}

int go(Walk& walk) {
  int done = start(walk);
  while (done == went_on) {
    bool last = false, entered = false;
    if (!take_name(walk, last)) return -ENAMETOOLONG;
    if (last && walk.want == Want::parent) return give_directory(walk);
    if (last && walk.want != Want::directory) {
      done = open_last(walk);
      continue;
    }
    done = descend(walk, entered);
    if (last && entered && done == went_on) return give_directory(walk);
  }
  return done;
}

// Usually there is no link at all on the way, and the kernel can see to that in one call. False: it has to be
// walked.
bool append_directly(const char* path, int& opened) {
  open_how how{};
  how.flags = to_append;
  how.mode = new_mode;
  how.resolve = RESOLVE_NO_SYMLINKS;
  opened = static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
  if (opened < 0) {
    opened = -errno;
    return opened != -ELOOP && opened != -ENOSYS && opened != -EPERM;
  }
  if (is_plain(opened)) return true;
  ::close(opened);
  return false;
}

}  // namespace

int open_path(const char* path, Want want, Links links, Found& found) {
  int opened = -1;
  if (want == Want::append && append_directly(path, opened)) return opened;
  Walk walk{found, want, links, {}};
  if (std::strlen(path) >= sizeof walk.rest) return -ENAMETOOLONG;
  std::strcpy(walk.rest, path);
  opened = go(walk);
  if (walk.directory >= 0) ::close(walk.directory);
  return opened;
}

}  // namespace svd::walk
