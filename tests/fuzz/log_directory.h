// SPDX-License-Identifier: Apache-2.0
// A log's directory as an app's user can leave it: any record of cuts, any rotated files, compressed or not,
// any live file.
#pragma once

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <string>

#include "files/io.h"
#include "files/log_layout.h"
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"

namespace svd::fuzz {

inline void put(const std::string& path, std::string_view content) {
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  require(file && write_all(file.get(), content).has_value());
}

inline void put_packed(const std::string& path, std::string_view content) {
  auto* const file = ::gzopen(path.c_str(), "wb1");
  require(file != nullptr);
  require(::gzwrite(file, content.data(), static_cast<unsigned>(content.size())) >= 0);
  ::gzclose(file);
}

// Kinds of rotated files: plain, compressed, compressed and then changed, any bytes by that name.
inline void put_rotated(const std::string& base, std::uint64_t number, fuzz::Input& input) {
  const auto kind = input.number<std::uint8_t>() % 4;
  const auto path = rotated_name(base, number, kind != 0);
  const auto content = input.piece();
  if (kind == 0 || kind == 3) return put(path, content);
  put_packed(path, content);
  if (kind != 2) return;
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  const auto at = input.number<std::uint8_t>();
  const auto change = input.number<std::uint32_t>();
  const auto end = ::lseek(file.get(), 0, SEEK_END);
  require(::pwrite(file.get(), &change, sizeof change, std::max<off_t>(0, end - 4 - at % 16)) > 0);
}

struct LogDirectory {
  static constexpr std::uint64_t most_rotated = 3;
  std::string path;
  std::string live;  // what is in the live file

  LogDirectory(const std::string& directory, fuzz::Input input) : path{directory + "/web.0.log"} {
    for (std::uint64_t number = 1; number <= most_rotated; ++number)
      for (const bool packed : {false, true}) ::unlink(rotated_name(path, number, packed).c_str());
    const auto record = input.piece();
    ::unlink((directory + "/.web.0.log.cut").c_str());
    if (!record.empty()) put(directory + "/.web.0.log.cut", record);
    const auto count = input.number<std::uint8_t>() % (most_rotated + 1);
    for (std::uint64_t number = 1; number <= count; ++number) put_rotated(path, number, input);
    live = input.rest();
    put(path, live);
  }
};

}  // namespace svd::fuzz
