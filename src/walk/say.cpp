// SPDX-License-Identifier: Apache-2.0
#include "walk/say.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace svd::walk {
namespace {

constexpr uid_t overflow = 65534;  // how users outside of a user namespace look from within

// Whether "inside outside count" (user_namespaces(7)) has `uid` among the ones inside. Moves on to the next
// line.
bool line_covers(char*& at, uid_t uid) {
  const unsigned long first = std::strtoul(at, &at, 10);
  std::strtoul(at, &at, 10);
  const unsigned long count = std::strtoul(at, &at, 10);
  while (*at == '\n') ++at;
  return uid >= first && uid - first < count;
}

bool is_mapped(uid_t uid) {
  char text[4096];
  const int fd = ::open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
  const auto size = fd < 0 ? -1 : ::read(fd, text, sizeof text - 1);
  if (fd >= 0) ::close(fd);
  if (size <= 0) return true;
  text[size] = '\0';
  for (char* at = text; *at != '\0';) {
    const char* const before = at;
    if (line_covers(at, uid)) return true;
    if (at == before) return true;
  }
  return false;
}

bool is_trusted_group(gid_t gid) { return gid == 0 || gid == ::getegid(); }

void hear_group(Say& say, gid_t gid) {
  if (say.group && say.gid != gid) say.anybody = true;
  say.group = true;
  say.gid = gid;
}

// Where a directory has the set-group-ID bit, its entries do not tell a group of whoever made them.
gid_t group_told_by(const struct stat& about, const struct stat& above) {
  return ((about.st_mode | above.st_mode) & S_ISGID) != 0 ? no_group : about.st_gid;
}

// Other than its owner, and than those who are trusted.
bool group_writes(const struct stat& directory) {
  return (directory.st_mode & S_IWGRP) != 0 && !is_trusted_group(directory.st_gid) &&
         (is_trusted(directory.st_uid) || directory.st_gid != directory.st_uid);
}

void hear_sticky(Say& say, const struct stat& directory, const struct stat& entry) {
  if (!S_ISDIR(entry.st_mode) && entry.st_nlink > 1)
    say.anybody = true;
  else if (!is_trusted(entry.st_uid))
    hear_user(say, entry.st_uid, group_told_by(entry, directory));
}

bool has(const struct stat& object, unsigned bits, unsigned shift) {
  return (object.st_mode >> shift & bits) == bits;
}

}  // namespace

bool is_trusted(uid_t uid) { return uid == 0 || uid == ::geteuid() || (uid == overflow && !is_mapped(uid)); }

void hear_user(Say& say, uid_t uid, gid_t own_group) {
  if (say.user && say.uid != uid) say.anybody = true;
  if (!say.user || say.own_group == no_group) say.own_group = own_group;
  say.user = true;
  say.uid = uid;
}

void hear_writers(Say& say, const struct stat& directory) {
  const bool trusted = is_trusted(directory.st_uid);
  if (!trusted) hear_user(say, directory.st_uid, group_told_by(directory, directory));
  if ((directory.st_mode & S_ISVTX) != 0) return;
  if (group_writes(directory)) hear_group(say, directory.st_gid);
  if ((directory.st_mode & S_IWOTH) != 0) say.anybody = true;
}

void hear(Say& say, const struct stat& directory, const struct stat& entry) {
  hear_writers(say, directory);
  if ((directory.st_mode & S_ISVTX) != 0 && (group_writes(directory) || (directory.st_mode & S_IWOTH) != 0))
    hear_sticky(say, directory, entry);
  if (S_ISLNK(entry.st_mode) && !is_trusted(entry.st_uid))
    hear_user(say, entry.st_uid, group_told_by(entry, directory));
}

bool they_may(const Say& say, const struct stat& object, unsigned bits) {
  if (say.none() || has(object, bits, 0)) return true;
  if (say.anybody) return false;
  const auto through = [&](gid_t group) { return object.st_gid == group && has(object, bits, 3); };
  if (say.group && !through(say.gid)) return false;
  return !say.user || object.st_uid == say.uid || (say.own_group != no_group && through(say.own_group));
}

}  // namespace svd::walk
