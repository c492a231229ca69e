// SPDX-License-Identifier: Apache-2.0
// Opens an app's log, in a child that is being born, and before it gave up the keeper's rights. The path may
// lie in a directory in which the app, or anybody, does as they like, and must not lead us to write to a file
// of ours or of a stranger:
//   - a symbolic link is followed only if root or our own user made it;
//   - what is no regular file, or has a second name, is opened only in a directory that nobody else can write
//   to;
//   - nothing is waited for: a FIFO without a reader is an error.
// System calls only (see child.cpp).
#pragma once

namespace svd::keeper {

// A descriptor for appending, close-on-exec, created with 0640 if need be; or a negative errno: ELOOP for a
// link of somebody else, EMLINK for a second name, EACCES for what is no file.
int open_log_file(const char* path);

}  // namespace svd::keeper
