// SPDX-License-Identifier: Apache-2.0
// A directory in memory for targets whose parser reads files; gone with the program.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace svd::fuzz {

class Scratch {
 public:
  Scratch() : path_{::access("/dev/shm", W_OK) == 0 ? "/dev/shm/svd-fuzz-XXXXXX" : "/tmp/svd-fuzz-XXXXXX"} {
    if (::mkdtemp(path_.data()) == nullptr) ::abort();
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace svd::fuzz
