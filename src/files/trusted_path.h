// SPDX-License-Identifier: Apache-2.0
// The walk through directories in which others do as they like (walk/walk.h), with reasons in words.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "walk/walk.h"

namespace svd {

// A descriptor for reading the directory, or -1 with errno: ELOOP for a link of somebody else.
[[nodiscard]] int open_trusted_directory(const std::string& path);

// What is at a path that only trusted links lead to.
[[nodiscard]] Result<struct stat> find_trusted(const std::string& path);

// Opens for reading a file that a person or an ecosystem named, on behalf of whoever had a say on the way: it
// is refused where one of them could not read it. Regular files only; never waits.
[[nodiscard]] Result<UniqueFd> open_chosen_file(const std::string& path);
// The whole of it. Error file_too_large: more than `limit` bytes.
[[nodiscard]] Result<std::string> read_chosen_file(const std::string& path, std::size_t limit);

// For appending, made with 0640 if need be: only trusted links, and where others can write only a regular
// file of one name.
[[nodiscard]] Result<UniqueFd> open_trusted_log(const std::string& path);

// Opens a directory whose content is ours alone: nobody else may have a say in which one it is.
[[nodiscard]] Result<UniqueFd> open_unshared_directory(const std::string& path);

// The directory of a path's last component, as it is now. `say`: who beside root and us could make it another
// one.
struct PlaceOf {
  UniqueFd directory;
  std::string name;
  walk::Say say;
};
[[nodiscard]] Result<PlaceOf> place_of(const std::string& path, walk::Links links);

// mkdir -p with `mode` for each directory that is missing. What exists is left as it is. Only trusted links
// are followed.
// The directory, O_PATH.
Result<UniqueFd> make_trusted_directory(const std::string& path, mode_t mode);

}  // namespace svd
