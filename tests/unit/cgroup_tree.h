// SPDX-License-Identifier: Apache-2.0
// Plain directories with plain files stand in for cgroupfs: what is written stays, as the last one wrote it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "support/catch.h"

namespace svd::test {

class CgroupTree {
 public:
  CgroupTree() {
    std::string pattern = "/tmp/svd-cgroup-XXXXXX";
    top_ = ::mkdtemp(pattern.data());
  }
  CgroupTree(const CgroupTree&) = delete;
  CgroupTree& operator=(const CgroupTree&) = delete;
  ~CgroupTree() { std::filesystem::remove_all(top_); }

  [[nodiscard]] const std::string& top() const { return top_; }
  // "" is the top.
  [[nodiscard]] std::string path(const std::string& below) const { return top_ + below; }

  void put(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path{path(file)}.parent_path());
    std::ofstream{path(file), std::ios::trunc} << text;
  }
  [[nodiscard]] std::string get(const std::string& file) const {
    std::ifstream in{path(file)};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

 private:
  std::string top_;
};

}  // namespace svd::test
