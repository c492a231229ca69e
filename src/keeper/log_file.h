// SPDX-License-Identifier: Apache-2.0
// Opens an app's log, in a child that is being born, and before it gave up the keeper's rights.
#pragma once

#include "walk/walk.h"

namespace svd::keeper {

// A descriptor for appending, close-on-exec, created with 0640 if need be; or a negative errno: ELOOP for a
// link of somebody else, EMLINK for a second name, EACCES for what is no file.
inline int open_log_file(const char* path) {
  walk::Found found;
  return walk::open_path(path, walk::Want::append, walk::Links::trusted, found);
}

}  // namespace svd::keeper
