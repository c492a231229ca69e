// SPDX-License-Identifier: Apache-2.0
// Who, beside root and our own user, had a say in where a path led. What they could have chosen for us must
// be theirs anyway: a daemon that opens a file for them with its own rights would else be their key to it.
//
// Who has a say in an entry of a directory:
//   - the directory's owner;
//   - its group, if that may write to it (a group of the owner's own number is the owner's alone);
//   - anybody, if anybody may write to it;
//   - in a sticky directory (/tmp), instead of group and anybody: the entry's owner, since nobody else can
//   rename
//     it; and anybody where the entry is one of several names of a file;
//   - of a symbolic link: its owner, too.
// From the first such entry on they have a say in all that follows.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

namespace svd::walk {

inline constexpr gid_t no_group = ~gid_t{0};

struct Say {
  bool user = false, group = false, anybody = false;
  uid_t uid = 0;               // of `user`
  gid_t own_group = no_group;  // a group that `user` is in
  gid_t gid = 0;               // of `group`
  [[nodiscard]] bool none() const { return !user && !group && !anybody; }
};

// Root, our own user, and whoever is outside of our user namespace.
[[nodiscard]] bool is_trusted(uid_t uid);

void hear_user(Say& say, uid_t uid, gid_t own_group);
// Whoever can remove or rename any entry of `directory`.
void hear_writers(Say& say, const struct stat& directory);
// `entry`, found in `directory`, has been met.
void hear(Say& say, const struct stat& directory, const struct stat& entry);

// Whether each of them may do to `object` what `bits` say (4 read, 2 write, 1 search), by its owner and mode.
inline constexpr unsigned may_read = 4, may_write = 2, may_search = 1;
[[nodiscard]] bool they_may(const Say& say, const struct stat& object, unsigned bits);

}  // namespace svd::walk
