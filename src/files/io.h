// SPDX-License-Identifier: Apache-2.0
// Reading and writing whole files safely. Nothing here follows a symbolic link in a last path component, and
// every descriptor is close-on-exec from birth.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace svd {

// openat() with O_CLOEXEC | O_NOFOLLOW added and EINTR retried. The error names `name`.
Result<UniqueFd> open_at(int directory, const std::string& name, int flags, mode_t mode = 0);

// All of `bytes`, whatever write(2) takes at a time.
Result<> write_all(int fd, std::string_view bytes);

// open_at() of a regular file; nothing is waited for.
Result<UniqueFd> open_regular_at(int directory, const std::string& name, int flags, mode_t mode = 0);
// The same of one name: a second name could be anybody's file that somebody linked here for us to change
// (too_many_links).
Result<UniqueFd> open_own_at(int directory, const std::string& name, int flags, mode_t mode = 0);

// From where it stands. At most `limit` bytes; more is an error (file_too_large), not a cut.
Result<std::string> read_all(int fd, const std::string& name, std::size_t limit);
// The same of a regular file.
Result<std::string> read_file_at(int directory, const std::string& name, std::size_t limit);

// What survives a power cut. `ordered`: the old content or the new one; the disk is told to write, nobody
// waits for it, and with the file system's next commit (5 s on ext4) the new one is there. `synced`: the new
// one, before the call returns.
enum class Durability { ordered, synced };
// Puts `bytes` into `name` so that a reader sees the old content or the new one, never a mixture. The
// temporary file is `temp`, in the same directory; it is removed when anything fails.
struct AtomicWrite {
  std::string name, temp;
  mode_t mode = 0600;
  Durability durability = Durability::ordered;
};
Result<> write_file_at(int directory, const AtomicWrite& what, std::string_view bytes);
// The first half of it: leaves the content in `temp`, for a caller that puts it in place in another way and
// has the descriptor to fsync, if it wants to.
Result<UniqueFd> stage_file_at(int directory, const AtomicWrite& what, std::string_view bytes);

// fsync(2); the error names `name`.
Result<> sync_file(int fd, const std::string& name);

// mkdir -p with `mode` for each directory that is missing. What exists is left as it is. Links on the way are
// followed only if root or our own user made them (trusted_path.h).
Result<> make_directories(const std::string& path, mode_t mode);

// Names in a directory, without . and .., in no order.
Result<std::vector<std::string>> list_directory(int directory);

// Descriptor of a directory, and the last component: "/a/b.log" → ("/a", "b.log").
struct PathParts {
  std::string directory, name;
};
[[nodiscard]] PathParts split_path(const std::string& path);

}  // namespace svd
