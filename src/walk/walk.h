// SPDX-License-Identifier: Apache-2.0
// The one way to a file through directories in which others do as they like. Component by component, each by
// a descriptor of the one before it, so that nothing can be exchanged between a look and its use.
//
// Two rules for symbolic links, by what is done at the end:
//   trusted   Only links of root or our own user are followed. For what we write to or mount: whoever else
//   could
//             send us elsewhere would write there with our rights.
//   judged    Anybody's link is followed, and from there on every directory must be one that the link's maker
//   may
//             search, and the file one that he may read: so for whoever had a say on the way (say.h). For
//             what we read: what they could have read themselves is no secret that we give away. A hard link,
//             or a directory that was moved to where the path looks for it, is judged alike.
//
// System calls only, nothing is allocated: the keeper's children use it between clone and exec.
#pragma once

#include <cstdint>

#include "walk/say.h"

namespace svd::walk {

enum class Links : std::uint8_t { trusted, judged };
enum class Want : std::uint8_t {
  read,       // a regular file, for reading. Never waits
  append,     // for appending, made with 0640 if need be. Where others can write: a regular file of one name
  directory,  // for reading
  object,     // whatever it is, O_PATH
  parent,     // the directory of the last component, O_PATH; that one is not looked at
};

// What was wrong, where an errno alone does not say it.
enum class Blame : std::uint8_t {
  nothing,
  link,   // ELOOP: a link of `uid` where it is not followed
  way,    // EACCES: a directory that not all who had a say may search
  file,   // EACCES: a file that not all who had a say may read
  kind,   // EINVAL (append: EACCES): no regular file
  names,  // EMLINK: the file has a second name
};

struct Found {
  Say say;
  Blame blame = Blame::nothing;
  char name[256] = "";  // the component in hand at the end: of parent, the last one
};

// A descriptor, close-on-exec and not blocking, or a negative errno.
int open_path(const char* path, Want want, Links links, Found& found);

}  // namespace svd::walk
